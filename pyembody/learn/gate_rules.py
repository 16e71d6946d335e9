"""What the gates of C channels are told, and what they remember of running episodes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyembody import _core

Array = NDArray[Any]
AGGREGATES = ("none", "last", "sum", "max")
OPEN, MET = 1, 2
"""Bits of `GateState.latch`: the running gate has opened; the condition that the channel waits for has held."""


@dataclass(frozen=True)
class GateRules:
    """Gates of C channels.

    `level [C]`, 0 is the highest; `agg [C]`: how a channel is measured, `none` if it gates nobody; `threshold [C]` or
    `[N, C]`, reached by `>=`, or by `>` where `strict`; `mask`: the gate takes negative rewards too; `mean`: the gated
    part is divided by the episode's length; `cap`: the most that the positive part pays an episode; `waits`: the
    channel has a condition of its own.
    """

    level: tuple[int, ...]
    agg: tuple[str, ...]
    threshold: NDArray[np.float32]
    strict: tuple[bool, ...]
    mask: tuple[bool, ...]
    mean: tuple[bool, ...]
    cap: tuple[float, ...]
    waits: tuple[bool, ...]
    scope: str = "episode"
    place: str = "steps"
    pending: str = "hold"

    @property
    def running(self) -> bool:
        """Whether a gate opens in the middle of an episode, for what follows."""
        return self.scope == "running"

    @cached_property
    def gated(self) -> tuple[bool, ...]:
        """Which channels have a gate above them, or a condition of their own."""
        gates = [level for level, agg in zip(self.level, self.agg, strict=True) if agg != "none"]
        highest = min(gates, default=None)
        return tuple(
            waits or (highest is not None and level > highest)
            for level, waits in zip(self.level, self.waits, strict=True)
        )

    @cached_property
    def core(self) -> _core.GateRules:
        """The same for the core."""
        return _core.GateRules(
            np.array(self.level, np.int32),
            np.array([AGGREGATES.index(a) for a in self.agg], np.uint8),
            np.ascontiguousarray(self.threshold, np.float32),
            np.array(self.strict, np.uint8),
            np.array(self.mask, np.uint8),
            np.array(self.mean, np.uint8),
            np.array(self.cap, np.float32),
            np.array(self.waits, np.uint8),
            self.scope,
            self.place,
            self.pending,
        )


class GateState:
    """What gates carry from one buffer to the next, for running episodes of N environments: `[N, C]`, `length [N]`."""

    def __init__(self, rules: GateRules, envs: int) -> None:
        shape = (envs, len(rules.level))
        self.measure = np.zeros(shape)
        self.positive = np.zeros(shape)
        self.held = np.zeros(shape)
        self.latch = np.zeros(shape, np.uint8)
        self.length = np.zeros(envs, np.int32)
        self.forget(rules, slice(None))

    def forget(self, rules: GateRules, n: int | slice) -> None:
        """Begin new episodes in the environments `n`."""
        for array in (self.positive, self.held, self.latch, self.length):
            array[n] = 0
        self.measure[n] = [-np.inf if agg == "max" else 0.0 for agg in rules.agg]

    def arrays(self) -> dict[str, Array]:
        """Return all arrays by name, for the core and for checkpoints."""
        return {
            "measure": self.measure, "positive": self.positive, "held": self.held, "latch": self.latch,
            "length": self.length,
        }
