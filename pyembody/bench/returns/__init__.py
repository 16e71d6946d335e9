"""The rollouts of `bench returns`, and every peer's own generalised advantage estimation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
GAMMA, LAM = 0.99, 0.95
ENVS = 4096
ENDS = 1 / 500
"""Share of steps that terminate, and of those that truncate an episode."""


@dataclass(frozen=True)
class Case:
    """A random rollout `[T, N, C]`; `ends` are its terminated and truncated steps `[T, N]`."""

    rewards: Floats
    values: Floats
    next_values: Floats
    ends: Bools
    advantages: Floats
    returns: Floats

    @property
    def cells(self) -> int:
        """The number of rewards."""
        return self.rewards.size

    @property
    def read(self) -> tuple[Floats, Floats, Floats, Bools, Bools]:
        """Rewards, values, values of successors, terminated, truncated."""
        return self.rewards, self.values, self.next_values, self.ends[0], self.ends[1]


def draw_case(channels: int, steps: int, envs: int = ENVS) -> Case:
    """Return the rollout of a case."""
    rng = np.random.default_rng(0)
    rewards, values, following = rng.normal(size=(3, steps, envs, channels)).astype(np.float32)
    ends = rng.random((2, steps, envs)) < ENDS
    return Case(rewards, values, following, ends, np.empty_like(rewards), np.empty_like(rewards))
