"""Intervals for what an evaluation measures: shares, means, percentiles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RESAMPLES = 1000
BLOCK = 1 << 22  # numbers drawn at once by the bootstrap: bounds its memory to a few ten megabytes


@dataclass(frozen=True)
class Rate:
    """A share of `n` trials with its interval [low, high]; `rate` is NaN without trials."""

    rate: float
    low: float
    high: float
    n: int

    def to_json(self) -> dict[str, float | int | None]:
        """Return the numbers by name, None where they are not finite."""
        return {
            "rate": finite(self.rate),
            "low": finite(self.low),
            "high": finite(self.high),
            "n": self.n,
        }


@dataclass(frozen=True)
class Mean:
    """A mean of `n` values with its interval [low, high]; NaN without values."""

    mean: float
    low: float
    high: float
    n: int

    def to_json(self) -> dict[str, float | int | None]:
        """Return the numbers by name, None where they are not finite."""
        return {
            "mean": finite(self.mean),
            "low": finite(self.low),
            "high": finite(self.high),
            "n": self.n,
        }


def finite(value: float) -> float | None:
    """Return `value`, or None for NaN and infinities, which JSON cannot hold."""
    return float(value) if math.isfinite(value) else None


def wilson(successes: int, n: int, confidence: float = 0.95) -> Rate:
    """Return the share of successes with Wilson's score interval (Wilson 1927).

    Unlike the normal approximation it stays inside [0, 1] and is honest at 0 and n successes.
    Raises ValueError if `successes` is not in [0, n] or `confidence` not in (0, 1).
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes: expected a number from 0 to {n}, got {successes}")
    z = NormalDist().inv_cdf(0.5 + _checked(confidence) / 2)
    if n == 0:
        return Rate(math.nan, 0.0, 1.0, 0)

    share = successes / n
    scale = 1 / (1 + z * z / n)
    centre = scale * (share + z * z / (2 * n))
    half = scale * z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Rate(share, low, high, n)


def bootstrap_mean(
    values: npt.ArrayLike, *, confidence: float = 0.95, seed: int = 0, resamples: int = RESAMPLES
) -> Mean:
    """Return the mean of the finite `values` with a percentile bootstrap interval (Efron 1979).

    The same values and seed give the same interval. Raises ValueError if `confidence` is not in (0,
    1).
    """
    x = np.asarray(values, np.float64).ravel()
    x = x[np.isfinite(x)]
    tail = (1 - _checked(confidence)) / 2
    if x.size == 0:
        return Mean(math.nan, math.nan, math.nan, 0)

    rng = np.random.default_rng(seed)
    rows = max(1, BLOCK // x.size)
    means = [
        x[rng.integers(x.size, size=(min(rows, resamples - start), x.size))].mean(axis=1)
        for start in range(0, resamples, rows)
    ]
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return Mean(float(x.mean()), float(low), float(high), int(x.size))


def percentiles(values: npt.ArrayLike, at: tuple[float, ...] = (5, 25, 50, 75, 95)) -> dict[str, float]:
    """Return the percentiles `at` of the finite `values` as {"p50": ...}; NaN without values."""
    x = np.asarray(values, np.float64).ravel()
    x = x[np.isfinite(x)]
    found = np.percentile(x, at) if x.size else np.full(len(at), math.nan)
    return {f"p{p:g}": float(v) for p, v in zip(at, found, strict=True)}


def _checked(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, got {confidence}")
    return confidence
