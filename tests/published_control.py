"""Oracles: dm_control's suite and Gymnasium's control tasks."""

from __future__ import annotations

import numpy as np

from published import Array, Published, Rows, norm, tolerance


def calm(control: Array) -> Array:
    return tolerance(control, 0, 0, 1, "quadratic", 0.0)


def cartpole_balance(h: list[Rows]) -> Array:
    s = h[-1]
    velocity = (1 + tolerance(s["pole_vel"], margin=5)) / 2
    centered = (1 + tolerance(s["cart"], margin=2)) / 2
    return (s["upright"] + 1) / 2 * (4 + calm(s["control"])) / 5 * velocity * centered


def cartpole_sparse(h: list[Rows]) -> Array:
    return 1.0 * ((np.abs(h[-1]["cart"]) <= 0.25) & (h[-1]["upright"] >= 0.995) & (h[-1]["upright"] <= 1))


def pendulum_swingup(h: list[Rows]) -> Array:
    return tolerance(h[-1]["vertical"], np.cos(np.deg2rad(8)), 1)


def cheetah_run(h: list[Rows]) -> Array:
    return np.clip(h[-1]["speed"] / 10, 0, 1)


def walker_walk(h: list[Rows]) -> Array:
    s = h[-1]
    stand = (3 * tolerance(s["height"], 1.2, np.inf, 0.6) + (1 + s["upright"]) / 2) / 4
    return stand * (5 * tolerance(s["speed"], 1, np.inf, 0.5, "linear", 0.5) + 1) / 6


def hopper_hop(h: list[Rows]) -> Array:
    return tolerance(h[-1]["height"], 0.6, 2) * tolerance(h[-1]["speed"], 2, np.inf, 1, "linear", 0.5)


def hopper_stand(h: list[Rows]) -> Array:
    return tolerance(h[-1]["height"], 0.6, 2) * (4 + calm(h[-1]["control"]).mean(axis=1)) / 5


def humanoid_posture(s: Rows) -> Array:
    standing = tolerance(s["head"], 1.4, np.inf, 0.35)
    upright = tolerance(s["upright"], 0.9, np.inf, 1.9, "linear", 0)
    return standing * upright * (4 + calm(s["control"]).mean(axis=1)) / 5


def humanoid_stand(h: list[Rows]) -> Array:
    return humanoid_posture(h[-1]) * tolerance(h[-1]["com_vel"][:, :2], margin=2).mean(axis=1)


def humanoid_run(h: list[Rows]) -> Array:
    move = tolerance(norm(h[-1]["com_vel"][:, :2]), 10, np.inf, 10, "linear", 0)
    return humanoid_posture(h[-1]) * (5 * move + 1) / 6


def quadruped_fetch(h: list[Rows]) -> Array:
    s = h[-1]
    arena = 10 * np.sqrt(2)
    upright = tolerance(s["upright"], 1, np.inf, 2, "linear", 0)
    reach = tolerance(norm(s["ball"] - s["workspace"]), 0, 0.4, arena, "linear", 0)
    fetch = tolerance(norm((s["ball"] - s["target"])[:, :2]), 0, 0.3, arena, "linear", 0)
    return upright * reach * (0.5 + 0.5 * fetch)


def fish_swim(h: list[Rows]) -> Array:
    s = h[-1]
    there = tolerance(norm(s["mouth"] - s["target"]), 0, 0.04, 0.08)
    return (7 * there + 0.5 * (s["upright"] + 1)) / 8


def swimmer_swim(h: list[Rows]) -> Array:
    return tolerance(norm(h[-1]["nose"] - h[-1]["target"]), 0, 0.1, 0.5, "long_tail")


def point_mass(h: list[Rows]) -> Array:
    s = h[-1]
    there = tolerance(norm(s["mass"] - s["target"]), 0, 0.015, 0.015)
    return there * (calm(s["control"]).mean(axis=1) + 4) / 5


def stacker(h: list[Rows]) -> Array:
    s = h[-1]
    nearest = norm(s["boxes"] - s["target"][:, None]).min(axis=1)
    return tolerance(nearest, margin=0.044) * tolerance(norm(s["hand"] - s["target"]), 0.1, np.inf, 0.01)


