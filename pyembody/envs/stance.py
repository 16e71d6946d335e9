"""Finding by simulation the position targets at which a robot stands still in its default pose."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import mujoco
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from ..spec.errors import SpecError
from ..spec.robot import Robot
from ..spec.task import Task
from .control import per_joint
from .model import BuiltModel, build_model

Floats = NDArray[np.float64]

FLAT = Task(name="stance", observations={}, channels={})
STIFFNESS = (40.0, 8.0, 2.0)  # factors on gains and dampers that hold the pose while the feet find their load; a light
# robot does not bear the first
ROUNDS = 6  # each halves the error, down to what friction between feet and ground can hold
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

    @property
    def stands(self) -> bool:
        """Whether the robot is upright and in its pose."""
        return self.pose_error <= 0.05 and self.tilt <= 0.1


def solve_stance(robot: Robot, seconds: float = 2.0) -> Stance:
    """Return the `control.offset` at which `robot`, position-controlled, stands in its default pose on flat ground.

    The joints are first held by stiff gains, which shows each joint's torque; targets are then shifted by what the
    true gains need for it, and corrected by the remaining error. Left and right are kept alike.
    Raises SpecError for a robot without a floating base or position control, and for one that does not stand.
    """
    if robot.control.kind != "position" or not robot.base:
        raise SpecError(f"{robot.name}: stance: expected position control and a floating base")
    built = build_model(robot, FLAT)
    for stiffness in STIFFNESS:
        stance = _solve(robot, built, stiffness, seconds)
        if stance.stands:
            return stance
    raise SpecError(
        f"{robot.name}: stance: the default pose does not stand: joint error {stance.pose_error:.3f} rad,"
        f" tilt {stance.tilt:.3f} rad; check default_pose, gains and feet"
    )


def _solve(robot: Robot, built: BuiltModel, stiffness: float, seconds: float) -> Stance:
    pose = np.asarray(robot.default_pose, np.float64)
    torque, start = _held_torques(built, _first_height(built), pose, stiffness, seconds)
    offset = _even(robot, pose + torque / np.maximum(per_joint(robot, robot.control.kp), 1e-9))
    for _ in range(ROUNDS):
        data = _settle(built.model, built, start, offset, seconds)
        offset = _even(robot, offset + 0.5 * (pose - data.qpos[built.joint_qpos]))
    return measure_stance(robot, offset, float(start[built.base_qpos + 2]), seconds)


def measure_stance(
    robot: Robot, offset: Floats, height: float, seconds: float = 2.0, *, execution: bool = False
) -> Stance:
    """Return how `robot` stands after `seconds` at targets `offset` [A], started in its default pose at `height` m."""
    built = build_model(robot, FLAT, execution=execution)
    start = built.home_qpos.copy()
    start[built.base_qpos + 2] = height
    data = _settle(built.model, built, start, offset, seconds)
    base = data.qpos[built.base_qpos : built.base_qpos + 7]
    error = np.abs(data.qpos[built.joint_qpos] - np.asarray(robot.default_pose)).max()
    upright = 1 - 2 * (base[4] ** 2 + base[5] ** 2)
    force = built.sources.get("foot_force")
    return Stance(
        offset=offset,
        base_height=float(base[2]),
        pose_error=float(error),
        tilt=float(np.arccos(np.clip(upright, -1, 1))),
        foot_force=data.sensordata[list(force.columns)].copy() if force else np.zeros(0),
        weight=float(built.model.body_mass.sum() * -built.model.opt.gravity[2]),
    )


def with_stance(robot: Robot, stance: Stance) -> Robot:
    """Return `robot` with the solved targets and height."""
    control = replace(robot.control, offset=tuple(stance.offset.tolist()))
    return replace(robot, control=control, base_height=stance.base_height)


def _held_torques(
    built: BuiltModel, start: Floats, pose: Floats, stiffness: float, seconds: float
) -> tuple[Floats, Floats]:
    """Torques [A] that hold `pose`, and the state [nq] in which the robot then stands."""
    stiff = _stiffened(built, stiffness)
    target, start = pose.copy(), start.copy()
    for _ in range(ROUNDS):
        data = _settle(stiff, built, start, target, seconds)
        start[built.base_qpos + 2] = data.qpos[built.base_qpos + 2]
        target += pose - data.qpos[built.joint_qpos]
    torque: Floats = data.qfrc_actuator[built.joint_dof].copy()
    return torque, start


def _stiffened(built: BuiltModel, stiffness: float) -> mujoco.MjModel:
    model = copy.copy(built.model)
    model.actuator_gainprm[:, 0] *= stiffness
    model.actuator_biasprm[:, 1] *= stiffness
    model.dof_damping[built.joint_dof] *= stiffness
    return model


def _settle(model: mujoco.MjModel, built: BuiltModel, start: Floats, target: Floats, seconds: float) -> mujoco.MjData:
    data = mujoco.MjData(model)
    data.qpos[:] = start
    data.ctrl[built.control.actuators] = target
    for _ in range(round(seconds / model.opt.timestep)):
        mujoco.mj_step(model, data)
    return data


def _first_height(built: BuiltModel) -> Floats:
    """The default pose [nq] with the lowest colliding shape just above the ground."""
    model, data = built.model, mujoco.MjData(built.model)
    data.qpos[:] = built.home_qpos
    mujoco.mj_kinematics(model, data)
    if built.foot_geoms:
        geoms = np.array(built.foot_geoms)
    else:
        moves = model.body_weldid[model.geom_bodyid] != 0
        geoms = np.flatnonzero(moves & ((model.geom_contype | model.geom_conaffinity) != 0))
    lowest = float((data.geom_xpos[geoms, 2] - model.geom_rbound[geoms]).min()) if len(geoms) else 0.0
    start = built.home_qpos.copy()
    start[built.base_qpos + 2] += PLAY - lowest
    return start


def _even(robot: Robot, offset: Floats) -> Floats:
    """The mean of `offset` and its mirror image: left and right legs get the same targets."""
    if robot.mirror is None:
        return offset
    partner = [robot.joints.index(name) for name in robot.mirror.joints]
    mirrored = offset[partner] * np.asarray(robot.mirror.signs)
    even: Floats = (offset + mirrored) / 2
    return even
