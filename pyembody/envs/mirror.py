"""The left-right mirror of observations and actions: signed permutations of their columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..program import CompiledTask
from ..spec.errors import SpecError, nearest
from ..spec.robot import Robot
from ..spec.task import Task

Index = NDArray[np.int64]
Sign = NDArray[np.float32]


@dataclass(frozen=True)
class MirrorMap:
    """`mirrored x = x[..., index] * sign` for observations, critic observations and actions.

    `flag(obs)` [N] says which rows a canonical policy sees mirrored: those whose clock observation is negative.
    """

    obs_index: Index
    obs_sign: Sign
    critic_index: Index
    critic_sign: Sign
    action_index: Index
    action_sign: Sign
    clock: int

    def flag(self, obs: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which rows of observations [N, O] are in the half of the gait cycle that is mirrored."""
        half: NDArray[np.bool_] = obs[..., self.clock] < 0
        return half


def mirror_map(task: Task, robot: Robot, program: CompiledTask) -> MirrorMap | None:
    """Return the mirror of a task with symmetry, or None. Raises SpecError where something has no known mirror."""
    if task.symmetry is None:
        return None
    if robot.mirror is None:
        raise SpecError(f"{task.name}: symmetry: robot {robot.name} declares no [mirror]")
    blocks = {b.name: b for b in program.observation_layout["policy"]}
    name = task.symmetry.clock
    if name not in blocks:
        raise SpecError(f"{task.name}: symmetry.clock: no policy observation '{name}'{nearest(name, blocks)}")
    obs = _repeat(*program.mirror("policy"), task.history)
    critic = program.mirror("critic") if "critic" in program.observation_layout else obs
    index = np.array([robot.joints.index(j) for j in robot.mirror.joints], np.int64)
    return MirrorMap(*obs, *critic, index, np.array(robot.mirror.signs, np.float32), blocks[name].start)


def _repeat(index: Index, sign: Sign, history: int) -> tuple[Index, Sign]:
    """The same mirror for every frame of a history."""
    width = len(index)
    frames = [index + width * k for k in range(history)]
    return np.concatenate(frames), np.tile(sign, history)
