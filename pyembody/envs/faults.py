"""Values that were not finite and simulations that diverged: counted by where they came from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program.offender import first_offender
from ..program.rewards import UNTRUSTED, fault_name
from .running import Running


@dataclass(frozen=True)
class Fault:
    """One fault: the term's name, environment, step of its episode, the signals, and which part of which expression."""

    name: str
    env: int
    step: int
    signals: dict[str, Any] = field(default_factory=dict)
    part: str = ""

    @property
    def why(self) -> str:
        """The part as the end of a sentence."""
        return f": {self.part}" if self.part else ""


class Faults(Counter[str]):
    """Counts by name of a term or observation, "memory" for a temporal operation, "diverged" for a simulation.

    `first` holds the first fault of each name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first: dict[str, Fault] = {}

    def record(self, running: Running, steps: NDArray[np.int64]) -> None:
        """Count the rows of the last step that cannot be trusted, and look into the first of each name; `steps` [N] are
        those of the episodes. Raises FloatingPointError for it if the program's guard is `raise`.
        """
        for env in map(int, np.flatnonzero(running.outputs.flags & UNTRUSTED)):
            name = fault_name(running.program, int(running.outputs.bad_term[env]))
            self[name] += 1
            if name not in self.first:
                self.first[name] = _examined(running, name, env, int(steps[env]))
            if running.program.guard == "raise":
                place = f"environment {env}, step {int(steps[env])}"
                raise FloatingPointError(f"{name}: not finite in {place}{self.first[name].why}")


def _examined(running: Running, name: str, env: int, step: int) -> Fault:
    """A fault with which part of which expression it was."""
    row = {k: np.array(v[env : env + 1]) for k, v in running.inputs.items()}
    found = first_offender(running.program, int(running.outputs.bad_term[env]), row, running.params)
    return Fault(name, env, step, {k: v[0].tolist() for k, v in row.items()}, "" if found is None else str(found))
