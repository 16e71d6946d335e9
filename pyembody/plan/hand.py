"""A hand's movements in space as movements of joints: what candidates differ by, and some that are always tried."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

import mujoco
import numpy as np
from numpy.typing import NDArray

from ..envs.model import BuiltModel
from ..spec.errors import unknown
from ..spec.robot import Robot
from ..spec.vocabulary import Hand
from .behaviour import Edits

Floats = NDArray[np.float64]
DAMPING, STEP, ITERATIONS = 1e-3, 0.3, 12
LOW = 0.05  # m: open fingers of a hand lower than that stand on the table
TURN, AMBIGUOUS, SMALL = 1.0, 2.2, 1e-6
DOWN = np.array([0.0, 0.0, -1.0])


class HandMoves:
    """The hand of a robot on its planning model. Raises SpecError for a site that is not there."""

    def __init__(self, hand: Hand, built: BuiltModel, robot: Robot, ranges: Floats, synergies: Floats) -> None:
        model = built.model
        names = [model.site(i).name for i in range(model.nsite)]
        if hand.site not in names:
            raise unknown("hand", "site", hand.site, names)
        self.hand, self.model, self.ranges, self.synergies = hand, model, ranges, synergies
        self.site = model.site(hand.site).id
        self.arm = np.array([fnmatchcase(joint, hand.joints) for joint in robot.joints])
        self.qpos, self.dof = built.joint_qpos, built.joint_dof[self.arm]
        self.shapes = {name: self._shape(robot, angles) for name, angles in hand.shapes.items()}
        self.data = mujoco.MjData(model)

    def _shape(self, robot: Robot, angles: Mapping[str, float]) -> Floats:
        shape = np.full(len(robot.joints), np.nan)
        for pattern, angle in angles.items():
            shape[[fnmatchcase(joint, pattern) for joint in robot.joints]] = angle
        return shape

    def see(self, qpos: Floats) -> None:
        """Take in where everything is."""
        self.data.qpos[:] = qpos
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)

    def moves(self) -> Floats:
        """Return movements `[6 + S, A]` from here: the site along and about x, y, z, then the hand's own."""
        space = np.zeros((6, len(self.arm)))
        scale = np.repeat([self.hand.metres, self.hand.radians], 3)
        space[:, self.arm] = scale[:, None] * self._inverse().T
        return np.concatenate([space, self.synergies])

    def tries(self, knots: Floats, spacing: float, edits: Edits) -> Floats:
        """Return knots `[P, K, A]` worth trying beside noise, from what edits name: to a thing and above it, up with
        it, over to another, turned; the hand open or closed.
        """
        here, turn = self.data.site_xpos[self.site].copy(), self.data.site_xmat[self.site].reshape(3, 3).copy()
        goals = [(knots[0], "open"), (knots[0], "closed")]
        for place, rotation, shape in self._goals(here, turn, edits):
            goals.append((self.reach(place, rotation), shape))
        return np.array([self._way(knots, goal, shape, spacing) for goal, shape in goals])

    def _goals(self, here: Floats, turn: Floats, edits: Edits) -> list[tuple[Floats, Floats, str]]:
        level = _bring(turn[:, 2], DOWN) @ turn
        up = np.array([0.0, 0.0, self.hand.above])
        goals: list[tuple[Floats, Floats, str]] = []
        for address in sorted(edits):
            name, _, rest = address.partition(".")
            a, _, b = rest.rpartition(".")[0].partition("-")
            if name == "over" and address.endswith(".z"):
                at = self._place(b) + np.array([0.0, 0.0, edits[address] or 0.0])
                goals.append((at, level, "open") if a == "palm" else (here + at - self._place(a), turn, "closed"))
            elif name == "height":
                goals.append((here + up, turn, "closed"))
            elif name == "orientation":
                goals += [(here + up / 2, r @ turn, "closed") for r in self._turns(a, float(edits[address] or 0.0))]
            elif name == "distance" and a == "palm" and address.endswith(".d"):
                at = self._place(b)
                at[2] = max(at[2], LOW)
                goals += [(at, level, "open"), (at, level, "closed"), (at + up / 4, level, "open")]
            elif name == "distance" and b and address.endswith(".d"):
                held, goal = (b, a) if f"distance.palm-{b}.d" in edits else (a, b)
                way = self._place(goal) - self._place(held)
                goals += [(here + way + up / 2, turn, "closed"), (here + up / 2, turn, "closed")]
        return goals

    def _turns(self, thing: str, angle: float) -> list[Floats]:
        """Rotations `[3, 3]` that bring a thing's axis nearer to what is asked for; over the arm's own line too, where
        any way round is as short.
        """
        now = self.data.body(thing).xmat.reshape(3, 3)[:, 2]
        wanted = np.array([0.0, -np.sin(angle), np.cos(angle)])
        axis = np.cross(now, wanted)
        left = float(np.arctan2(np.linalg.norm(axis), now @ wanted))
        outward = self.data.site_xpos[self.site] * [1.0, 1.0, 0.0]
        axes = [axis] if left < AMBIGUOUS else [axis, outward, -outward]
        return [_about(a, min(left, TURN)) for a in axes if np.linalg.norm(a) > SMALL]

    def _place(self, name: str) -> Floats:
        """Where a body or site is, else where the hand is."""
        for kind in (mujoco.mjtObj.mjOBJ_SITE, mujoco.mjtObj.mjOBJ_BODY):
            found = mujoco.mj_name2id(self.model, kind, name)
            if found >= 0:
                where = self.data.site_xpos if kind == mujoco.mjtObj.mjOBJ_SITE else self.data.xpos
                return np.array(where[found])
        return np.array(self.data.site_xpos[self.site])

    def _inverse(self) -> Floats:
        """Joint movements `[arm joints, 6]` for each of the site's, damped least squares (Wampler 1986)."""
        jacobian = np.zeros((6, self.model.nv))
        mujoco.mj_jacSite(self.model, self.data, jacobian[:3], jacobian[3:], self.site)
        part = jacobian[:, self.dof]
        inverse: Floats = part.T @ np.linalg.inv(part @ part.T + DAMPING * np.eye(6))
        return inverse

    def reach(self, place: Floats, rotation: Floats) -> Floats:
        """Return joint angles `[A]` that bring the site to a place `[3]` and a rotation `[3, 3]`, or near them, as
        the steps are few.
        """
        before = self.data.qpos.copy()
        arm = self.qpos[self.arm]
        for _ in range(ITERATIONS):
            miss = place - self.data.site_xpos[self.site]
            turned = rotation @ self.data.site_xmat[self.site].reshape(3, 3).T
            error = np.concatenate([miss, _rotation_vector(turned)])
            step = np.clip(self._inverse() @ error, -STEP, STEP)
            self.data.qpos[arm] = np.clip(self.data.qpos[arm] + step, *self.ranges[self.arm].T)
            mujoco.mj_kinematics(self.model, self.data)
            mujoco.mj_comPos(self.model, self.data)
        found = np.array(self.data.qpos[self.qpos])
        self.see(before)
        return found

    def _way(self, knots: Floats, goal: Floats, shape: str, spacing: float) -> Floats:
        """Knots `[K, A]` from the plan's first one to a goal, no faster than the arm's speed; the hand at once."""
        first = knots[0]
        need = np.abs(goal - first)[self.arm].max() / self.hand.speed
        part = np.minimum(np.arange(len(knots)) * spacing / max(need, spacing), 1.0)[:, None]
        way = first + part * np.where(self.arm, goal - first, 0.0)
        hand = self.shapes[shape]
        return np.where(np.isnan(hand), way, hand)


def _about(axis: Floats, angle: float) -> Floats:
    """The rotation `[3, 3]` by an angle about an axis of any length."""
    quat, rotation = np.zeros(4), np.zeros(9)
    mujoco.mju_axisAngle2Quat(quat, axis / np.linalg.norm(axis), angle)
    mujoco.mju_quat2Mat(rotation, quat)
    return rotation.reshape(3, 3)


def _bring(a: Floats, b: Floats) -> Floats:
    """The least rotation `[3, 3]` that brings unit vector `a` to `b`."""
    axis = np.cross(a, b)
    size = float(np.linalg.norm(axis))
    if size < SMALL:
        return np.eye(3)
    return _about(axis, float(np.arctan2(size, a @ b)))


def _rotation_vector(rotation: Floats) -> Floats:
    quat, vector = np.zeros(4), np.zeros(3)
    mujoco.mju_mat2Quat(quat, rotation.ravel())
    mujoco.mju_quat2Vel(vector, quat, 1.0)
    return vector
