"""Oracles: manipulation rewards of Meta-World (v3 environments), IsaacGymEnvs, ManiSkill and robosuite."""

from __future__ import annotations

from typing import Any

import numpy as np

from published import Array, Published, Rows, angle_between, hamacher, norm, rotated, tolerance


def long_tail(x: Array, low: float, high: float, margin: Any) -> Array:
    return tolerance(x, low, high, margin, "long_tail")


def close_enough(far: Array, radius: float, first: Array) -> Array:
    """In place within a radius, its margin counted from the start."""
    return long_tail(far, 0, radius, np.abs(first - radius))


def grasp(h: list[Rows], wide: float, flat: float) -> Array:
    """Meta-World's dense caging reward for an object of 15 mm."""
    start, s = h[0], h[-1]
    tcp, obj, first = s["tcp"], s["obj"], start["obj"]
    sides = []
    for pad in (s["pad_l"][:, 1], s["pad_r"][:, 1]):
        margin = np.abs(np.abs(pad - first[:, 1]) - wide)
        sides.append(long_tail(np.abs(pad - obj[:, 1]), 0.015, wide, margin))
    margin = norm((first - start["tcp"])[:, [0, 2]]) - flat
    cage = hamacher(*sides, long_tail(norm((tcp - obj)[:, [0, 2]]), 0, flat, margin))
    grip = np.where(cage > 0.97, np.clip(s["action"][:, 3], 0, 1), 0)
    return (hamacher(cage, grip) + cage) / 2


def reach(h: list[Rows]) -> Array:
    start, s = h[0], h[-1]
    return 10 * long_tail(norm(s["tcp"] - s["goal"]), 0, 0.05, norm(start["tcp"] - s["goal"]))


def push(h: list[Rows]) -> Array:
    start, s = h[0], h[-1]
    far = norm(s["obj"] - s["goal"])
    place = long_tail(far, 0, 0.05, norm(start["obj"] - s["goal"]))
    reward = 2 * grasp(h, 0.05, 0.005)
    held = (norm(s["obj"] - s["tcp"]) < 0.02) & (s["opening"] > 0)
    reward = np.where(held, reward + 1 + reward + 5 * place, reward)
    return np.where(far < 0.05, 10, reward)


def hammer(h: list[Rows]) -> Array:
    start, s = h[0], h[-1]
    handle = s["hammer"].copy()
    reached = np.abs(handle[:, 0] - s["hand"][:, 0]) < 0.14 / 2
    handle[reached, 0] = s["hand"][reached, 0]
    grab = grasp([start | {"obj": start["hammer"]}, s | {"obj": handle}], 0.02, 0.01)
    head = s["hammer"] + [0.16, 0.06, 0]
    place = 0.1 * (head[:, 2] > 0.02) + 0.9 * long_tail(norm(s["goal"] - head), 0, 0.02, 0.2)
    level = np.maximum(1 - norm(s["hammer_turn"] - [1, 0, 0, 0]) / 0.4, 0)
    reward = (2 * grab + 6 * place) * level
    return np.where((s["nail"] > 0.09) & (reward > 5), 10, reward)


def door_open(h: list[Rows]) -> Array:
    s = h[-1]
    door = s["handle"] + [-0.05, 0, 0]
    radius = norm((s["hand"] - door)[:, :2])
    with np.errstate(all="ignore"):
        floor = np.where(radius <= 0.12, 0, 0.04 * np.log(radius - 0.12) + 0.4)
    height = s["hand"][:, 2]
    above = np.where(height >= floor, 1, long_tail(floor - height, 0, 0.01, floor / 2))
    near = long_tail(norm(s["hand"] - door - [0.05, 0.03, -0.01]), 0, 0.06, 0.5)
    angle = -s["hinge"]
    opened = 0.2 * (angle > np.pi / 90) + 0.8 * long_tail(np.pi / 2 + np.pi / 6 - angle, 0, 0.5, np.pi / 3)
    grab = (np.clip(s["action"][:, 3], -1, 1) + 1) / 2
    reward = 2 * hamacher(hamacher(above, near), grab) + 8 * opened
    return np.where(np.abs(s["handle"][:, 0] - s["goal"][:, 0]) <= 0.08, 10, reward)


