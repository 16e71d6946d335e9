"""Controls from knots: `u = W theta` with one fixed matrix `W` for each kind of spline."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..spec.errors import unknown

Floats = NDArray[np.float64]
KINDS = ("zero", "linear", "cubic")


def knot_times(knots: int, horizon_s: float) -> Floats:
    """Return the times `[K]` of evenly spread knots over a horizon, in seconds."""
    return np.linspace(0.0, horizon_s, knots)


def basis(kind: str, at: ArrayLike, knots: int, horizon_s: float) -> Floats:
    """Return W `[T, K]`: how much each of `knots` even knots over `[0, horizon_s]` weighs at the times `at` `[T]` in s.

    `zero` holds each knot, `linear` joins them, `cubic` is Hermite's with central-difference slopes. Before the first
    and beyond the last knot their values are held. Raises SpecError for an unknown kind.
    """
    if kind not in KINDS:
        raise unknown("spline", "kind", kind, KINDS)
    if knots < 2:
        raise ValueError(f"knots: expected at least 2, got {knots}")
    position = np.clip(np.asarray(at, np.float64) / horizon_s, 0.0, 1.0) * (knots - 1)
    if kind == "zero":
        return _one_hot(np.floor(position + 1e-9), knots)
    left = np.minimum(np.floor(position), knots - 2)
    s = (position - left)[:, None]
    here, there = _one_hot(left, knots), _one_hot(left + 1, knots)
    if kind == "linear":
        return (1 - s) * here + s * there
    slope = _slopes(knots)
    start, end = left.astype(np.int64), left.astype(np.int64) + 1
    h00, h10 = 2 * s**3 - 3 * s**2 + 1, s**3 - 2 * s**2 + s
    h01, h11 = -2 * s**3 + 3 * s**2, s**3 - s**2
    curve: Floats = h00 * here + h10 * slope[start] + h01 * there + h11 * slope[end]
    return curve


def _one_hot(index: Any, knots: int) -> Floats:
    rows: Floats = np.eye(knots)[index.astype(np.int64)]
    return rows


def _slopes(knots: int) -> Floats:
    """Slopes `[K, K]` per knot interval: central differences, one-sided at the ends."""
    slope = np.zeros((knots, knots))
    for k in range(knots):
        low, high = max(k - 1, 0), min(k + 1, knots - 1)
        slope[k, high] += 1 / (high - low)
        slope[k, low] -= 1 / (high - low)
    return slope
