"""The twelve terms by hand for arrays of any library that has NumPy's names: the formulas of
`legged.toml`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Signals = dict[str, Any]
Term = Callable[[Any, Signals], Any]
"""(library, signals by name) -> [N]. The library is NumPy, or what `torch_names` gives."""


def _planar(x: Any) -> Any:
    return x[:, 0] * x[:, 0] + x[:, 1] * x[:, 1]


def _moving(xp: Any, s: Signals) -> Any:
    return xp.sqrt(_planar(s["command"])) > 0.1


def track_lin_vel(xp: Any, s: Signals) -> Any:
    error = s["command"][:, :2] - s["base_lin_vel"][:, :2]
    return xp.exp(-xp.sum(xp.square(error), 1) / 0.25)


def track_yaw(xp: Any, s: Signals) -> Any:
    return xp.exp(-xp.square(s["command"][:, 2] - s["base_ang_vel"][:, 2]) / 0.25)


def bounce(xp: Any, s: Signals) -> Any:
    return xp.square(s["base_lin_vel"][:, 2])


def rock(xp: Any, s: Signals) -> Any:
    return xp.sum(xp.square(s["base_ang_vel"][:, :2]), 1)


def level(xp: Any, s: Signals) -> Any:
    return xp.sum(xp.square(s["gravity_dir"][:, :2]), 1)


def torque(xp: Any, s: Signals) -> Any:
    return xp.sum(xp.square(s["joint_torque"]), 1)


def acc(xp: Any, s: Signals) -> Any:
    return xp.sum(xp.square((s["joint_vel"] - s["last_joint_vel"]) / s["dt"]), 1)


def smooth(xp: Any, s: Signals) -> Any:
    return xp.sum(xp.square(s["action"] - s["last_action"]), 1)


def limits(xp: Any, s: Signals) -> Any:
    below = xp.clip(s["joint_lower"] - s["joint_pos"], 0.0, None)
    return xp.sum(below + xp.clip(s["joint_pos"] - s["joint_upper"], 0.0, None), 1)


def stand(xp: Any, s: Signals) -> Any:
    error = xp.sum(xp.abs(s["joint_pos"] - s["default_joint_pos"]), 1)
    return error * ~_moving(xp, s)


def air(xp: Any, s: Signals) -> Any:
    touching = s["foot_force"][:, 2::3] > 1.0
    return xp.sum((s["air_time"] - 0.5) * touching, 1) * _moving(xp, s)


def impact(xp: Any, s: Signals) -> Any:
    force = xp.sqrt(xp.sum(xp.square(s["foot_force"].reshape(-1, 4, 3)), 2))
    return xp.sum(xp.clip(force - 100.0, 0.0, None), 1)


TERMS: dict[str, Term] = {
    f.__name__: f
    for f in (track_lin_vel, track_yaw, bounce, rock, level, torque, acc, smooth, limits, stand, air, impact)
}
"""In the order of `legged.toml`."""
