"""Ranges of arithmetic, curves and kernels."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ...operations.arithmetic import sigmoid
from ...types import Node
from ..interval import (
    INF,
    TINY,
    Array,
    Range,
    absolute,
    add,
    clamp,
    div,
    hull,
    make,
    mul,
    neg,
    point,
    rising,
    square,
    sub,
    widen,
)
from .base import Context, each, rule

ANGLE = 1e4
"""Beyond this many radians a range of a sine is not looked into."""
DIGITS = 2.0**20
"""Quotients above it have no certain fraction in float32."""


def _sqrt(a: Range) -> Range:
    low, high = np.sqrt(np.maximum(a.lo, 0)), np.sqrt(np.maximum(a.hi, 0))
    return make(low, high, a.nan | (a.lo < 0))


def _exp(a: Range) -> Range:
    """exp(0) is exactly 1, so a kernel never leaves [0, 1]; exp of little is never taken to be 0 for certain."""
    found = clamp(rising(a, np.exp), 0, INF)
    low = np.where(a.lo >= 0, np.maximum(found.lo, 1), found.lo)
    high = np.where(a.hi <= 0, np.minimum(found.hi, 1), found.hi)
    return make(low, np.maximum(high, 4 * TINY), found.nan)


def _logarithm(function: Callable[[Array], Array], least: float) -> Callable[[Range], Range]:
    def apply(a: Range) -> Range:
        cut = Range(np.maximum(a.lo, np.float32(least)), np.maximum(a.hi, np.float32(least)), a.nan)
        found = rising(cut, function)
        return make(found.lo, found.hi, a.nan | (a.lo < least))

    return apply


def _wave(a: Range, peak: float) -> Range:
    """Range of a wave of period 2 pi whose maximum 1 is at `peak`."""
    low, high = a.lo.astype(np.float64), a.hi.astype(np.float64)
    turn = 2 * math.pi
    wide = ~(np.isfinite(low) & np.isfinite(high)) | (np.maximum(np.abs(low), np.abs(high)) > ANGLE)
    low, high = np.where(wide, 0, low), np.where(wide, turn, high)
    ends = np.cos(np.stack([low, high]) - peak)
    slack = 1e-6
    crest = np.floor((high - peak + slack) / turn) >= np.ceil((low - peak - slack) / turn)
    trough = np.floor((high - peak - math.pi + slack) / turn) >= np.ceil((low - peak - math.pi - slack) / turn)
    found = make(np.where(trough, -1, ends.min(0) - slack), np.where(crest, 1, ends.max(0) + slack), a.nan | a.infinite)
    return clamp(found, -1, 1)


def _sign(a: Range) -> Range:
    return Range(np.sign(a.lo), np.sign(a.hi), a.nan)


def _floor(a: Range) -> Range:
    return Range(np.floor(a.lo), np.floor(a.hi), a.nan)


def _mod(x: Range, m: Range) -> Range:
    """In [0, m); a quotient with more digits than float32 has leaves a rest of either sign."""
    nan = x.nan | m.nan | x.infinite | (m.lo <= 0) | np.isinf(m.hi)
    most = absolute(x).hi
    exact = (m.lo > 0) & (most / np.where(m.lo > 0, m.lo, 1) < DIGITS)
    return make(np.where(exact, 0, -most / DIGITS * 4), np.maximum(m.hi, 0), nan)


def _atan2(y: Range, x: Range) -> Range:
    ahead = np.broadcast_to(x.lo > 0, np.broadcast_shapes(x.shape, y.shape))
    left = np.broadcast_to(y.lo > 0, ahead.shape)
    right = np.broadcast_to(y.hi < 0, ahead.shape)
    low = np.where(left, 0, np.where(ahead, -math.pi / 2, -math.pi))
    high = np.where(right, 0, np.where(ahead, math.pi / 2, math.pi))
    return widen(make(low, high, x.nan | y.nan))


def _clipped(function: Callable[[Array], Array]) -> Callable[[Range], Range]:
    return lambda a: rising(clamp(a, -1, 1), function)


def _acos(a: Range) -> Range:
    cut = clamp(a, -1, 1)
    low, high = (np.arccos(x.astype(np.float64)) for x in (cut.hi, cut.lo))
    return clamp(widen(make(low, high, a.nan)), 0, 3.1415930)


CURVES: dict[str, Callable[[Range], Range]] = {
    "neg": neg,
    "abs": absolute,
    "sign": _sign,
    "square": square,
    "sqrt": _sqrt,
    "floor": _floor,
    "exp": _exp,
    "expm1": lambda a: clamp(rising(a, np.expm1), -1, INF),
    "log": _logarithm(np.log, 0.0),
    "log1p": _logarithm(np.log1p, -1.0),
    "tanh": lambda a: clamp(rising(a, np.tanh), -1, 1),
    "sigmoid": lambda a: clamp(rising(a, sigmoid), 0, 1),
    "sin": lambda a: _wave(a, math.pi / 2),
    "cos": lambda a: _wave(a, 0.0),
    "asin": _clipped(np.arcsin),
    "acos": _acos,
    "as_angle": lambda a: a,
}
for _name, _curve in CURVES.items():
    each(_name, _curve)
for _name, _function in (("add", add), ("mul", mul), ("div", div), ("mod", _mod), ("atan2", _atan2)):
    each(_name, _function)


@rule("sub", lanewise=True)
def _sub(_context: Context, node: Node, args: tuple[Range, ...]) -> Range:
    """Differences of signals are taken in double and rounded a second time."""
    return widen(sub(*args), 1) if node.static.get("raw") else sub(*args)


@rule("pow", lanewise=True)
def _pow(_context: Context, node: Node, args: tuple[Range, ...]) -> Range:
    c, x = float(np.float32(node.static["c"])), args[0]
    if c == int(c) and abs(c) <= 8:
        magnitude = absolute(x) if int(c) % 2 == 0 else x
        power = point(np.ones(x.shape)) if c == 0 else magnitude
        for _ in range(abs(int(c)) - 1):
            power = _times_itself(power, magnitude)
        return power if c >= 0 else div(point(1.0), power)
    cut = Range(np.maximum(x.lo, 0), np.maximum(x.hi, 0), x.nan | (x.lo < 0))
    with np.errstate(divide="ignore", over="ignore"):
        if c > 0:
            return rising(cut, lambda v: np.power(v, c))
        turned = rising(Range(-cut.hi, -cut.lo, cut.nan), lambda v: np.power(-v, c))
    return clamp(turned, 0, INF)


def _times_itself(power: Range, x: Range) -> Range:
    """Range of x^n times x: odd and even powers rise with abs(x), so end points suffice."""
    with np.errstate(over="ignore", invalid="ignore"):
        ends = power.lo * np.abs(x.lo), power.hi * np.abs(x.hi)
    return make(np.minimum(*ends), np.maximum(*ends), x.nan)


@rule("number", lanewise=True)
def _number(_context: Context, node: Node, args: tuple[Range, ...]) -> Range:
    return mul(args[0], point(node.static["scale"]))


@rule("clip", lanewise=True)
def _clip(_context: Context, _node: Node, args: tuple[Range, ...]) -> Range:
    x, low, high = args
    return greatest(low, least(x, high))


def least(*ranges: Range) -> Range:
    """Range of the least of several values."""
    found = ranges[0]
    for r in ranges[1:]:
        found = make(np.minimum(found.lo, r.lo), np.minimum(found.hi, r.hi), found.nan | r.nan)
    return found


def greatest(*ranges: Range) -> Range:
    """Range of the greatest of several values."""
    return neg(least(*(neg(r) for r in ranges)))


@rule("outside", lanewise=True)
def _outside(_context: Context, _node: Node, args: tuple[Range, ...]) -> Range:
    """How far x is below lo or above hi: never less than 0."""
    x, low, high = args
    found = greatest(point(0.0), sub(low, x), sub(x, high))
    return make(0, found.hi, x.nan, found.shape)


@rule("scaled", lanewise=True)
def _scaled(_context: Context, _node: Node, args: tuple[Range, ...]) -> Range:
    value, error, scale = args
    indicator = make((error.lo == 0) & (error.hi == 0), error.zero, error.nan | scale.nan)
    if scale.low > 0:
        return make(value.lo, value.hi, value.nan | scale.nan, np.broadcast_shapes(value.shape, scale.shape))
    return indicator if scale.high <= 0 else hull(value, indicator)


@rule("hamacher", lanewise=True)
def _all_of(_context: Context, _node: Node, args: tuple[Range, ...]) -> Range:
    """1 / (sum of 1 / a - (n - 1)) rises with each a."""
    cut = [clamp(a, 0, 1) for a in args]
    with np.errstate(divide="ignore"):
        low, high = (1 / (sum(1 / x for x in ends) - np.float32(len(args) - 1)) for ends in _ends(cut))
    nan = np.logical_or.reduce(np.broadcast_arrays(*(a.nan for a in args)))
    return clamp(widen(make(low, high, nan)), 0, 1)


def _ends(ranges: list[Range]) -> tuple[list[Array], list[Array]]:
    return [r.lo for r in ranges], [r.hi for r in ranges]
