"""In which range each signal lies, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...spec.robot import Robot
from ...spec.signal import Signal
from ...spec.task import Task
from .interval import INF, MAX, Range, make

Surety = Literal["held", "physical", "assumed"]
ASSUMED = 1e4
NEAR = 1.0
"""What a signal of unknown range is sure to reach: a warning that needs more of it is a note."""


@dataclass(frozen=True)
class Bound:
    """A signal's range: one number for all of its lanes, or one each.

    `held` ranges are enforced by the environment, `physical` ones by the robot's build, `assumed` ones by nobody.
    """

    low: float | tuple[float, ...]
    high: float | tuple[float, ...]
    surety: Surety = "physical"


def signal_bounds(
    signals: Mapping[str, Signal], robot: Robot | None, task: Task, given: Mapping[str, Bound]
) -> dict[str, Bound]:
    """Return the range of every signal: `given` ones, those that robot (if any) and task tell, and assumed ones."""
    known = ({} if robot is None else _told(robot, task)) | dict(given)
    for name, signal in signals.items():
        if signal.kind in ("bool", "quat"):
            known[name] = Bound(0 if signal.kind == "bool" else -1, 1, "held")
    return {name: known.get(name, Bound(-ASSUMED, ASSUMED, "assumed")) for name in signals}


def _told(robot: Robot, task: Task) -> dict[str, Bound]:
    control, limit = robot.control, robot.control.action_limit
    known = {
        "action": Bound(-limit, limit, "held"),
        "clock": Bound(-1, 1, "held"),
        "leg_phase": Bound(0, math.nextafter(1, 0), "held"),
        "foot_force": Bound(0, ASSUMED, "assumed"),
        "foot_radius": Bound(1e-4, 1.0),
    }
    if control.torque_limit is not None and control.kind != "motor":
        torque = control.torque_limit
        most = torque if isinstance(torque, tuple) else (torque,) * len(robot.joints)
        known["joint_torque"] = Bound(tuple(-t for t in most), most, "held")
    if task.command is not None:
        low, high = task.command.low, task.command.high
        known["command"] = Bound(tuple(min(x, 0.0) for x in low), tuple(max(x, 0.0) for x in high), "held")
    return known


def ranges(
    signals: Mapping[str, Signal], bounds: Mapping[str, Bound], assumed: float, physical: float | None = None
) -> dict[str, Range]:
    """Return ranges `[axis, components]`, those assumed cut or grown to ±`assumed`, physical ones to ±`physical`."""
    found = {}
    for name, bound in bounds.items():
        signal = signals[name]
        scalar = signal.kind in ("scalar", "bool") and signal.width == 1
        shape = (signal.count, 1 if scalar else signal.width)
        low, high = (
            np.broadcast_to(np.asarray(x, float), (signal.lanes,)).reshape(shape) for x in (bound.low, bound.high)
        )
        most = assumed if bound.surety == "assumed" else physical if bound.surety == "physical" else None
        if most is not None:
            low, high = (np.where(x == 0, 0, np.sign(x) * most) for x in (low, high))
        found[name] = _outward(low, high, shape)
    return found


def _outward(low: np.ndarray, high: np.ndarray, shape: tuple[int, int]) -> Range:
    """Round end points away from the range, so that float32 holds all of it."""
    a, b = np.clip(low, -MAX, MAX).astype(np.float32), np.clip(high, -MAX, MAX).astype(np.float32)
    a = np.where(a.astype(float) > low, np.nextafter(a, -INF), a)
    b = np.where(b.astype(float) < high, np.nextafter(b, INF), b)
    return make(a, b, False, shape)
