"""Measuring several things in turn, so that whatever else the machine does hits all of them
alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

MIN_ROUNDS = 3


def nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Case:
    """A thing to measure: `run` returns how many units of work it did; `prepare` before it is not
    timed. `clock` gives seconds: of the wall, or of this thread where other programs share the cores.
    """

    run: Callable[[], int]
    prepare: Callable[[], None] = nothing
    clock: Callable[[], float] = time.perf_counter

    def sample(self) -> float:
        """Return units per second of one run."""
        self.prepare()
        start = self.clock()
        units = self.run()
        return units / max(self.clock() - start, 1e-9)


def interleave(samplers: Mapping[str, Callable[[], float]], seconds: float) -> dict[str, list[float]]:
    """Return the samples of each sampler.

    One round that does not count warms up; then rounds over all of them, every second one
    backwards, until `seconds`
    are over and at least three rounds are done.
    """
    for sample in samplers.values():
        sample()
    samples: dict[str, list[float]] = {name: [] for name in samplers}
    start, rounds = time.perf_counter(), 0
    while rounds < MIN_ROUNDS or time.perf_counter() - start < seconds:
        order = list(samplers) if rounds % 2 == 0 else list(samplers)[::-1]
        for name in order:
            samples[name].append(samplers[name]())
        rounds += 1
    return samples
