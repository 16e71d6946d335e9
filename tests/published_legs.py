"""Oracles: legged locomotion of legged_gym, Isaac Lab, mjlab, MuJoCo Playground, Walk These Ways, IsaacGymEnvs,
the language-to-reward residuals, and Rocket League's kinesthetic combinations.
"""

from __future__ import annotations

import numpy as np

from published import Array, Published, Rows, norm, rotated

DT = 0.02


def square_sum(x: Array) -> Array:
    return (x**2).reshape(len(x), -1).sum(axis=1)


def air_times(contacts: list[Array]) -> tuple[Array, Array]:
    """Seconds in the air and on the ground after each step but the first, which is the reset state."""
    air, down = np.zeros(contacts[0].shape), np.zeros(contacts[0].shape)
    for c in contacts[1:]:
        air = np.where(c, 0, air + DT)
        down = np.where(c, down + DT, 0)
    return air, down


def legged_air_time(h: list[Rows]) -> Array:
    """Air time less half a second at touch-downs, contacts filtered by the step before."""
    before, air = h[0]["foot_force"][:, :, 2] > 1, np.zeros(h[0]["foot_force"].shape[:2])
    paid = np.zeros(len(air))
    for s in h[1:]:
        contact = s["foot_force"][:, :, 2] > 1
        filtered, before = contact | before, contact
        landed = (air > 0) & filtered
        air = air + DT
        paid = np.where(landed, air - 0.5, 0).sum(axis=1)
        air = np.where(filtered, 0, air)
    return paid * (norm(h[-1]["command"][:, :2]) > 0.1)


def legged_gym(h: list[Rows]) -> Array:
    before, s = h[-2], h[-1]
    command, feet, q = s["command"], s["foot_force"], s["joint_pos"]
    home, limit = [0.1, 0.8, -0.1, 0.8], np.array([0.8, 1.5, 0.8, 1.5])
    low = np.array([-0.8, -1.0, -0.8, -1.0])
    body = norm(s["body_force"])
    outside = -np.minimum(q - low, 0) + np.maximum(q - limit, 0)
    terms = [
        (-2.0, s["base_lin_vel"][:, 2] ** 2),
        (-0.05, square_sum(s["base_ang_vel"][:, :2])),
        (-0.5, square_sum(s["gravity_dir"][:, :2])),
        (-1.0, ((s["base_height"][:, None] - s["heights"]).mean(axis=1) - 0.3) ** 2),
        (-1e-5, square_sum(s["joint_torque"])),
        (-1e-3, square_sum(s["joint_vel"])),
        (-2.5e-7, square_sum((before["joint_vel"] - s["joint_vel"]) / DT)),
        (-0.01, square_sum(before["action"] - s["action"])),
        (-1.0, (body[:, 1:] > 0.1).sum(axis=1)),
        (-1.0, body[:, 0] > 1),
        (-10.0, outside.sum(axis=1)),
        (-1.0, np.clip(np.abs(s["joint_vel"]) - 0.9 * 2.0, 0, 1).sum(axis=1)),
        (-1.0, np.maximum(np.abs(s["joint_torque"]) - 0.8 * 1.5, 0).sum(axis=1)),
        (1.0, np.exp(-square_sum(command[:, :2] - s["base_lin_vel"][:, :2]) / 0.25)),
        (0.5, np.exp(-((command[:, 2] - s["base_ang_vel"][:, 2]) ** 2) / 0.25)),
        (1.0, legged_air_time(h)),
        (-2.0, (norm(feet[:, :, :2]) > 5 * np.abs(feet[:, :, 2])).any(axis=1)),
        (-0.1, np.abs(q - home).sum(axis=1) * (norm(command[:, :2]) < 0.1)),
        (-0.02, np.maximum(norm(feet) - 2, 0).sum(axis=1)),
    ]
    return DT * sum(weight * value for weight, value in terms)


def in_yaw_frame(q: Array, v: Array) -> Array:
    """A world vector seen with the heading of the base, still level."""
    w, x, y, z = q.T
    yaw = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    c, s = np.cos(yaw), np.sin(yaw)
    return np.stack([c * v[:, 0] + s * v[:, 1], c * v[:, 1] - s * v[:, 0]], axis=1)


