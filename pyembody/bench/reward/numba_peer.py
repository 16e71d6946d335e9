"""Numba: the twelve terms fused by hand into one loop over the rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from . import DEFAULT, DT, LOWER, UPPER, Floats

LOW, HIGH, POSE = (np.array(v, np.float32) for v in (LOWER, UPPER, DEFAULT))
PER_DT = np.float32(1 / DT)


class NumbaTerms:
    """The fused loop; `totals` alone is what relabelling stored rows needs."""

    def __init__(self, rows: Floats, weights: Floats, threads: int) -> None:
        self._rows, self.weights = rows, weights
        self.raw, self.weighted = np.zeros((len(rows), 12), np.float32), np.zeros((len(rows), 12), np.float32)
        self.total = np.zeros(len(rows), np.float32)
        self._loop, self._total_loop = _compile(threads > 1)
        self._threads = threads

    def step(self) -> None:
        """Write raw and weighted terms and their sum."""
        self._limit_threads()
        self._loop(self._rows, self.weights, self.raw, self.weighted, self.total)

    def totals(self) -> None:
        """Write the sum of weighted terms only."""
        self._limit_threads()
        self._total_loop(self._rows, self.weights, self.total)

    def _limit_threads(self) -> None:
        if self._threads > 1:
            import numba

            numba.set_num_threads(self._threads)


@cache
def _terms() -> Callable[..., tuple[Any, ...]]:
    """The twelve terms of one row, to be inlined into a loop."""
    import numba

    def terms(x: Any) -> tuple[Any, ...]:
        ex, ey, ez = x[9] - x[0], x[10] - x[1], x[11] - x[5]
        lin = math.exp(-(ex * ex + ey * ey) * np.float32(4))
        yaw = math.exp(-ez * ez * np.float32(4))
        bounce = x[2] * x[2]
        rock = x[3] * x[3] + x[4] * x[4]
        level = x[6] * x[6] + x[7] * x[7]
        zero = np.float32(0)
        torque = acc = smooth = limits = stand = paid = impact = zero
        for j in range(12):
            a = (x[24 + j] - x[36 + j]) * PER_DT
            s = x[60 + j] - x[72 + j]
            q = x[12 + j]
            torque += x[48 + j] * x[48 + j]
            acc += a * a
            smooth += s * s
            limits += max(LOW[j] - q, zero) + max(q - HIGH[j], zero)
            stand += abs(q - POSE[j])
        for foot in range(4):
            fx, fy, fz = x[84 + 3 * foot], x[85 + 3 * foot], x[86 + 3 * foot]
            if fz > np.float32(1):
                paid += x[96 + foot] - np.float32(0.5)
            impact += max(math.sqrt(fx * fx + fy * fy + fz * fz) - np.float32(100), zero)
        moving = x[9] * x[9] + x[10] * x[10] > np.float32(0.01)
        stand, paid = zero if moving else stand, paid if moving else zero
        return lin, yaw, bounce, rock, level, torque, acc, smooth, limits, stand, paid, impact

    compiled: Callable[..., tuple[Any, ...]] = numba.njit(fastmath=True, inline="always")(terms)
    return compiled


@cache
def _compile(parallel: bool) -> tuple[Callable[..., None], Callable[..., None]]:
    """The loop that writes every term, and the one that writes their weighted sum only."""
    import numba

    each, terms = numba.prange, _terms()
    settings: dict[str, Any] = {"fastmath": True, "parallel": parallel, "nogil": True}

    def loop(rows: Floats, weights: Floats, raw: Floats, weighted: Floats, total: Floats) -> None:
        for n in each(rows.shape[0]):
            t = terms(rows[n])
            value = np.float32(0)
            for k in range(12):
                raw[n, k] = t[k]
                weighted[n, k] = weights[k] * raw[n, k]
                value += weighted[n, k]
            total[n] = value

    def totals(rows: Floats, weights: Floats, total: Floats) -> None:
        for n in each(rows.shape[0]):
            t = terms(rows[n])
            value = np.float32(0)
            for k in range(12):
                value += weights[k] * t[k]
            total[n] = value

    compiled: Callable[..., None] = numba.njit(**settings)(loop)
    total_only: Callable[..., None] = numba.njit(**settings)(totals)
    return compiled, total_only