def dog_walk(h: list[Rows]) -> Array:
    s = h[-1]
    lowest = np.cos(np.deg2rad(30))
    factors = [
        tolerance(s["torso"], 0.45, np.inf, 0.45),
        tolerance(s["pelvis"], 0.4, np.inf, 0.4),
        tolerance(s["upright"], lowest, np.inf, lowest + 1, "linear", 0).prod(axis=1),
        tolerance(s["touch"].sum(axis=1), 160, np.inf, 160, "linear", 0.9),
        (4 * tolerance(s["speed"], 1, 2, 1, "linear", 0) + 1) / 5,
    ]
    return np.prod(factors, axis=0)


def ball_in_cup(h: list[Rows]) -> Array:
    return 1.0 * (np.abs(h[-1]["ball"] - h[-1]["cup"]) < 0.025).all(axis=1)


def lqr(h: list[Rows]) -> Array:
    s = h[-1]
    return 1 - 0.5 * (s["position"] ** 2).sum(axis=1) - 0.1 * 0.5 * (s["control"] ** 2).sum(axis=1)


def gym_pendulum(h: list[Rows]) -> Array:
    s = h[-1]
    angle = (s["angle"] + np.pi) % (2 * np.pi) - np.pi
    return -(angle**2 + 0.1 * s["rate_of_turn"] ** 2 + 0.001 * np.clip(s["torque"], -2, 2) ** 2)


def mountain_car(h: list[Rows]) -> Array:
    s = h[-1]
    return 100.0 * ((s["position"] >= 0.45) & (s["velocity"] >= 0)) - 0.1 * s["action"] ** 2


def double_pendulum(h: list[Rows]) -> Array:
    x, y = h[-1]["tip"][:, 0], h[-1]["tip"][:, 2]
    v1, v2 = h[-1]["qvel"][:, 1], h[-1]["qvel"][:, 2]
    return 10.0 * (y > 1) - (0.01 * x**2 + (y - 2) ** 2) - (1e-3 * v1**2 + 5e-3 * v2**2)


def humanoid_standup(h: list[Rows]) -> Array:
    s = h[-1]
    impact = np.minimum(0.5e-6 * (s["contact_force"] ** 2).sum(axis=(1, 2)), 10)
    return s["height"] / 0.003 - 0.1 * (s["control"] ** 2).sum(axis=1) - impact + 1


CONTROL = {
    "dm_cartpole_balance": Published(cartpole_balance),
    "dm_cartpole_sparse": Published(cartpole_sparse, spreads={"upright": 0.003, "cart": 0.2}, shift={"upright": 0.996}),
    "dm_pendulum_swingup": Published(pendulum_swingup, spread=0.01, shift={"vertical": 0.99}),
    "dm_cheetah_run": Published(cheetah_run, spread=6.0),
    "dm_walker_walk": Published(walker_walk),
    "dm_hopper_hop": Published(hopper_hop, spread=1.5),
    "dm_hopper_stand": Published(hopper_stand),
    "dm_humanoid_stand": Published(humanoid_stand, shift={"head": 1.0}),
    "dm_humanoid_run": Published(humanoid_run, shift={"head": 1.0}, spreads={"com_vel": 5.0}),
    "dm_quadruped_fetch": Published(quadruped_fetch, spread=3.0, near={"workspace": "ball"}),
    "dm_fish_swim": Published(fish_swim, spread=0.2, near={"mouth": "target"}),
    "dm_swimmer_swim": Published(swimmer_swim, near={"nose": "target"}),
    "dm_point_mass": Published(point_mass, spread=0.1, spreads={"control": 1.0}, near={"mass": "target"}),
    "dm_stacker": Published(stacker, spread=0.2, near={"hand": "target"}),
    "dm_dog_walk": Published(dog_walk, spread=0.5, spreads={"touch": 100.0, "speed": 2.0}, shift={"upright": 0.8}),
    "dm_ball_in_cup": Published(ball_in_cup, near={"ball": "cup"}),
    "dm_lqr": Published(lqr),
    "gym_pendulum": Published(gym_pendulum, spread=4.0),
    "gym_mountain_car": Published(mountain_car),
    "gym_inverted_double_pendulum": Published(double_pendulum, shift={"tip": 1.0}),
    "gym_humanoid_standup": Published(humanoid_standup, spreads={"contact_force": 500.0}),
}