def isaac_lab(h: list[Rows]) -> Array:
    before, s = h[-2], h[-1]
    command, q = s["command"], s["root_quat"]
    contacts = [norm(rows["foot_force"]) > 1 for rows in h]
    down, (air, ground) = contacts[-1], air_times(contacts)
    single = down.sum(axis=1) == 1
    phase = np.where(single[:, None], np.where(down, ground, air), 0)
    speed = norm(command[:, :2])
    deviation = np.abs(s["joint_pos"] - [0.0, 0.5, -0.3]).sum(axis=1)
    gravity = rotated(q * [1, -1, -1, -1], [0, 0, -1])
    terms = [
        (1.0, np.exp(-square_sum(command[:, :2] - in_yaw_frame(q, s["root_lin_vel"])) / 0.25)),
        (1.0, np.exp(-((command[:, 2] - s["root_ang_vel"][:, 2]) ** 2) / 0.25)),
        (-1.0, square_sum(gravity[:, :2])),
        (0.25, np.minimum(phase.min(axis=1), 0.4) * (speed > 0.1)),
        (-0.1, (norm(s["foot_vel"][:, :, :2]) * down).sum(axis=1)),
        (-0.1, deviation),
        (-0.2, deviation * (speed < 0.06)),
        (-1.25e-3, square_sum(s["joint_acc"])),
        (-0.1, np.abs(s["effort"] - s["effort_asked"]).sum(axis=1)),
        (-5e-3, square_sum(s["action"] - before["action"])),
        (-1e-3, square_sum(s["action"])),
        (-0.01, norm(s["body_acc"]).sum(axis=1)),
        (-0.5, ~down.any(axis=1)),
        (-0.01, np.maximum(norm(s["foot_force"]) - 2, 0).sum(axis=1)),
    ]
    return DT * sum(weight * value for weight, value in terms)


def mjlab(h: list[Rows]) -> Array:
    s = h[-1]
    command, contact = s["command"], s["foot_contact"]
    air = air_times([rows["foot_contact"] for rows in h])[0]
    linear = s["base_lin_vel"].copy()
    linear[:, :2] -= command[:, :2]
    angular = s["base_ang_vel"].copy()
    angular[:, 2] -= command[:, 2]
    drive = 0.5 * (1 + np.tanh((norm(command[:, :2]) - 0.5) / 0.2))
    slide = norm(s["foot_vel"][:, :, :2])
    height = (s["foot_pos"][:, :, 2] - 0.1) ** 2 * np.tanh(2 * slide)
    in_time = ~contact & (air > 0.05 + 1e-9) & (air <= 0.35 + 1e-9)
    reward = np.exp(-square_sum(linear) / 0.25) + np.exp(-square_sum(angular) / 0.25)
    reward += 0.5 * in_time.sum(axis=1) * drive + np.exp(-height.sum(axis=1) / 0.05)
    return DT * (reward - 0.25 * (slide * contact).sum(axis=1))


def playground(h: list[Rows]) -> Array:
    before, s = h[-2], h[-1]
    command = s["command"]
    error = s["joint_pos"] - np.array([0.1, 0.9, -1.8, -0.1, 0.9, -1.8] * 2)
    told = norm(command) > 0.01
    slide = norm(s["foot_vel"][:, :, :2])
    terms = [
        (1.0, np.exp(-square_sum(command[:, :2] - s["local_vel"][:, :2]) / 0.25)),
        (0.5, np.exp(-((command[:, 2] - s["gyro"][:, 2]) ** 2) / 0.25)),
        (-5.0, square_sum(s["up"][:, :2])),
        (-1.0, np.abs(error).sum(axis=1) * ~told),
        (-1.0, s["up"][:, 2] < 0),
        (0.5, np.exp(-(error**2 * ([1.0, 1.0, 0.1] * 4)).sum(axis=1))),
        (-2e-4, norm(s["torque"]) + np.abs(s["torque"]).sum(axis=1)),
        (-1e-3, (np.abs(s["joint_vel"]) * np.abs(s["torque"])).sum(axis=1)),
        (-0.01, square_sum(s["action"] - before["action"])),
        (-0.1, (slide**2 * s["foot_contact"]).sum(axis=1) * told),
        (-2.0, (np.abs(s["foot_height"] - 0.1) * np.sqrt(slide)).sum(axis=1)),
    ]
    return np.maximum(DT * sum(weight * value for weight, value in terms), 0)


