"""Reductions over the components of a vector or over a named axis."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np
from msgspec.structs import replace

from ..call import Call
from ..lanes import Builder, Lanes
from ..types import Node, Type
from ..units import ONE
from .arithmetic import greatest, least, same_rule
from .base import Array, Frame, operation

AXES = {"axis": 1, "width": 2}
ACCUMULATORS = 8


def lane_sum(x: Array, axis: int) -> Array:
    """Return the sum of float32 values in the defined order: 8 accumulators, then a tree."""
    parts = np.moveaxis(x, axis, 0)
    total = [np.zeros(parts.shape[1:], np.float32) for _ in range(ACCUMULATORS)]
    for i, part in enumerate(parts):
        total[i % ACCUMULATORS] = total[i % ACCUMULATORS] + part
    a, b, c, d, e, f, g, h = total
    return np.expand_dims(((a + b) + (c + d)) + ((e + f) + (g + h)), axis)


def dimension(call: Call) -> Type:
    """Choose what is reduced (the innermost dimension, or `over`) and return the type with it
    removed.
    """
    t = call.args[0].type
    over = call.static.get("over")
    if t.kind == "quat":
        call.fail("expected numbers, got a quat")
    if over is None:
        dim = "width" if t.width else "axis" if t.axis else ""
    elif over == t.axis and t.axis:
        dim = "axis"
    elif over == "components" and t.width:
        dim = "width"
    else:
        legal = " or ".join(filter(None, [t.axis, "components" if t.width else ""]))
        call.fail(f"over: expected {legal or 'nothing for a scalar'}, got '{over}'")
    call.static["dim"] = dim
    if dim == "width":
        return replace(t, width=0, frame="", point=False)
    return replace(t, axis="", labels=()) if dim == "axis" else t


def _number_dimension(call: Call) -> Type:
    call.numbers()
    call.plain()
    return dimension(call)


def _keep(call: Call) -> Type:
    return replace(_number_dimension(call), integer=False)


def _sum_rule(call: Call) -> Type:
    call.displacements()
    return replace(_number_dimension(call), integer=call.args[0].type.integer)


def _power(exponent: int) -> Callable[[Call], Type]:
    def rule(call: Call) -> Type:
        call.displacements()
        t = _keep(call)
        return t.with_unit(t.unit**exponent)

    return rule


def _prod_rule(call: Call) -> Type:
    call.displacements()
    t = _keep(call)
    dim = call.static["dim"]
    given = call.args[0].type
    size = {"width": given.columns, "axis": given.count, "": 1}[dim]
    return t.with_unit(t.unit**size)


def _bool_rule(call: Call) -> Type:
    call.bools()
    return dimension(call)


def _count_rule(call: Call) -> Type:
    call.bools()
    return replace(dimension(call), kind="number", units=(ONE,), integer=True)


def reduction(
    name: str,
    rule: Callable[[Call], Type],
    function: Callable[[Array, int], Array],
    lower: Callable[[Builder, Lanes, str], Lanes],
    doc: str,
) -> None:
    """Add a reduction: `function` of values and axis, `lower` of lanes and dimension."""

    def twin(_frame: Frame, node: Node, values: list[Array]) -> Array:
        dim = node.static["dim"]
        if dim:
            return function(values[0], AXES[dim])
        return function(values[0][..., None], 3)[..., 0]

    def lowering(builder: Builder, node: Node, values: list[Lanes]) -> Lanes:
        return lower(builder, values[0], node.static["dim"])

    operation(name, "x, over:word=", rule, twin, lowering, doc)


def mean(x: Array, axis: int) -> Array:
    """The sum, divided by the number of values."""
    return lane_sum(x, axis) / np.float32(x.shape[axis])


def variance(x: Array, axis: int) -> Array:
    """Population variance in two passes."""
    return mean(np.square(x - mean(x, axis)), axis)


def fold(pair: Callable[[Array, Array], Array]) -> Callable[[Array, int], Array]:
    """Return the reduction that takes values in order, two at a time."""
    return lambda x, axis: np.expand_dims(reduce(pair, np.moveaxis(x, axis, 0)), axis)


def _variance_lanes(b: Builder, x: Lanes, dim: str) -> Lanes:
    return b.reduce("mean", b.op("square", b.op("sub", x, b.reduce("mean", x, dim))), dim)


def _normsq(b: Builder, x: Lanes, dim: str) -> Lanes:
    return b.reduce("sum", b.op("square", x), dim)


def norm(x: Array, axis: int) -> Array:
    """The root of the sum of squares; of one number, its absolute value."""
    return np.abs(x) if x.shape[axis] == 1 else np.sqrt(lane_sum(np.square(x), axis))


def _norm(b: Builder, x: Lanes, dim: str) -> Lanes:
    one = {"width": x.width, "axis": x.count, "": 1}[dim] == 1
    return b.reduce("sum", b.op("abs", x), dim) if one else b.op("sqrt", _normsq(b, x, dim))


reduction("sum", _sum_rule, lane_sum, lambda b, x, d: b.reduce("sum", x, d), "sum")
reduction("mean", _keep, mean, lambda b, x, d: b.reduce("mean", x, d), "mean")
reduction("var", _power(2), variance, _variance_lanes, "population variance")
reduction(
    "std",
    _power(1),
    lambda x, a: np.sqrt(variance(x, a)),
    lambda b, x, d: b.op("sqrt", _variance_lanes(b, x, d)),
    "population standard deviation",
)
reduction(
    "any",
    _bool_rule,
    lambda x, a: np.any(x, axis=a, keepdims=True),
    lambda b, x, d: b.reduce("any", x, d),
    "any true",
)
reduction(
    "all",
    _bool_rule,
    lambda x, a: np.all(x, axis=a, keepdims=True),
    lambda b, x, d: b.reduce("all", x, d),
    "all true",
)
reduction(
    "count",
    _count_rule,
    lambda x, a: lane_sum(x.astype(np.float32), a),
    lambda b, x, d: b.reduce("sum", x, d),
    "how many are true",
)
reduction("normsq", _power(2), lambda x, a: lane_sum(np.square(x), a), _normsq, "sum of squares")
reduction("norm", _power(1), norm, _norm, "Euclidean norm")
reduction(
    "norm1",
    _power(1),
    lambda x, a: lane_sum(np.abs(x), a),
    lambda b, x, d: b.reduce("sum", b.op("abs", x), d),
    "sum of absolute values",
)
reduction(
    "norminf",
    _power(1),
    lambda x, a: fold(greatest)(np.abs(x), a),
    lambda b, x, d: b.reduce("rmax", b.op("abs", x), d),
    "largest absolute value",
)


# --- min, max, prod: over a dimension of one argument, or element-wise of several -----------------


def _either(
    name: str,
    one: Callable[[Call], Type],
    many: Callable[[Call], Type],
    pair: Callable[[Array, Array], Array],
    lanes: tuple[str, str],
    doc: str,
) -> None:
    def rule(call: Call) -> Type:
        if len(call.args) > 1 and "over" in call.static:
            call.fail("over is for one argument")
        return one(call) if len(call.args) == 1 else many(call)

    def twin(_frame: Frame, node: Node, values: list[Array]) -> Array:
        if len(values) == 1:
            dim = node.static["dim"]
            return fold(pair)(values[0], AXES[dim]) if dim else values[0]
        return reduce(pair, values)

    def lower(builder: Builder, node: Node, values: list[Lanes]) -> Lanes:
        if len(values) == 1:
            return builder.reduce(lanes[0], values[0], node.static["dim"])
        total = values[0]
        for value in values[1:]:
            total = builder.op(lanes[1], total, value)
        return total

    operation(name, "x, *more, over:word=", rule, twin, lower, doc)


def _times_rule(call: Call) -> Type:
    call.numbers()
    call.plain()
    unit = ONE
    for node in call.args:
        unit = unit * node.type.unit
    return replace(call.fit(), units=(unit,), frame=call.frame())


_either("min", _keep, same_rule, least, ("rmin", "min"), "least")
_either("max", _keep, same_rule, greatest, ("rmax", "max"), "greatest")
_either("prod", _prod_rule, _times_rule, np.multiply, ("prod", "mul"), "product")
