"""Starting states: the default pose, disturbed within the ranges that a task gives."""

from __future__ import annotations

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from ..spec.task import Reset
from .commands import Rows
from .model import SCENE, BuiltModel


class Starts:
    """Writes starting states into rows of a batch's state."""

    def __init__(self, spec: Reset, built: BuiltModel, batch: Batch) -> None:
        self.spec, self.built = spec, built
        self.qpos, self.qvel = batch.bind("qpos"), batch.bind("qvel")
        self._passive_qpos, self._passive_dof = _passive(built)
        self._scene = [(int(built.model.joint(SCENE + n).qposadr[0]), *ends) for n, ends in spec.scene.items()]

    def write(self, rng: np.random.Generator, rows: Rows) -> None:
        """Draw a new starting state for each of `rows`."""
        spec, built, k = self.spec, self.built, len(rows)
        qpos, qvel = np.tile(built.home_qpos, (k, 1)), np.zeros((k, self.qvel.shape[1]))
        joints = len(built.joint_qpos)
        qpos[:, built.joint_qpos] += spec.joint_pos * _signed(rng, (k, joints))
        qvel[:, built.joint_dof] = spec.joint_vel * _signed(rng, (k, joints))
        passive = (k, len(self._passive_dof))
        qpos[:, self._passive_qpos] += spec.passive_pos * _signed(rng, passive)
        qvel[:, self._passive_dof] = spec.passive_vel * _signed(rng, passive)
        for address, low, high in self._scene:
            qpos[:, address] = rng.uniform(low, high, k)
        if built.base_qpos >= 0:
            self._base(rng, qpos[:, built.base_qpos :][:, :7], qvel[:, built.base_dof :][:, :6])
        self.qpos[rows], self.qvel[rows] = qpos, qvel

    def _base(self, rng: np.random.Generator, pose: NDArray[np.float64], velocity: NDArray[np.float64]) -> None:
        spec, k = self.spec, len(pose)
        terrain = self.built.terrain
        if terrain is not None:
            pose[:, :2] += terrain.starts(rng, k)
            pose[:, 2] += terrain.highest_near(pose[:, 0], pose[:, 1])
        pose[:, 2] += spec.height * _signed(rng, (k,))
        roll, pitch = (spec.tilt * _signed(rng, (2, k))) / 2
        yaw = spec.yaw * _signed(rng, (k,)) / 2
        pose[:, 3:] = _quaternion(roll, pitch, yaw)
        velocity[:, :3] = spec.lin_vel * _signed(rng, (k, 3))
        velocity[:, 3:] = spec.ang_vel * _signed(rng, (k, 3))


def _passive(built: BuiltModel) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Addresses in qpos and qvel of hinges and slides that the robot does not drive."""
    model = built.model
    simple = np.isin(model.jnt_type, (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE))
    own = np.array([not model.joint(j).name.startswith(SCENE) for j in range(model.njnt)], np.bool_)
    passive = simple & own & ~np.isin(model.jnt_qposadr, built.joint_qpos)
    return model.jnt_qposadr[passive].astype(np.int64), model.jnt_dofadr[passive].astype(np.int64)


def _signed(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return rng.uniform(-1.0, 1.0, shape)


def _quaternion(
    roll: NDArray[np.float64], pitch: NDArray[np.float64], yaw: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Quaternions [k, 4] (w, x, y, z) of half angles roll, pitch, yaw in z-y-x order."""
    (cr, sr), (cp, sp), (cy, sy) = ((np.cos(a), np.sin(a)) for a in (roll, pitch, yaw))
    return np.stack(
        [
            cr * cp * cy + sr * sp * sy,
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
        ],
        axis=1,
    )