def walk_these_ways(h: list[Rows]) -> Array:
    oldest, before, s = h[max(len(h) - 3, 0)], h[-2], h[-1]
    force, speed = norm(s["foot_force"]), norm(s["foot_vel"])
    wave = 1 - np.abs(1.0 - np.clip(s["foot_phase"] * 2.0 - 1.0, 0.0, 1.0) * 2.0)
    height, aim = s["foot_height"], s["swing_command"][:, None] * wave + 0.02
    bend = s["joint_target"] - 2 * before["joint_target"] + oldest["joint_target"]
    falling = np.clip(before["foot_vel"][:, :, 2], -100, 0)
    terms = [
        (10.0, -((s["base_height"] - (s["height_command"] + 0.34)) ** 2)),
        (4.0, (-(1 - s["stance"]) * (1 - np.exp(-(force**2) / 100))).sum(axis=1) / 4),
        (4.0, (-s["stance"] * (1 - np.exp(-(speed**2) / 10))).sum(axis=1) / 4),
        (-30.0, ((aim - height) ** 2 * (1 - s["stance"])).sum(axis=1)),
        (-0.1, ((height < 0.03) * speed**2).sum(axis=1)),
        (-0.1, ((force > 1) * falling**2).sum(axis=1)),
        (-0.1, square_sum(bend)),
    ]
    return DT * sum(weight * value for weight, value in terms)


def spot(h: list[Rows]) -> Array:
    s = h[-1]
    air, down = air_times([rows["foot_contact"] for rows in h])
    fl, fr, hl, hr = range(4)

    def off(a: Array, b: Array) -> Array:
        return np.minimum((a - b) ** 2, 0.2**2)

    gait = np.ones(len(air))
    for i, j in ((fl, hr), (fr, hl)):
        gait = gait * np.exp(-(off(air[:, i], air[:, j]) + off(down[:, i], down[:, j])) / 0.1)
    for i, j in ((fl, fr), (hr, hl), (fl, hl), (fr, hr)):
        gait = gait * np.exp(-(off(air[:, i], down[:, j]) + off(down[:, i], air[:, j])) / 0.1)
    command, velocity = s["command"], s["base_vel"]
    going = (norm(command) > 0) | (norm(velocity[:, :2]) > 0.5)
    longest = np.maximum(air, down)
    moving = np.where(longest < 0.3, np.minimum(longest, 0.3), 0)
    mode = np.where(going[:, None], moving, np.clip(down - air, -0.3, 0.3)).sum(axis=1)
    speed = np.maximum(1 + 0.5 * (norm(command[:, :2]) - 1), 1)
    track = np.exp(-norm(command[:, :2] - velocity[:, :2])) * speed
    return DT * (10 * np.where(going, gait, 0) + 5 * mode + 5 * track - 2 * 0.8 * velocity[:, 2] ** 2)


def progress(h: list[Rows]) -> Array:
    """Change of IsaacGymEnvs' potential, minus the level distance over the step."""
    now, then = (norm((s["target"] - s["pos"])[:, :2]) for s in (h[-1], h[-2]))
    return (then - now) / DT


def heading_and_up(s: Rows) -> Array:
    return np.where(s["heading"] > 0.8, 0.5, 0.5 * s["heading"] / 0.8) + 0.1 * (s["up"] > 0.93)


def isaac_ant(h: list[Rows]) -> Array:
    s = h[-1]
    cost = 0.005 * square_sum(s["action"]) + 0.05 * np.abs(s["action"] * s["joint_vel"]).sum(axis=1)
    cost += 0.1 * (s["joint_pos"] > 0.99).sum(axis=1)
    return np.where(s["pos"][:, 2] < 0.31, -2, progress(h) + 0.5 + heading_and_up(s) - cost)


def isaac_humanoid(h: list[Rows]) -> Array:
    s = h[-1]
    legs = [1.0, 1.0, 0.75, 0.25, 0.25, 0.25]
    ratio = np.array([0.5] * 3 + legs + legs + [0.5] * 6)
    at_limit = np.abs(s["joint_pos"]) > 0.98
    cost = 0.01 * square_sum(s["action"]) + 0.05 * (np.abs(s["action"] * s["joint_vel"]) * ratio).sum(axis=1)
    cost += (at_limit * 0.25 * (np.abs(s["joint_pos"]) - 0.98) / 0.02 * ratio).sum(axis=1)
    return np.where(s["pos"][:, 2] < 0.8, -1, progress(h) + 2 + heading_and_up(s) - cost)


def smooth_abs(x: Array, p: float) -> Array:
    return (np.sqrt(x**2 + p**2) - p).reshape(len(x), -1).sum(axis=1)


def l2(x: Array, p: float) -> Array:
    return np.sqrt((x**2).reshape(len(x), -1).sum(axis=1) + p**2) - p


