"""Products and directions of vectors."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from ..call import Call
from ..lanes import Builder, Lanes
from ..types import Node, Type
from ..units import ONE
from .arithmetic import greatest, least
from .base import Array, Frame, operation, plain
from .reductions import fold, lane_sum

YZX, ZXY = [1, 2, 0], [2, 0, 1]
TINY = 1e-12
"""A vector shorter than this has no direction."""


def components(builder: Builder, x: Lanes, chosen: list[int]) -> Lanes:
    """Return chosen components of every element."""
    return builder.pick(
        x, [a * x.width + c for a in range(x.count) for c in chosen], x.count, len(chosen)
    )


def cross(a: Array, b: Array) -> Array:
    """A x b over the last axis."""
    result: Array = a[..., YZX] * b[..., ZXY] - a[..., ZXY] * b[..., YZX]
    return result


def cross_lanes(builder: Builder, a: Lanes, b: Lanes) -> Lanes:
    """Return the lanes of a x b."""
    left = builder.op("mul", components(builder, a, YZX), components(builder, b, ZXY))
    return builder.op(
        "sub", left, builder.op("mul", components(builder, a, ZXY), components(builder, b, YZX))
    )


def unit(v: Array) -> Array:
    """V / norm(v), scaled first so that nothing overflows; 0 below TINY."""
    m = fold(greatest)(np.abs(v), 2)
    scaled = np.where(m > 0, v / m, v)
    n = np.sqrt(lane_sum(np.square(scaled), 2))
    result: Array = np.where(m * n < np.float32(TINY), np.float32(0), scaled / n)
    return result


def unit_lanes(builder: Builder, v: Lanes) -> Lanes:
    """Return the lanes of unit(v)."""
    b = builder
    m = b.reduce("rmax", b.op("abs", v), "width")
    scaled = b.op("where", b.op("gt", m, 0.0), b.op("div", v, m), v)
    n = b.op("sqrt", b.reduce("sum", b.op("square", scaled), "width"))
    small = b.op("lt", b.op("mul", m, n), float(np.float32(TINY)))
    return b.op("where", small, 0.0, b.op("div", scaled, n))


def _pair(call: Call) -> Type:
    call.vectors()
    call.displacements()
    call.plain()
    return replace(
        call.fit(), units=(call.args[0].type.unit * call.args[1].type.unit,), frame=call.frame()
    )


def _dot_rule(call: Call) -> Type:
    return replace(_pair(call), width=0, frame="")


def _cross_rule(call: Call) -> Type:
    call.vectors(3)
    return _pair(call)


def _unit_rule(call: Call) -> Type:
    call.vectors()
    call.displacements()
    call.plain()
    return replace(call.args[0].type, units=(ONE,), point=False)


def _cosine_rule(call: Call) -> Type:
    return replace(_dot_rule(call), units=(ONE,))


def _cosine(a: Array, b: Array) -> Array:
    total = lane_sum(unit(a) * unit(b), 2)
    return greatest(-np.ones_like(total), least(total, np.ones_like(total)))


def _lower_cosine(builder: Builder, _node: Node, values: list[Lanes]) -> Lanes:
    a, b = (unit_lanes(builder, v) for v in values)
    total = builder.reduce("sum", builder.op("mul", a, b), "width")
    return builder.op("max", -1.0, builder.op("min", total, 1.0))


def _dot(_frame: Frame, _node: Node, values: list[Array]) -> Array:
    return lane_sum(values[0] * values[1], 2)


operation(
    "dot",
    "a, b",
    _dot_rule,
    _dot,
    lambda b, _node, v: b.reduce("sum", b.op("mul", *v), "width"),
    "inner product",
)
operation(
    "cross",
    "a, b",
    _cross_rule,
    plain(cross),
    lambda b, _node, v: cross_lanes(b, *v),
    "outer product",
)
operation(
    "unit",
    "v",
    _unit_rule,
    plain(unit),
    lambda b, _node, v: unit_lanes(b, *v),
    "direction; 0 for no length",
)
operation(
    "cosine",
    "a, b",
    _cosine_rule,
    plain(_cosine),
    _lower_cosine,
    "cosine of the angle between two directions",
)
