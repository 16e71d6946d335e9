"""What a reward program returns: the arrays of one step over N environments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compiled import CompiledTask
from .operations.base import Flag

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
MEMORY = int(Flag.MEMORY)
UNTRUSTED = int(Flag.NON_FINITE) | MEMORY
"""Flags of a row whose terms or memory met a number that is not finite."""


@dataclass(frozen=True)
class Rewards:
    """One step of N environments. K terms, C channels, M metrics; names are the program's.

    `total` [N] is the sum of `channels` [N, C]; `raw` and `weighted` [N, K] are the terms before and after weight
    and scale, `lines` [N, L] what channels pay besides. `terminated` [N] is true where a termination of the program
    is, and where a term or metric was not finite (it then counts as 0). `terminations` [N, ...] has a column a
    termination; `success` [N]; `metrics` [N, M]; `observations` one array [N, O] a group. `stage` [N] and `events`
    [N, ...] are those of stages or a machine; `statistics` [N, S] is what `normalise` takes in. `flags` [N]: 1 not
    finite, 2 clipped, 4 not remembered, ...; `bad_term` [N]: the first such term, an index of `guard_names`, or -1.
    """

    total: Floats
    channels: Floats
    raw: Floats
    weighted: Floats
    lines: Floats
    terminated: Bools
    terminations: Bools
    success: Bools
    metrics: Floats
    observations: Mapping[str, Floats]
    stage: NDArray[np.uint8]
    events: Bools
    statistics: Floats
    flags: NDArray[np.uint32]
    bad_term: NDArray[np.int32]

    def copy(self) -> Rewards:
        """Return the same in arrays of its own."""
        parts: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        observations = {name: array.copy() for name, array in parts.pop("observations").items()}
        return Rewards(observations=observations, **{name: array.copy() for name, array in parts.items()})


class Outputs:
    """The arrays that a program of `n` rows writes, and the rewards that they are seen as."""

    def __init__(self, program: CompiledTask, n: int) -> None:
        kinds = {"f4": np.float32, "u1": np.uint8}
        groups: dict[str, NDArray[Any]] = {
            name: np.zeros((n, group.width), kinds[group.dtype]) for name, group in program.groups.items()
        }
        self.arrays = list(groups.values())
        self.flags, self.bad_term = np.zeros(n, np.uint32), np.full(n, -1, np.int32)
        self._program = program
        self.rewards = self._seen(groups, n)

    def _seen(self, groups: Mapping[str, NDArray[Any]], n: int) -> Rewards:
        def numbers(name: str) -> Floats:
            return groups.get(name, np.zeros((n, 0), np.float32))

        def truths(name: str) -> Bools:
            return groups.get(name, np.zeros((n, 0), np.uint8)).view(np.bool_)

        channels = groups["channels"]
        return Rewards(
            total=channels[:, 0] if channels.shape[1] == 1 else np.zeros(n, np.float32),
            channels=channels,
            raw=numbers("raw"),
            weighted=numbers("weighted"),
            lines=numbers("lines"),
            terminated=truths("terminated")[:, 0],
            terminations=truths("terminations"),
            success=truths("success")[:, 0],
            metrics=numbers("metrics"),
            observations={name: groups[name] for name in self._program.observation_layout},
            stage=groups["stage"][:, 0] if "stage" in groups else np.zeros(n, np.uint8),
            events=truths("events"),
            statistics=numbers("statistics"),
            flags=self.flags,
            bad_term=self.bad_term,
        )

    def finish(self) -> Rewards:
        """Add the channels up and treat rows that cannot be trusted as the program says; to be called after a step.

        Raises ValueError naming term and row if the program's guard is `raise`.
        """
        rewards = self.rewards
        if rewards.channels.shape[1] > 1:
            np.add.reduce(rewards.channels, axis=1, out=rewards.total)
        if self.flags.any():
            self._guard((self.flags & UNTRUSTED) != 0)
        return rewards

    def _guard(self, bad: Bools) -> None:
        guard = self._program.guard
        if guard == "terminate":
            np.logical_or(self.rewards.terminated, bad, out=self.rewards.terminated)
        elif guard == "raise" and bad.any():
            row = int(np.flatnonzero(bad)[0])
            term = int(self.bad_term[row])
            name = self._program.guard_names[term] if term >= 0 else "memory"
            raise ValueError(f"{name}: row {row}: expected finite numbers, got one that is not")
