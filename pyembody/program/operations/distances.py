"""Distances between two sets of points, each over a named axis."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..call import Call
from ..lanes import Builder, Lanes
from ..types import Node, Type
from .arithmetic import least
from .base import Array, operation, plain
from .reductions import fold, lane_sum, mean

MAX_PAIRS = 4096
MAX_LANES = 1024


def _rule(call: Call) -> Type:
    call.numbers()
    call.vectors()
    a, b = (n.type for n in call.args)
    if a.width != b.width:
        call.fail(f"expected equal widths, got {a.width} and {b.width}")
    if a.count * b.count > MAX_PAIRS or b.lanes > MAX_LANES:
        call.fail(f"expected at most {MAX_PAIRS} pairs and {MAX_LANES // b.width} points, got {a.count} x {b.count}")
    call.frame()
    call.same_point()
    return Type(units=(call.same_unit(),))


def squared(a: Array, b: Array) -> Array:
    """The squared distances of all pairs, `[N, count of a, count of b]`."""
    gaps = a[:, :, None, :] - b[:, None, :, :]
    return lane_sum(np.square(gaps), 3)[..., 0]


def _min_dist(a: Array, b: Array) -> Array:
    pairs = squared(a, b)
    return np.sqrt(fold(least)(pairs.reshape(len(a), -1, 1), 1))


def _mean_min_dist(a: Array, b: Array) -> Array:
    return mean(np.sqrt(fold(least)(squared(a, b), 2)), 1)


def _nearest(b: Builder, x: Lanes, y: Lanes) -> Lanes:
    """The squared distance of every element of x to the nearest of y, in pieces that fit one node."""
    rows = max(1, MAX_LANES // y.lanes)
    parts: list[Lanes] = []
    for first in range(0, x.count, rows):
        chosen = range(first, min(first + rows, x.count))
        n, width = len(chosen), x.width
        left = b.pick(
            x, [a * width + c for a in chosen for _ in range(y.count) for c in range(width)], n * y.count, width
        )
        right = b.pick(y, list(range(y.lanes)) * n, n * y.count, width)
        gaps = b.reduce("sum", b.op("square", b.op("sub", left, right)), "width")
        parts.append(b.reduce("rmin", Lanes(gaps.index, n, y.count), "width"))
    return parts[0] if len(parts) == 1 else b.concat(parts, x.count, 1)


def _lower(over: str) -> Callable[[Builder, Node, list[Lanes]], Lanes]:
    def lower(b: Builder, _node: Node, values: list[Lanes]) -> Lanes:
        nearest = _nearest(b, *values)
        if over == "rmin":
            return b.op("sqrt", b.reduce("rmin", nearest, "axis"))
        return b.reduce("mean", b.op("sqrt", nearest), "axis")

    return lower


operation("min_dist", "a, b", _rule, plain(_min_dist), _lower("rmin"), "least distance of a pair of points")
operation(
    "mean_min_dist",
    "a, b",
    _rule,
    plain(_mean_min_dist),
    _lower("mean"),
    "mean over a of the distance to the nearest of b",
)
