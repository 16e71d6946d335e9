"""Reward channels, and the critics that learn them: one each, or a single one for their weighted sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyembody import _core
from pyembody.spec import SpecError, Task, Train

Array = npt.NDArray[Any]
SUM = "all-channels"
"""Name of the critic of the weighted sum; no channel can have it."""


class Channels:
    """What K critics learn from C channels: `names`, and `gamma`, `lam`, `weights`, `std_floor` `[K]`
    float32, `episodic [K]`.

    `reward_gamma [C]` are the channels' own discounts. Raises SpecError if channels of one critic differ in gamma,
    lam or whether they end with the episode.
    """

    def __init__(self, task: Task, names: Sequence[str], config: Train) -> None:
        channels = [task.channels[name] for name in names]
        self.reward_gamma, lam, weights = (
            np.array([getattr(c, k) for c in channels], np.float32) for k in ("gamma", "lam", "weight")
        )
        self.names, self.gamma, self.lam, self.weights = tuple(names), self.reward_gamma, lam, weights
        self.episodic: Array = np.array([c.episodic for c in channels])
        self._sum: Array | None = None
        if config.critics == "single":
            for key, values in (("gamma", self.gamma), ("lam", lam), ("episodic", self.episodic)):
                if len(set(values.tolist())) > 1:
                    raise SpecError(
                        f"{task.name}: critics 'single': expected one {key} for all channels,"
                        f" got {', '.join(f'{n} {v:g}' for n, v in zip(names, values, strict=True))}"
                    )
            self._sum, self.names, self.episodic = weights, (SUM,), self.episodic[:1]
            self.gamma, self.lam, self.weights = self.gamma[:1], lam[:1], np.ones(1, np.float32)
        self.std_floor = np.full(len(self.names), config.std_floor, np.float32)

    def pay(self, rewards: Array) -> Array:
        """Return the rewards `[T, N, K]` float32 of the critics for those of the channels `[T, N, C]`."""
        if self._sum is None:
            return rewards
        total = np.empty((*rewards.shape[:2], 1), np.float32)
        _core.combine(rewards, self._sum, False, total[..., 0])
        return total
