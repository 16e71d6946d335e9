"""Values from outside the expression: tables of numbers, learned signals, a task's own kernels, running moments."""

from __future__ import annotations

import ctypes

import numpy as np
from msgspec.structs import replace

from ..call import Call
from ..lanes import Builder, Lanes
from ..types import Node, Type
from ..units import ONE
from .arithmetic import greatest, least
from .base import Array, Flag, Frame, any_lane, operation, plain

# --- table("name", i) -----------------------------------------------------------------------------


def _table_rule(call: Call) -> Type:
    call.numbers()
    call.pure()
    return replace(call.args[0].type, units=(call.static["name"].unit,), integer=False)


def _table(_frame: Frame, node: Node, values: list[Array]) -> Array:
    numbers, i = np.asarray(node.static["name"].values, np.float32), values[0]
    inside = (i >= 0) & (i < len(numbers))
    return np.where(inside, numbers[np.where(inside, i, 0).astype(np.int64)], np.float32(np.nan))


def _lower_table(builder: Builder, node: Node, values: list[Lanes]) -> Lanes:
    x, numbers = values[0], node.static["name"].values
    index = builder.emit("lookup", (x.index,), x.lanes, floats=[float(np.float32(v)) for v in numbers])
    return Lanes(index, x.count, x.width)


operation("table", "name:table, i", _table_rule, _table, _lower_table, "entry floor(i) of a table; NaN outside")

# --- learned("name"): a value and its age in seconds ----------------------------------------------


def _learned_rule(call: Call) -> Type:
    return Type(units=(call.static["name"].unit,))


def _learned(frame: Frame, node: Node, values: list[Array]) -> Array:
    given, (x, age) = node.static["name"], (values[0][..., :1], values[0][..., 1:])
    fresh = age <= np.float32(given.max_age)
    frame.flag(any_lane(~fresh), Flag.STALE)
    low, high = (np.full_like(x, bound) for bound in (given.low, given.high))
    result: Array = np.where(fresh, greatest(low, least(x, high)), np.float32(0))
    return result


def _lower_learned(builder: Builder, node: Node, values: list[Lanes]) -> Lanes:
    b, given = builder, node.static["name"]
    x, age = (b.pick(values[0], [i], 1, 1) for i in range(2))
    fresh = b.op("le", age, float(np.float32(given.max_age)))
    b.mark(b.op("not", fresh), Flag.STALE)
    low, high = (float(np.float32(bound)) for bound in (given.low, given.high))
    return b.op("where", fresh, b.op("max", low, b.op("min", x, high)), 0.0)


operation(
    "learned", "name:learned", _learned_rule, _learned, _lower_learned, "a signal that training writes; 0 when too old"
)

# --- kernel("name", ...) --------------------------------------------------------------------------


def _kernel_rule(call: Call) -> Type:
    kernel = call.static["name"]
    if len(call.args) != len(kernel.inputs):
        wanted = f"{len(kernel.inputs)} arguments ({', '.join(kernel.inputs)})"
        call.fail(f"{kernel.name}: expected {wanted}, got {len(call.args)}")
    for node, (name, unit) in zip(call.args, kernel.inputs.items(), strict=True):
        if node.type.kind != "number" or node.type.lanes != 1:
            call.fail(f"{kernel.name}: {name}: expected a scalar number, got {node.type}")
        call.equal(node.type.unit, unit)
    return Type(units=(kernel.unit,))


def _kernel(frame: Frame, node: Node, values: list[Array]) -> Array:
    kernel, out = node.static["name"], np.zeros((frame.rows, 1, 1), np.float32)
    rows = [np.ascontiguousarray(np.broadcast_to(v, out.shape), np.float32) for v in values]
    pointers = (ctypes.c_void_p * len(rows))(*(row.ctypes.data for row in rows))
    constants = np.array(kernel.constants, np.float32)
    kernel.call(ctypes.addressof(pointers), out.ctypes.data, frame.rows, constants.ctypes.data)
    return out


def _lower_kernel(builder: Builder, node: Node, values: list[Lanes]) -> Lanes:
    kernel = node.static["name"]
    floats = [float(np.float32(v)) for v in kernel.constants]
    return Lanes(builder.emit("kernel", [v.index for v in values], 1, (kernel.address,), floats))


operation(
    "kernel", "name:kernel, *x", _kernel_rule, _kernel, _lower_kernel, "an operation of the task folder's kernels.py"
)

# --- normalise(x, floor) --------------------------------------------------------------------------


def _normalise_rule(call: Call) -> Type:
    if any(n.type.kind != "number" or n.type.lanes != 1 for n in call.args):
        call.fail(f"expected scalars, got {' and '.join(str(n.type) for n in call.args[:2])}")
    call.same_unit()
    return Type(units=(ONE,))


def _normalise(x: Array, floor: Array, mean: Array, std: Array) -> Array:
    result: Array = (x - mean) / greatest(std, floor)
    return result


def _lower_normalise(builder: Builder, _node: Node, values: list[Lanes]) -> Lanes:
    x, floor, mean, std = values
    return builder.op("div", builder.op("sub", x, mean), builder.op("max", std, floor))


operation(
    "normalise",
    "x, floor, mean=%mean, std=%std",
    _normalise_rule,
    plain(_normalise),
    _lower_normalise,
    "x minus its running mean, over its running standard deviation (at least floor)",
)