def drawer_open(h: list[Rows]) -> Array:
    start, s = h[0], h[-1]
    scale = np.array([3, 3, 1])
    margin = norm((s["goal"] + [0, 0.2, 0] - start["tcp"]) * scale)
    cage = long_tail(norm((s["handle"] - s["hand"]) * scale), 0, 0.01, margin)
    return 5 * (cage + long_tail(norm(s["handle"] - s["goal"]), 0, 0.02, 0.2))


def drawer_close(h: list[Rows]) -> Array:
    start, s = h[0], h[-1]
    far = norm(s["obj"] - s["goal"])
    place = close_enough(far, 0.04, norm(start["obj"] - s["goal"]))
    margin = np.abs(norm(start["obj"] - start["tcp"]) - 0.005)
    touch = hamacher(tolerance(norm(s["obj"] - s["tcp"]), 0, 0.005, margin), np.clip(s["action"][:, 3], 0, 1))
    return 10 * np.where(far <= 0.055, 1, hamacher(touch, place))


def button_press(h: list[Rows]) -> Array:
    start, s = h[0], h[-1]
    far = norm(s["obj"] - s["tcp"])
    near = long_tail(far, 0, 0.05, norm(s["obj"] - start["tcp"]))
    first = np.abs(start["goal"][:, 1] - start["obj"][:, 1])
    pressed = long_tail(np.abs(s["goal"][:, 1] - s["obj"][:, 1]), 0, 0.005, first)
    return 2 * hamacher(np.clip(s["opening"], 0, 1), near) + np.where(far <= 0.05, 8 * pressed, 0)


def slid(h: list[Rows], axis: int, radius: float) -> tuple[Array, Array]:
    """Distance along an axis, and the reward of reaching and sliding a handle."""
    start, s = h[0], h[-1]
    left = np.abs(s["obj"] - s["goal"])[:, axis]
    place = close_enough(left, radius, np.abs(start["obj"] - s["goal"])[:, axis])
    touch = close_enough(norm(s["obj"] - s["tcp"]), 0.02, norm(start["obj"] - start["tcp"]))
    return left, hamacher(touch, place)


def window_open(h: list[Rows]) -> Array:
    return 10 * slid(h, 0, 0.05)[1]


def handle_press(h: list[Rows]) -> Array:
    left, reward = slid(h, 2, 0.02)
    return 10 * np.where(left <= 0.02, 1, reward)


def faucet_open(h: list[Rows]) -> Array:
    start, s = h[0], h[-1]
    obj = s["knob"] + [-0.04, 0, 0.03]
    far = norm(obj - s["goal"])
    place = close_enough(far, 0.07, norm(start["knob"] - s["goal"]))
    margin = np.abs(norm(start["knob"] - start["tcp"]) - 0.01)
    touch = tolerance(norm(obj - s["tcp"]), 0, 0.01, margin)
    return np.where(far <= 0.07, 10, 2 * (2 * touch + 3 * place))


def plate_slide(h: list[Rows]) -> Array:
    start, s = h[0], h[-1]
    far = norm(s["obj"] - s["goal"])
    place = long_tail(far, 0, 0.05, norm(start["obj"] - s["goal"]))
    touch = long_tail(norm(s["tcp"] - s["obj"]), 0, 0.05, norm(start["tcp"] - start["obj"]))
    return np.where(far < 0.05, 10, 8 * hamacher(touch, place))


def ig_cartpole(h: list[Rows]) -> Array:
    s = h[-1]
    reward = 1 - s["angle"] ** 2 - 0.01 * np.abs(s["cart_vel"]) - 0.005 * np.abs(s["pole_vel"])
    return np.where((np.abs(s["cart"]) > 3) | (np.abs(s["angle"]) > np.pi / 2), -2, reward)


def ball_balance(h: list[Rows]) -> Array:
    s = h[-1]
    return 1 / (1 + norm(s["ball"] - [0, 0, 0.7])) / (1 + norm(s["ball_vel"]))


