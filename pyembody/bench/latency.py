"""How long single calls last, in quantiles over many of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

from .timing import MIN_ROUNDS

QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
CALLS = 5000
"""Of one block: five of them are beyond the highest quantile."""

Calls = Mapping[str, Callable[[], object]]


def latencies(calls: Calls, seconds: float) -> dict[str, dict[str, list[float]]]:
    """Return quantile -> name -> calls per second at that quantile, one sample a block of calls.

    Blocks take turns as those of `interleave` do.
    """
    for call in calls.values():
        _block(call)
    samples: dict[str, dict[str, list[float]]] = {q: {name: [] for name in calls} for q in QUANTILES}
    start, rounds = time.perf_counter(), 0
    while rounds < MIN_ROUNDS or time.perf_counter() - start < seconds:
        for name in list(calls) if rounds % 2 == 0 else list(calls)[::-1]:
            found = np.quantile(_block(calls[name]), list(QUANTILES.values()))
            for quantile, lasted in zip(QUANTILES, found, strict=True):
                samples[quantile][name].append(1e9 / float(lasted))
        rounds += 1
    return samples


def _block(call: Callable[[], object]) -> list[int]:
    """Nanoseconds of each of a block's calls, the clock's own included."""
    clock = time.perf_counter_ns
    lasted = []
    for _ in range(CALLS):
        start = clock()
        call()
        lasted.append(clock() - start)
    return lasted
