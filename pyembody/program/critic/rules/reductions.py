"""Ranges of reductions: of sums through the same order of additions that the program uses."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np

from ...operations.reductions import AXES, lane_sum
from ...operations.vectors import YZX, ZXY
from ...types import Node
from ..interval import Array, Range, absolute, clamp, div, make, mul, point, square, sub, widen
from .base import Context, Rule, rule, shape_of
from .numbers import greatest, least

Reduce = Callable[[Range, int], Range]


def total(x: Range, axis: int) -> Range:
    """Range of the sum along an axis (1 the named axis, 2 components; 0 is left out of `[axis, components]`)."""
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = (lane_sum(np.asarray(v)[None], axis)[0] for v in (x.lo, x.hi))
    clash = _any(np.isneginf(x.lo), axis) & _any(np.isposinf(x.hi), axis)
    return make(low, high, _any(x.nan, axis) | clash)


def _any(x: Array, axis: int) -> Array:
    return np.asarray(x.any(axis=axis - 1, keepdims=True))


def _parts(x: Range, axis: int) -> list[Range]:
    parts = ([i] for i in range(x.shape[axis - 1]))
    return [Range(*(np.take(v, part, axis - 1) for v in (x.lo, x.hi, x.nan))) for part in parts]


def _mean(x: Range, axis: int) -> Range:
    return div(total(x, axis), point(float(x.shape[axis - 1])))


def _variance(x: Range, axis: int) -> Range:
    """At most the square of the whole spread, and of what rounding the mean adds to it."""
    low, high = x.lo.min(axis - 1, keepdims=True), x.hi.max(axis - 1, keepdims=True)
    with np.errstate(over="ignore", invalid="ignore"):
        spread = (high - low) + np.float32(1e-6) * np.maximum(np.abs(low), np.abs(high))
        top = np.square(spread)
    return make(0, top, _any(x.nan | x.infinite, axis) | np.isinf(top))


def _normsq(x: Range, axis: int) -> Range:
    return total(square(x), axis)


def root(x: Range) -> Range:
    """Range of the square root of what is never below 0."""
    return make(np.sqrt(np.maximum(x.lo, 0)), np.sqrt(np.maximum(x.hi, 0)), x.nan)


def _norm(x: Range, axis: int) -> Range:
    return absolute(x) if x.shape[axis - 1] == 1 else root(_normsq(x, axis))


def _times(x: Range, axis: int) -> Range:
    return reduce(mul, _parts(x, axis))


REDUCTIONS: dict[str, Reduce] = {
    "sum": total,
    "count": total,
    "mean": _mean,
    "var": _variance,
    "std": lambda x, axis: root(_variance(x, axis)),
    "normsq": _normsq,
    "norm": _norm,
    "norm1": lambda x, axis: total(absolute(x), axis),
    "norminf": lambda x, axis: greatest(*_parts(absolute(x), axis)),
    "any": lambda x, axis: greatest(*_parts(x, axis)),
    "all": lambda x, axis: least(*_parts(x, axis)),
}


def _reduced(function: Reduce) -> Rule:
    def apply(_context: Context, node: Node, args: tuple[Range, ...]) -> Range:
        dim, x = node.static["dim"], args[0]
        if dim:
            return function(x, AXES[dim])
        flat = x.fold(lambda v: v.reshape(-1, 1))
        return function(flat, AXES["width"]).fold(lambda v: v.reshape(shape_of(node)))

    return apply


for _name, _function in REDUCTIONS.items():
    rule(_name)(_reduced(_function))


def _either(one: Reduce, many: Callable[..., Range]) -> Rule:
    def apply(_context: Context, node: Node, args: tuple[Range, ...]) -> Range:
        if len(args) > 1:
            return many(*args)
        dim = node.static["dim"]
        return one(args[0], AXES[dim]) if dim else args[0]

    return apply


rule("min")(_either(lambda x, axis: least(*_parts(x, axis)), least))
rule("max")(_either(lambda x, axis: greatest(*_parts(x, axis)), greatest))
rule("prod")(_either(_times, lambda *args: reduce(mul, args)))


# --- vectors --------------------------------------------------------------------------------------


@rule("dot")
def _dot(_context: Context, _node: Node, args: tuple[Range, ...]) -> Range:
    return total(mul(*args), AXES["width"])


@rule("unit")
def _unit(_context: Context, _node: Node, args: tuple[Range, ...]) -> Range:
    """Components of a direction keep their sign; the length is 1, or 0."""
    x = args[0]
    unclear = np.broadcast_to(_any(x.nan | x.infinite, AXES["width"]), x.shape)
    return widen(clamp(make(np.minimum(np.sign(x.lo), 0), np.maximum(np.sign(x.hi), 0), unclear), -1, 1))


@rule("cosine")
def _cosine(_context: Context, node: Node, args: tuple[Range, ...]) -> Range:
    unclear = np.zeros(shape_of(node), bool)
    for x in args:
        unclear = unclear | _any(x.nan | x.infinite, AXES["width"])
    return make(-1, 1, unclear, shape_of(node))


@rule("cross")
def _cross(_context: Context, _node: Node, args: tuple[Range, ...]) -> Range:
    (a_left, a_right), (b_left, b_right) = ([_ordered(x, order) for order in (YZX, ZXY)] for x in args)
    return sub(mul(a_left, b_right), mul(a_right, b_left))


def _ordered(x: Range, order: list[int]) -> Range:
    return x.fold(lambda v: v[..., order])
