"""What engines without memory have in common: each row is evaluated by itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from pyembody.spec import Train

from .batch import Batch
from .buffers import Rollout, flat

Array = npt.NDArray[Any]


class Memoryless:
    """What an engine without memory does at the seams of time is nothing."""

    def begin(self) -> None:
        """A horizon begins."""

    def forget(self, ended: Array) -> None:
        """The environments of `ended [N]` bool start new episodes."""


class FeedForward(Memoryless, ABC):
    """Base of PPO's engines without memory."""

    @abstractmethod
    def values(self, observations: Tensor) -> Tensor:
        """Return values in normalised units `[B, C]` of normalised critic observations `[B, Oc]`."""

    def horizon_values(self, rollout: Rollout, finals: Tensor) -> tuple[Tensor, Tensor]:
        """Return values `[T + 1, N, C]`, and `[M, C]` of true successors `finals [M, Oc]`, in normalised units."""
        rows = rollout.critic.normalised
        return self.values(flat(rows)).view(*rows.shape[:2], -1), self.values(finals)

    def minibatches(self, batch: Batch, config: Train, generator: torch.Generator) -> Sequence[Tensor]:
        """Return the rows `[M]` int64 of the minibatches of one shuffled pass over the batch."""
        count = len(batch.observations) if batch.chosen is None else len(batch.chosen)
        order = torch.randperm(count, generator=generator)
        if batch.chosen is not None:
            order = batch.chosen[order]
        return order.tensor_split(config.minibatches)

    def state(self) -> dict[str, Tensor]:
        """Return live memory by name, of this rank's environments."""
        return {}
