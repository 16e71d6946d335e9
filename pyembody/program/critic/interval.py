"""Intervals of float32 numbers: where a value can lie, and whether it can be NaN.

IEEE's + - * / and sqrt are monotone in each argument under rounding, so end points computed in float32 bound what the
core computes in float32 exactly; only curves, which the core may round differently, are widened by a few units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
ULPS = 4
MAX = np.float32(3.4028234663852886e38)
TINY = np.nextafter(np.float32(0), np.float32(1))
INF = np.float32(np.inf)


@dataclass(frozen=True, eq=False)
class Range:
    """Every number of a value `[axis, components]` is NaN where `nan`, or in [lo, hi]; truth values are 0 and 1."""

    lo: Array
    hi: Array
    nan: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Axis elements and components."""
        return self.lo.shape

    @property
    def may_nan(self) -> bool:
        """True if any number may be NaN."""
        return bool(self.nan.any())

    @property
    def may_inf(self) -> bool:
        """True if any number may be infinite."""
        return bool(self.infinite.any())

    @property
    def may_zero(self) -> bool:
        """True if any number may be 0."""
        return bool(self.zero.any())

    @property
    def infinite(self) -> Array:
        """Which numbers may be infinite."""
        return np.isinf(self.lo) | np.isinf(self.hi)

    @property
    def zero(self) -> Array:
        """Which numbers may be 0."""
        return (self.lo <= 0) & (self.hi >= 0)

    @property
    def low(self) -> float:
        """The least end point."""
        return float(self.lo.min())

    @property
    def high(self) -> float:
        """The greatest end point."""
        return float(self.hi.max())

    def pick(self, lanes: tuple[int, ...], shape: tuple[int, int]) -> Range:
        """Return chosen numbers in a new shape."""
        index = list(lanes)
        return Range(*(x.reshape(-1)[index].reshape(shape) for x in (self.lo, self.hi, self.nan)))

    def spread(self, shape: tuple[int, ...]) -> Range:
        """Return this range repeated to a shape."""
        if self.shape == shape:
            return self
        return Range(*(np.broadcast_to(x, shape) for x in (self.lo, self.hi, self.nan)))

    def fold(self, function: Callable[[Array], Array]) -> Range:
        """Return this range with end points and flags turned by a function that only moves numbers."""
        return Range(function(self.lo), function(self.hi), function(self.nan))


def make(lo: Any, hi: Any, nan: Any = False, shape: tuple[int, ...] | None = None) -> Range:
    """Return a range of end points in float32; an end point that is not a number means no bound."""
    low, high, flag = np.asarray(lo, np.float32), np.asarray(hi, np.float32), np.asarray(nan, bool)
    if np.isnan(low).any():
        low = np.where(np.isnan(low), -INF, low)
    if np.isnan(high).any():
        high = np.where(np.isnan(high), INF, high)
    whole = np.broadcast_shapes(low.shape, high.shape, flag.shape) if shape is None else shape
    return Range(*(x if x.shape == whole else np.broadcast_to(x, whole) for x in (low, high, flag)))


def top(shape: tuple[int, ...], boolean: bool = False) -> Range:
    """Return the range that excludes nothing."""
    return make(0, 1, False, shape) if boolean else make(-INF, INF, True, shape)


def point(values: Any) -> Range:
    """Return the range of known numbers."""
    x = np.asarray(values, np.float32)
    return make(x, x, np.isnan(x))


def widen(r: Range, ulps: int = ULPS) -> Range:
    """Return a range widened by units in the last place; 0 and infinities stay."""
    low, high = r.lo, r.hi
    for _ in range(ulps):
        low = np.where((low == 0) | np.isinf(low), low, np.nextafter(low, -INF))
        high = np.where((high == 0) | np.isinf(high), high, np.nextafter(high, INF))
    return Range(low, high, r.nan)


def clamp(r: Range, low: Any, high: Any) -> Range:
    """Return a range cut to [low, high], where its numbers are known to lie."""
    a, b = np.float32(low), np.float32(high)
    return Range(np.clip(r.lo, a, b), np.clip(r.hi, a, b), r.nan)


def hull(*ranges: Range) -> Range:
    """Return the smallest range that holds all of several."""
    low, high, nan = ranges[0].lo, ranges[0].hi, ranges[0].nan
    for r in ranges[1:]:
        low, high, nan = np.minimum(low, r.lo), np.maximum(high, r.hi), nan | r.nan
    return make(low, high, nan)


def meet(r: Range, fact: Range) -> Range:
    """Return what is left of a range when `fact` holds too; a fact that cannot hold leaves one end point."""
    low, high = np.maximum(r.lo, fact.lo), np.minimum(r.hi, fact.hi)
    return make(np.minimum(low, high), high, r.nan & fact.nan)


def _quiet(function: Callable[..., Range]) -> Callable[..., Range]:
    def run(*args: Any) -> Range:
        with np.errstate(all="ignore"):
            return function(*args)

    return run


@_quiet
def add(a: Range, b: Range) -> Range:
    """Range of a + b."""
    clash = (np.isposinf(a.hi) & np.isneginf(b.lo)) | (np.isneginf(a.lo) & np.isposinf(b.hi))
    return make(a.lo + b.lo, a.hi + b.hi, a.nan | b.nan | clash)


def neg(a: Range) -> Range:
    """Range of -a."""
    return Range(-a.hi, -a.lo, a.nan)


def sub(a: Range, b: Range) -> Range:
    """Range of a - b."""
    return add(a, neg(b))


@_quiet
def mul(a: Range, b: Range) -> Range:
    """Range of a * b; 0 times an infinity is NaN."""
    products = np.stack((a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi))
    products[np.isnan(products)] = 0
    clash = (a.zero & b.infinite) | (b.zero & a.infinite)
    return make(products.min(0), products.max(0), a.nan | b.nan | clash)


@_quiet
def div(a: Range, b: Range) -> Range:
    """Range of a / b: unbounded where b may be 0, of either sign; 0/0 and inf/inf are NaN."""
    ends = np.stack((a.lo / b.lo, a.lo / b.hi, a.hi / b.lo, a.hi / b.hi))
    low = np.where(np.isnan(ends), INF, ends).min(0)
    high = np.where(np.isnan(ends), -INF, ends).max(0)
    open_ = b.zero | (low > high)
    clash = (a.zero & b.zero) | (a.infinite & b.infinite)
    return make(np.where(open_, -INF, low), np.where(open_, INF, high), a.nan | b.nan | clash)


def absolute(a: Range) -> Range:
    """Range of abs(a)."""
    low = np.where(a.zero, np.float32(0), np.minimum(np.abs(a.lo), np.abs(a.hi)))
    return make(low, np.maximum(np.abs(a.lo), np.abs(a.hi)), a.nan)


@_quiet
def square(a: Range) -> Range:
    """Range of a * a."""
    m = absolute(a)
    return make(np.square(m.lo), np.square(m.hi), a.nan)


@_quiet
def rising(a: Range, function: Callable[[Array], Array], ulps: int = ULPS) -> Range:
    """Range of a function that never falls, computed in double and widened."""
    low, high = (function(x.astype(np.float64)).astype(np.float32) for x in (a.lo, a.hi))
    return widen(make(low, high, a.nan), ulps)