def flight(h: list[Rows], target: Array, level: float) -> Array:
    s = h[-1]
    near = 1 / (1 + norm(target - s["pos"]) ** 2)
    tilt = 1 - rotated(s["quat"], [0, 0, 1])[:, 2]
    return near + near * (level / (1 + tilt**2) + 1 / (1 + s["ang_vel"][:, 2] ** 2))


def quadcopter(h: list[Rows]) -> Array:
    return flight(h, np.array([0, 0, 1.0]), 1)


def ingenuity(h: list[Rows]) -> Array:
    return flight(h, h[-1]["target"], 5)


def franka_cabinet(h: list[Rows]) -> Array:
    s = h[-1]
    d = norm(s["hand"] - s["grip"])
    near = (1 / (1 + d**2)) ** 2 * np.where(d <= 0.02, 2, 1)
    forward = (rotated(s["hand_quat"], [0, 0, 1]) * rotated(s["drawer_quat"], [-1, 0, 0])).sum(axis=1)
    upward = (rotated(s["hand_quat"], [0, 1, 0]) * rotated(s["drawer_quat"], [0, 0, 1])).sum(axis=1)
    turned = 0.5 * (np.sign(forward) * forward**2 + np.sign(upward) * upward**2)
    left, right, grip = s["finger_l"], s["finger_r"], s["grip"]
    around = (left[:, 2] > grip[:, 2]) & (right[:, 2] < grip[:, 2])
    gap = (0.04 - np.abs(left - grip)[:, 2]) + (0.04 - np.abs(right - grip)[:, 2])
    bonus = np.where(around, 0.5, 0)
    drawer = s["drawer"]
    reward = 2 * near + 0.5 * turned + 0.25 * bonus + 7.5 * (drawer * bonus + drawer)
    reward += 5 * np.where(around, gap, 0) - 0.01 * (s["action"] ** 2).sum(axis=1)
    reward += 0.5 * (drawer > 0.01) + bonus * (drawer > 0.2) + 2 * bonus * (drawer > 0.39)
    return np.where((left[:, 0] < grip[:, 0] - 0.04) | (right[:, 0] < grip[:, 0] - 0.04), -1, reward)


def cube_stack(h: list[Rows]) -> Array:
    s = h[-1]
    cube, base = s["cube"], s["base"]
    d = norm(cube - s["palm"])
    near = 1 - np.tanh(10 * (d + norm(cube - s["finger_l"]) + norm(cube - s["finger_r"])) / 3)
    height = cube[:, 2] - 1.025
    lifted = height - 0.05 > 0.04
    aligned = (1 - np.tanh(10 * norm(base - cube + [0, 0, 0.06]))) * lifted
    on_top = (norm((base - cube)[:, :2]) < 0.02) & (np.abs(height - (0.07 + 0.025)) < 0.02)
    return np.where(on_top & (d > 0.04), 16, 0.1 * np.maximum(near, aligned) + 1.5 * lifted + 2 * aligned)


def shadow_hand(h: list[Rows]) -> Array:
    s = h[-1]
    far = norm(s["object_pos"] - s["target_pos"])
    turned = angle_between(s["object_quat"], s["target_quat"])
    reward = -10 * far + 1 / (turned + 0.1) - 2e-4 * (s["action"] ** 2).sum(axis=1)
    return reward + 250.0 * (turned <= 0.1) - 0.5 * (far >= 0.24)


def trifinger(h: list[Rows]) -> Array:
    before, s, dt = h[-2], h[-1], 0.02
    moved = -0.5 * (((s["tips"] - before["tips"]) / dt) ** 2).sum(axis=(1, 2))
    now = norm(s["tips"] - s["object_pos"][:, None])
    then = norm(before["tips"] - before["object_pos"][:, None])
    scaled = 50 * norm(s["object_pos"] - s["goal_pos"])
    position = 2000 * dt / (np.exp(scaled) + 2 + np.exp(-scaled))
    rotation = 2000 * dt / (3 * angle_between(s["object_quat"], s["goal_quat"]) + 0.01)
    return moved - 250 * (now - then).sum(axis=1) + position + rotation


