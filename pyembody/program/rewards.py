"""What a reward program returns: the arrays of one step over N environments, or of a log of T steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compiled import CompiledTask
from .describe import describe_rewards
from .operations.base import Flag
from .outputs import KINDS

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
MEMORY = int(Flag.MEMORY)
UNTRUSTED = int(Flag.NON_FINITE) | MEMORY
"""Flags of a row whose terms or memory met a number that is not finite."""


@dataclass(frozen=True, repr=False)
class Rewards:
    """One step of N environments. K terms, C channels, M metrics; names are the program's. In a log all shapes begin
    with [T, N] in place of [N].

    `total` [N] is the sum of `channels` [N, C]; `raw` and `weighted` [N, K] are the terms before and after weight
    and scale, `lines` [N, L] what channels pay besides. `terminated` [N] is true where a termination of the program
    is, and where a term or metric was not finite (it then counts as 0). `terminations` [N, ...] has a column a
    termination; `success` [N]; `metrics` [N, M]; `observations` one array [N, O] a group. `stage` [N] is the number of
    the stage after the step, `events` [N, E] has a column an edge of stages or a machine; `statistics` [N, S] is what
    `normalise` takes in. `flags` [N]: 1 not finite, 2 clipped, 4 not remembered, ...; `bad_term` [N]: the first such
    term, an index of `guard_names`, or -1.
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
    stage: NDArray[np.int32]
    events: Bools
    statistics: Floats
    flags: NDArray[np.uint32]
    bad_term: NDArray[np.int32]

    def __repr__(self) -> str:
        """Return shapes and the mean total, as the arrays may be long."""
        return describe_rewards(self)

    def copy(self) -> Rewards:
        """Return the same in arrays of its own."""
        parts: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        observations = {name: array.copy() for name, array in parts.pop("observations").items()}
        return Rewards(observations=observations, **{name: array.copy() for name, array in parts.items()})


class RewardView:
    """The arrays that a program of any number of rows wrote, seen as its rewards: `groups` `[..., width]` by name,
    `flags` and `bad_term` `[...]`.
    """

    def __init__(
        self,
        program: CompiledTask,
        groups: Mapping[str, NDArray[Any]],
        flags: NDArray[np.uint32],
        bad_term: NDArray[np.int32],
    ) -> None:
        self._program, self._groups = program, groups

        def array(name: str, kind: str = "f4") -> NDArray[Any]:
            return groups.get(name, np.zeros((*flags.shape, 0), KINDS[kind]))

        channels = array("channels")
        self.rewards = Rewards(
            total=channels[..., 0] if channels.shape[-1] == 1 else np.zeros(flags.shape, np.float32),
            channels=channels,
            raw=array("raw"),
            weighted=array("weighted"),
            lines=array("lines"),
            terminated=array("terminated", "u1")[..., 0].view(np.bool_),
            terminations=array("terminations", "u1").view(np.bool_),
            success=array("success", "u1")[..., 0].view(np.bool_),
            metrics=array("metrics"),
            observations={name: groups[name] for name in program.observation_layout},
            stage=np.zeros(flags.shape, np.int32),
            events=array("events", "u1").view(np.bool_),
            statistics=array("statistics"),
            flags=flags,
            bad_term=bad_term,
        )

    def finish(self, offender: Callable[..., object] | None = None) -> Rewards:
        """Add the channels up and treat rows that cannot be trusted as the program says; to be called after a step.

        Raises ValueError if the program's guard is `raise`: it names term and row, and what `offender(*index)` says.
        """
        rewards = self.rewards
        if rewards.channels.shape[-1] > 1:
            np.add.reduce(rewards.channels, axis=-1, out=rewards.total)
        self.show_stage()
        if rewards.flags.any():
            self._guard((rewards.flags & UNTRUSTED) != 0, offender)
        return rewards

    def show_stage(self) -> None:
        """Bring `stage` up to date; to be called after a reset."""
        if "stage" in self._groups:
            np.copyto(self.rewards.stage, self._groups["stage"][..., 0], casting="unsafe")

    def _guard(self, bad: Bools, offender: Callable[..., object] | None) -> None:
        guard = self._program.guard
        if guard == "terminate":
            np.logical_or(self.rewards.terminated, bad, out=self.rewards.terminated)
        elif guard == "raise" and bad.any():
            index = tuple(int(i[0]) for i in np.nonzero(bad))
            place = ", ".join(f"{w} {i}" for w, i in zip(("step", "row")[-len(index) :], index, strict=True))
            found = offender(*index) if offender else None
            name, why = fault_name(self._program, int(self.rewards.bad_term[index])), f": {found}" if found else ""
            raise ValueError(f"{name}: {place}: expected finite numbers, got one that is not{why}")


def fault_name(program: CompiledTask, term: int) -> str:
    """Return what a `bad_term` stands for: a name of `guard_names`, `memory` for -1."""
    return program.guard_names[term] if term >= 0 else "memory"
