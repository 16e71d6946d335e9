"""The leaves of a tree and the ways of taking values apart and putting them together."""

from __future__ import annotations

from array import array

import numpy as np
from msgspec.structs import replace

from ..call import Call
from ..lanes import Builder, Lanes
from ..params import rows_name
from ..types import Node, Type
from .base import Array, Flag, Frame, any_lane, made_by_compiler, operation
from .reductions import lane_sum

QUAT_OFF = float(np.float32(2e-3))
"""A quat's squared norm may be off 1 by so much: its norm by half of it."""


def _shaped(frame: Frame, node: Node, values: Array) -> Array:
    t = node.type
    return np.broadcast_to(values, (frame.rows, t.lanes)).reshape(frame.rows, t.count, t.columns)


def _literal(frame: Frame, node: Node, _values: list[Array]) -> Array:
    kind = np.bool_ if node.type.kind == "bool" else np.float32
    return _shaped(frame, node, np.asarray(node.static["values"], kind))


def _lower_literal(builder: Builder, node: Node, _values: list[Lanes]) -> Lanes:
    constant = builder.constant(*array("f", node.static["values"]))
    return Lanes(constant.index, node.type.count, node.type.columns)


def _param(frame: Frame, node: Node, _values: list[Array]) -> Array:
    if node.static["per_env"]:
        return frame.raw(_rows(node)).astype(np.float32)
    return _shaped(frame, node, frame.params[node.static["index"]])


def _rows(node: Node) -> Node:
    """The input of a parameter that has one value an environment."""
    return Node("signal", (), node.type, {"name": rows_name(node.static["name"])})


def _lower_param(builder: Builder, node: Node, values: list[Lanes]) -> Lanes:
    if node.static["per_env"]:
        return _lower_signal(builder, _rows(node), values)
    return Lanes(builder.emit("param", (), 1, (node.static["index"],)))


def _signal(frame: Frame, node: Node, _values: list[Array]) -> Array:
    raw = frame.raw(node)
    if node.type.kind == "bool":
        values: Array = raw != 0
        return values
    values = raw.astype(np.float32)
    if node.type.kind == "quat":
        off = np.abs(lane_sum(np.square(values), 2) - np.float32(1)) > np.float32(QUAT_OFF)
        frame.flag(any_lane(off), Flag.QUAT_NORM)
    return values


def _lower_signal(builder: Builder, node: Node, _values: list[Lanes]) -> Lanes:
    t = node.type
    x = builder.input(node.static["name"], range(t.lanes), t.count, t.columns)
    if t.kind == "quat":
        off = builder.op("sub", builder.reduce("sum", builder.op("square", x), "width"), 1.0)
        builder.mark(builder.op("gt", builder.op("abs", off), QUAT_OFF), Flag.QUAT_NORM)
    return builder.op("ne", x, 0.0) if t.kind == "bool" else x


def _select(frame: Frame, node: Node, values: list[Array]) -> Array:
    flat = values[0].reshape(frame.rows, -1)[:, node.static["lanes"]]
    return flat.reshape(frame.rows, node.type.count, node.type.columns)


def _lower_select(builder: Builder, node: Node, values: list[Lanes]) -> Lanes:
    return builder.pick(values[0], node.static["lanes"], node.type.count, node.type.columns)


def _list_rule(call: Call) -> Type:
    if any(n.type.kind != "number" or n.type.width for n in call.args):
        call.fail(f"expected scalars, got {', '.join(str(n.type) for n in call.args)}")
    axis, labels = call.axis()
    flexible = None if all(n.op in ("literal", "param") for n in call.args) else False
    return Type("number", len(call.args), axis, labels, (call.same_unit(),), point=flexible)


def _list(frame: Frame, node: Node, values: list[Array]) -> Array:
    return np.concatenate(
        [np.broadcast_to(v, (frame.rows, node.type.count, 1)) for v in values], axis=2
    )


def _lower_list(builder: Builder, node: Node, values: list[Lanes]) -> Lanes:
    count, width = node.type.count, node.type.columns
    parts = [v if v.lanes == count else builder.pick(v, [0] * count, count, 1) for v in values]
    x = builder.concat(parts, width, count)
    return builder.pick(
        x, [w * count + a for a in range(count) for w in range(width)], count, width
    )


operation("literal", "", made_by_compiler, _literal, _lower_literal, public=False)
operation("constant", "", made_by_compiler, _literal, _lower_literal, public=False)
operation("param", "", made_by_compiler, _param, _lower_param, public=False)
operation("signal", "", made_by_compiler, _signal, _lower_signal, public=False)
operation("select", "x", made_by_compiler, _select, _lower_select, public=False)
operation("list", "*x", _list_rule, _list, _lower_list, public=False)


def literal(values: tuple[float, ...], t: Type) -> Node:
    """Return a literal node; a list of numbers may stand for a point or a displacement."""
    return Node("literal", (), replace(t, point=None) if t.width else t, {"values": values})
