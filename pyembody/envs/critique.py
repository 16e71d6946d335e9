"""The critic on a robot-task pair, with the signals and ranges that the built model tells."""

from __future__ import annotations

import mujoco
import numpy as np

from ..program import CompiledTask
from ..program.critic import Bound, Finding, Options, check, examine, ordered, signal_bounds
from ..spec.robot import Robot
from ..spec.signal import Signal
from ..spec.task import Task
from .model import build_model
from .provided import provided_signals

JOINT_SLACK = 0.1
"""Soft joint limits give way: their range is taken this share wider."""


def critique(task: Task, robot: Robot, program: CompiledTask | None = None) -> list[Finding]:
    """Return the critic's findings about a task on a robot; nothing is simulated.

    `program` is the task's, compiled over `provided_signals`, if it is at hand. Raises SpecError
    where the robot's files are at fault, not the task's.
    """
    signals, bounds = provided_signals(robot, task), model_bounds(robot, task)
    if program is None:
        return check(task, robot, Options(signals, bounds))
    return ordered(examine(task, program, signal_bounds(signals, robot, task, bounds)))


def model_bounds(robot: Robot, task: Task) -> dict[str, Bound]:
    """Return the ranges of signals that the model limits: joint positions, and sensors with a cutoff."""
    built = build_model(robot, task)
    found: dict[str, Bound] = {}
    for name, signal in (robot.signal_table() | {s.name: s for s in task.signals}).items():
        source = built.sources.get(name)
        if source is None or source.values or not source.columns:
            continue
        if source.field == "qpos":
            limits = _joint_limits(built.model, source.columns)
        elif source.field == "sensordata":
            limits = _cutoffs(built.model, source.columns, signal)
        else:
            limits = None
        if limits is not None:
            found[name] = Bound(tuple(limits[0].tolist()), tuple(limits[1].tolist()))
    return found


def _joint_limits(model: mujoco.MjModel, columns: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """The widened limits of hinges and slides, None if one of the columns has none."""
    joints = [int(np.flatnonzero(model.jnt_qposadr <= c)[-1]) for c in columns]
    single = (int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE))
    if not (model.jnt_limited[joints].all() and np.isin(model.jnt_type[joints], single).all()):
        return None
    low, high = model.jnt_range[joints].T
    slack = JOINT_SLACK * (high - low)
    return low - slack, high + slack


def _cutoffs(model: mujoco.MjModel, columns: tuple[int, ...], signal: Signal) -> tuple[np.ndarray, np.ndarray] | None:
    """The cutoffs of sensors, None without one."""
    sensors = [int(np.flatnonzero(model.sensor_adr <= c)[-1]) for c in columns]
    most = model.sensor_cutoff[sensors]
    if not (most > 0).all():
        return None
    return (np.zeros_like(most) if signal.name == "foot_force" else -most), most
