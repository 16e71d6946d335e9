"""Means over seeds with their intervals."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ..analysis.statistics import bootstrap_mean


class Interval(msgspec.Struct, frozen=True):
    """A mean over `n` seeds with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float
    n: int


def interval(values: Iterable[float]) -> Interval:
    """Return the mean of the values, one for each seed, with its interval."""
    found = bootstrap_mean(list(values))
    return Interval(found.mean, found.low, found.high, found.n)
