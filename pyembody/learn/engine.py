"""Who computes networks and gradients: the core, or torch. The algorithms are written once against `Engine`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy.typing as npt
import torch
from torch import Tensor

from pyembody.spec import Learning, SpecError, Train

from .batch import Batch
from .buffers import Rollout
from .core_engine import CoreEngine
from .networks import ActorCritic
from .recurrent_engine import RecurrentEngine
from .torch_engine import TorchEngine


class Engine(Protocol):
    """Evaluates and differentiates the parameters of `networks`, which it shares with everybody else."""

    networks: ActorCritic

    def begin(self) -> None:
        """A horizon begins: what is remembered of the steps before is where its gradient starts."""

    def mean(self, observations: Tensor) -> Tensor:
        """Return the mean action `[N, A]` of the next normalised observations `[N, O]` of all environments."""

    def forget(self, ended: npt.NDArray[Any]) -> None:
        """The environments of `ended [N]` bool start new episodes."""

    def horizon_values(self, rollout: Rollout, finals: Tensor) -> tuple[Tensor, Tensor]:
        """Return values `[T + 1, N, C]`, and `[M, C]` of true successors `finals [M, Oc]`, in normalised units."""

    def minibatches(self, batch: Batch, config: Train, generator: torch.Generator) -> Sequence[Tensor]:
        """Return the rows `[M]` int64 of the minibatches of one shuffled pass over the batch."""

    def gradients(self, batch: Batch, index: Tensor, config: Train) -> None:
        """Write the gradient of PPO's loss over the rows `index [M]` int64, and its statistics, into the message."""

    def state(self) -> dict[str, Tensor]:
        """Return live memory by name, of this rank's environments; part of a checkpoint."""


def needs_torch(config: Train) -> str:
    """Return the setting that the core's engine does not have, as `name = value`; empty if it has them all."""
    if config.memory:
        return f"memory = {config.memory}"
    return "symmetry = 'loss'" if config.symmetry == "loss" else ""


def engine_of(config: Learning) -> str:
    """Return who computes the networks of a run with these settings: `core` or `torch`."""
    only_torch = isinstance(config, Train) and needs_torch(config)
    return "torch" if config.engine == "torch" or only_torch else "core"


def make_engine(config: Train, networks: ActorCritic, threads: int, envs: int) -> Engine:
    """Return the engine of the settings; `auto` is the core wherever it has what is asked for.

    Raises SpecError if `core` is asked for what only torch has.
    """
    missing = needs_torch(config)
    if config.engine == "core" and missing:
        raise SpecError(f"engine: 'core' does not have {missing}: expected engine 'torch' or 'auto'")
    if config.memory:
        return RecurrentEngine(networks, config.horizon, envs)
    return TorchEngine(networks) if engine_of(config) == "torch" else CoreEngine(networks, threads)
