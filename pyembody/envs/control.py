"""From actions to actuator inputs: the model's actuators made to follow the robot's control table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from ..spec.errors import SpecError
from ..spec.robot import Robot

Spec = Any
Array = NDArray[Any]


@dataclass(frozen=True)
class ControlLaw:
    """`control = clip(offset + scale * action, low, high)` in the actuators of the robot's joints.

    `offset`, `scale`, `low`, `high` are [A] float32 (rad or N m); `actuators` [A] are their columns in `ctrl` [N, nu].
    """

    offset: NDArray[np.float32]
    scale: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    actuators: NDArray[np.int64]
    nu: int

    def __call__(self, action: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the actuator inputs [N, nu] of actions [N, A]; actuators of other things are zero."""
        wanted = self.offset + self.scale * action
        np.clip(wanted, self.low, self.high, out=wanted)
        if self.nu == len(self.actuators) and (np.diff(self.actuators) == 1).all():
            return wanted
        control = np.zeros((len(action), self.nu), np.float32)
        control[:, self.actuators] = wanted
        return control


def per_joint(robot: Robot, value: tuple[float, ...] | float) -> NDArray[np.float64]:
    """Return one number per joint [A] from a list or a single number."""
    return np.broadcast_to(np.asarray(value, np.float64), (len(robot.joints),))


def make_actuators(spec: Spec, robot: Robot, place: str) -> None:
    """Replace the actuators of `spec` by those of the control table, in joint order. Kind `motor` keeps the model's.

    The derivative gain of a position law is joint damping: MuJoCo integrates it implicitly, which stays stable at
    large steps. Raises SpecError where a joint has no actuator of its own.
    """
    control = robot.control
    if control.kind == "motor":
        driven = {a.target for a in spec.actuators}
        for joint in robot.joints:
            if joint not in driven:
                raise SpecError(f"{place}: control.kind: joint '{joint}' has no actuator in the model; use 'position'")
        return
    for actuator in list(spec.actuators):
        spec.delete(actuator)
    limits = None if control.torque_limit is None else per_joint(robot, control.torque_limit)
    kp, kd = per_joint(robot, control.kp), per_joint(robot, control.kd)
    for i, name in enumerate(robot.joints):
        actuator = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        actuator.set_to_position(kp=kp[i]) if control.kind == "position" else actuator.set_to_motor()
        if limits is not None:
            actuator.forcelimited = True
            actuator.forcerange = [-limits[i], limits[i]]
        if control.kind == "position":
            spec.joint(name).damping = [kd[i], 0.0, 0.0]


def make_law(model: mujoco.MjModel, robot: Robot) -> ControlLaw:
    """Return the law that turns actions into inputs of the actuators of the compiled `model`."""
    control = robot.control
    joints = [model.joint(name).id for name in robot.joints]
    single = np.isin(model.actuator_trntype, (int(mujoco.mjtTrn.mjTRN_JOINT), int(mujoco.mjtTrn.mjTRN_JOINTINPARENT)))
    columns = [int(np.flatnonzero(single & (model.actuator_trnid[:, 0] == j))[0]) for j in joints]
    rest = robot.default_pose if control.kind == "position" else (0.0,) * len(joints)
    limited = model.actuator_ctrllimited[columns] != 0
    bounds = np.where(limited[:, None], model.actuator_ctrlrange[columns], [-np.inf, np.inf]).astype(np.float32)
    return ControlLaw(
        np.asarray(control.offset or rest, np.float32),
        per_joint(robot, control.action_scale).astype(np.float32),
        bounds[:, 0],
        bounds[:, 1],
        np.asarray(columns, np.int64),
        int(model.nu),
    )
