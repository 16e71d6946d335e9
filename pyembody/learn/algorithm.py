"""What the runner and checkpoints need of a learning algorithm; each algorithm is a file that has it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy.typing as npt
import torch

from .adam import Adam
from .collect import Collector
from .distributed import Group
from .normaliser import ObservationNormaliser, ValueNormaliser
from .report import Metrics
from .symmetry import MirrorMap

Array = npt.NDArray[Any]


class Algorithm(Protocol):
    """A learner on the environments of one rank."""

    env: Any
    group: Group
    mirror: MirrorMap | None
    """How what the policy sees is mirrored, None if it sees what is there."""
    critic_names: tuple[str, ...]
    networks: Any
    """Has `parameters()`: every parameter, live, by name."""
    collector: Collector
    normaliser: ObservationNormaliser
    critic_normaliser: ObservationNormaliser
    value_normaliser: ValueNormaliser
    generator: torch.Generator
    optimisers: dict[str, Adam]
    learning_rate: float
    iteration: int
    steps: int
    episode_length: float

    def iterate(self) -> Metrics:
        """Collect, learn, and return the iteration's metrics, equal on all ranks."""

    def shared(self) -> dict[str, Array]:
        """Return live arrays by name that are the same on all ranks, beside networks, optimisers and normalisers."""

    def own(self) -> dict[str, Array]:
        """Return live arrays by name that each rank has for itself, beside the environment and the random stream."""

    def expect(self, state: dict[str, Array]) -> None:
        """Make `own` as large as the arrays of a checkpoint, which are about to be copied there."""
