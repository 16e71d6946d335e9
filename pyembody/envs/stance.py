"""Finding by simulation the position targets at which a robot stands still in its default pose."""

from __future__ import annotations

from dataclasses import dataclass, replace

import mujoco
import numpy as np
from numpy.typing import NDArray

from ..spec.errors import SpecError
from ..spec.robot import Robot
from ..spec.task import Task
from .control import per_joint
from .model import BuiltModel, build_model

Floats = NDArray[np.float64]

FLAT = Task(name="stance", observations={}, channels={})
STIFFNESS = 40.0  # factor on gains and dampers that holds the pose while the feet find their load
ROUNDS = 6  # the error shrinks by half or more in each
PLAY = 0.02  # m above the ground at which a robot of unknown height starts


@dataclass(frozen=True)
class Stance:
    """How a robot stands at action zero.

    `offset` [A] targets in rad; `base_height` m; `pose_error` the largest joint error in rad, `tilt` in rad;
    `foot_force` [feet] normal forces in N; `weight` N.
    """

    offset: Floats
    base_height: float
    pose_error: float
    tilt: float
    foot_force: Floats
    weight: float


def solve_stance(robot: Robot, seconds: float = 2.0) -> Stance:
    """Return the `control.offset` at which `robot`, position-controlled, stands in its default pose on flat ground.

    The joints are first held by stiff gains, which shows each joint's torque; targets are then shifted by what the
    true gains need for it, and corrected by the remaining error. Left and right are kept alike.
    Raises SpecError for a robot without a floating base or position control, and for one that does not stand.
    """
    if robot.control.kind != "position" or not robot.base:
        raise SpecError(f"{robot.name}: stance: expected position control and a floating base")
    built = build_model(robot, FLAT)
    pose = np.asarray(robot.default_pose, np.float64)
    start = _first_height(built)
    torque, start = _held_torques(built, start, pose, seconds)
    offset = _even(robot, pose + torque / np.maximum(per_joint(robot, robot.control.kp), 1e-9))
    for _ in range(ROUNDS):
        data = _settle(built.model, built, start, offset, seconds)
        offset = _even(robot, offset + 0.5 * (pose - data.qpos[built.joint_qpos]))
    stance = measure_stance(robot, offset, float(start[built.base_qpos + 2]), seconds)
    if stance.pose_error > 0.05 or stance.tilt > 0.1:
        raise SpecError(
            f"{robot.name}: stance: the default pose does not stand: joint error {stance.pose_error:.3f} rad,"
            f" tilt {stance.tilt:.3f} rad; check default_pose, gains and feet"
        )
    return stance


def measure_stance(
    robot: Robot, offset: Floats, height: float, seconds: float = 2.0, *, execution: bool = False
) -> Stance:
    """Return how `robot` stands after `seconds` with targets `offset` [A], started in its default pose at `height` m."""
    built = build_model(robot, FLAT, execution=execution)
    start = built.home_qpos.copy()
    start[built.base_qpos + 2] = height
    data = _settle(built.model, built, start, offset, seconds)
    base = data.qpos[built.base_qpos : built.base_qpos + 7]
    error = np.abs(data.qpos[built.joint_qpos] - np.asarray(robot.default_pose)).max()
    upright = 1 - 2 * (base[4] ** 2 + base[5] ** 2)
    force = built.sources.get("foot_force")
    return Stance(
        offset=offset, base_height=float(base[2]), pose_error=float(error),
        tilt=float(np.arccos(np.clip(upright, -1, 1))),
        foot_force=data.sensordata[list(force.columns)].copy() if force else np.zeros(0),
        weight=float(built.model.body_mass.sum() * -built.model.opt.gravity[2]),
    )


def with_stance(robot: Robot, stance: Stance) -> Robot:
    """Return `robot` with the solved targets and height."""
    control = replace_struct(robot.control, offset=tuple(stance.offset.tolist()))
    return replace_struct(robot, control=control, base_height=stance.base_height)