def l2r_quadruped(h: list[Rows]) -> Array:
    s = h[-1]
    x, y, z = s["axis_x"], s["axis_y"], s["axis_z"]
    angle = np.arctan2(x[:, 1], x[:, 0])
    pitch = np.arctan2(-x[:, 2], np.sqrt(y[:, 2] ** 2 + z[:, 2] ** 2))
    vx, vy = s["com_vel"][:, 0], s["com_vel"][:, 1]
    c, n = np.cos(-angle), np.sin(-angle)
    capture = (s["com"] + s["com_vel"] * np.sqrt(2 * 0.288 / 9.81) - s["foot_pos"].mean(axis=1))[:, :2]
    toward = np.stack([np.cos(angle) - np.cos(0.5), np.sin(angle) - np.sin(0.5)], axis=1)
    bend = (s["joint_pos"] - [0, 0.8, 1.6] * 4) * ([2, 1, 1] * 4)
    costs = [
        0.5 * smooth_abs(s["base_pos"][:, 2] - 0.288, 0.1),
        0.6 * 0.5 * square_sum(toward),
        0.6 * smooth_abs(pitch - 0.1, 0.05),
        1.0 * smooth_abs(np.arctan2(y[:, 2], z[:, 2]) + 0.2, 0.05),
        0.1 * l2(c * vx - n * vy - 0.6, 0.1),
        0.1 * l2(n * vx + c * vy - 0.1, 0.1),
        0.6 * l2(s["ang_vel"][:, 2] - 0.3, 0.1),
        0.2 * l2(capture, 0.1),
        0.01 * 0.5 * square_sum(bend),
        1e-3 * 0.5 * square_sum(0.02 * s["effort"]),
    ]
    return -sum(costs)


def l2r_gait(h: list[Rows]) -> Array:
    s, time = h[-1], (len(h) - 1) * DT
    duration, stance = 1 / 2.0, 0.6 / 2.0
    flight = duration - stance
    inside = (time - np.array([0.0, 0.5, 0.5, 0.0]) * duration) % duration
    flying = inside < flight
    phase = np.where(flying, inside / flight, (inside - flight) / stance)
    z = np.where(flying, np.sin(phase * np.pi) * 0.08, 0)
    x = np.where(flying, 1, -1) * np.sin(phase * np.pi - np.pi / 2) * 0.05
    x = s["shoulder_x"] + [0.05, -0.05, 0.05, -0.05] + x
    return -smooth_abs(z - s["foot_pos"][:, :, 2], 0.1) - 0.2 * smooth_abs(x - s["foot_pos"][:, :, 0], 0.1)


def cosine(a: Array, b: Array) -> Array:
    return (a * b).sum(axis=1) / (norm(a) * norm(b))


def aligned(s: Rows) -> tuple[Array, Array]:
    """Alignment with both goals, and closeness to the ball."""
    to_ball = s["ball"] - s["player"]
    align = 0.5 * cosine(to_ball, s["player"] - s["own_goal"]) + 0.5 * cosine(to_ball, s["goal"] - s["player"])
    return align, np.exp(-0.5 * (norm(to_ball) - 92.75) / 2300)


def lucy_offensive(h: list[Rows]) -> Array:
    s = h[-1]
    align, close = aligned(s)
    to_ball = s["ball"] - s["player"]
    toward = (to_ball * s["player_vel"]).sum(axis=1) / norm(to_ball) / 2300
    sign = np.where((align >= 0) & (toward >= 0), 1, -1)
    return sign * np.abs(align * close * toward) ** (1 / 3)


def lucy_align(h: list[Rows]) -> Array:
    product = np.prod(aligned(h[-1]), axis=0)
    return np.sqrt(np.abs(product)) * np.sign(product)


LEGS = {
    "legged_gym_all": Published(legged_gym, spreads={"command": 0.3, "body_force": 0.5, "foot_force": 2.0}, steps=12),
    "isaac_lab_velocity": Published(isaac_lab, spreads={"command": 0.2}, steps=12),
    "mjlab_velocity": Published(mjlab, spreads={"foot_pos": 0.1}, steps=12),
    "playground_joystick": Published(
        playground, 0.3, {"joint_pos": 0.2, "up": 0.1}, shift={"joint_pos": (0.1, 0.9, -1.8, -0.1, 0.9, -1.8) * 2}
    ),
    "walk_these_ways": Published(walk_these_ways, 0.5, {"foot_force": 8.0, "foot_vel": 2.0, "foot_height": 0.1}),
    "spot_gait": Published(spot, steps=12),
    "ig_ant": Published(isaac_ant, shift={"pos": (0.0, 0.0, 1.0)}),
    "ig_humanoid": Published(isaac_humanoid, shift={"pos": (0.0, 0.0, 1.5)}),
    "l2r_quadruped": Published(l2r_quadruped, spreads={"effort": 20.0}),
    "l2r_gait": Published(l2r_gait, 0.2, steps=40),
    "lucy_offensive": Published(lucy_offensive, 2000.0),
    "lucy_align": Published(lucy_align, 2000.0),
}