def pick_cube(h: list[Rows]) -> Array:
    s = h[-1]
    held = s["grasped"]
    far = norm(s["goal"] - s["cube"])
    arm = s["joint_vel"][:, :7]
    reward = 1 - np.tanh(5 * norm(s["tcp"] - s["cube"])) + held + held * (1 - np.tanh(5 * far))
    reward += (far <= 0.025) * (1 - np.tanh(5 * norm(arm)))
    return np.where((far <= 0.025) & (np.abs(arm).max(axis=1) <= 0.2), 5, reward)


def push_cube(h: list[Rows]) -> Array:
    s = h[-1]
    behind = norm(s["cube"] + [-0.025, 0, 0] - s["tcp"])
    left = norm((s["cube"] - s["goal"])[:, :2])
    reward = 1 - np.tanh(5 * behind) + (behind < 0.01) * (1 - np.tanh(5 * left))
    return np.where((left < 0.1) & (s["cube"][:, 2] < 0.025), 3, reward)


def lift(h: list[Rows]) -> Array:
    s = h[-1]
    shaped = 1 - np.tanh(10 * norm(s["gripper"] - s["cube"])) + 0.25 * s["grasped"]
    return np.where(s["cube"][:, 2] > 0.84, 2.25, shaped) / 2.25


ARMS = {
    "mw_reach": Published(reach, 0.2, near={"tcp": "goal"}),
    "mw_push": Published(
        push, 0.1, {"action": 1.0, "opening": 1.0}, near={"tcp": "obj", "pad_l": "obj", "pad_r": "obj"}
    ),
    "mw_hammer": Published(
        hammer, 0.02, {"action": 1.0, "nail": 0.2, "hammer_turn": 0.05},
        near={"hand": "hammer", "tcp": "hammer", "pad_l": "hammer", "pad_r": "hammer"},
        shift={"hammer_turn": np.array([1.0, 0, 0, 0]), "goal": np.array([0.16, 0.06, 0])},
    ),
    "mw_door_open": Published(
        door_open, 0.3, {"action": 1.0, "hinge": 1.0}, near={"hand": "handle"}, shift={"hand": 0.3, "hinge": -1.0}
    ),
    "mw_drawer_open": Published(drawer_open, 0.2, near={"hand": "handle"}),
    "mw_drawer_close": Published(drawer_close, 0.2, {"action": 1.0}, near={"tcp": "obj"}),
    "mw_button_press": Published(button_press, 0.2, {"opening": 1.0}, near={"tcp": "obj"}),
    "mw_window_open": Published(window_open, 0.2, near={"tcp": "obj"}),
    "mw_handle_press": Published(handle_press, 0.2, near={"tcp": "obj"}),
    "mw_faucet_open": Published(faucet_open, 0.2, near={"tcp": "knob"}),
    "mw_plate_slide": Published(plate_slide, 0.2, near={"tcp": "obj"}),
    "ig_cartpole": Published(ig_cartpole, spreads={"cart": 2.0}),
    "ig_ball_balance": Published(ball_balance),
    "ig_quadcopter": Published(quadcopter),
    "ig_ingenuity": Published(ingenuity),
    "ig_franka_cabinet": Published(
        franka_cabinet, 0.2, {"action": 1.0}, near={"hand": "grip"}, shift={"finger_l": 0.1}
    ),
    "ig_cube_stack": Published(
        cube_stack, 0.1, near={"palm": "cube", "finger_l": "cube"}, shift={"cube": 1.0, "base": 1.0}
    ),
    "ig_shadow_hand": Published(
        shadow_hand, 0.2, {"action": 1.0, "object_quat": 0.3, "target_quat": 1.0}, near={"object_quat": "target_quat"}
    ),
    "ig_trifinger": Published(trifinger, 0.1),
    "ms_pick_cube": Published(pick_cube, 0.05, {"joint_vel": 0.1}, near={"cube": "goal"}),
    "ms_push_cube": Published(push_cube, 0.1, near={"tcp": "cube"}),
    "rs_lift": Published(lift, 0.1, near={"gripper": "cube"}, shift={"cube": 0.8, "gripper": 0.8}),
}
