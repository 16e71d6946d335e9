"""Values that were not finite and simulations that diverged: counted by where they came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray


class Faults(Counter[str]):
    """Counts by name of a term or observation, "memory" for a temporal operation, "diverged" for a simulation.

    `first` holds the first fault of each name: environment, step of its episode, and the signals it was computed from.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first: dict[str, dict[str, Any]] = {}

    def record(self, name: str, env: int, step: int, signals: Mapping[str, NDArray[Any]]) -> None:
        """Count a fault; keep it whole if it is the first of its name."""
        self[name] += 1
        if name not in self.first:
            self.first[name] = {"env": env, "step": step, "signals": {k: v[env].tolist() for k, v in signals.items()}}
