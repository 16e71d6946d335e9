"""Who computes networks and gradients: the core, or torch. The algorithms are written once against `Engine`."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from pyembody.spec import Train

from .batch import Batch
from .core_engine import CoreEngine
from .networks import ActorCritic
from .torch_engine import TorchEngine


class Engine(Protocol):
    """Evaluates and differentiates the parameters of `networks`, which it shares with everybody else."""

    networks: ActorCritic

    def mean(self, observations: Tensor) -> Tensor:
        """Return the mean action `[B, A]` of normalised observations `[B, O]`."""

    def values(self, observations: Tensor) -> Tensor:
        """Return values in normalised units `[B, C]` of normalised critic observations `[B, Oc]`."""

    def gradients(self, batch: Batch, index: Tensor, config: Train) -> None:
        """Write the gradient of PPO's loss over the rows `index [M]` int64, and its statistics, into the message."""


def make_engine(name: str, networks: ActorCritic, threads: int) -> Engine:
    """Return the engine `core` or `torch`; `auto` is the core, which has every network that a `Train` describes."""
    return TorchEngine(networks) if name == "torch" else CoreEngine(networks, threads)
