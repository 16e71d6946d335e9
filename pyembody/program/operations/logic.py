"""Comparisons, logic, choice."""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec.structs import replace

from ..call import Call
from ..lanes import Builder, Lanes
from ..types import Node, Type
from ..units import ONE
from .arithmetic import greatest, least, same_rule
from .base import Array, Frame, lane, operation, plain


def _compare_rule(call: Call) -> Type:
    call.numbers()
    t = call.fit("bool")
    call.frame()
    call.same_point()
    if any(n.type.mixed for n in call.args):
        for i, node in enumerate(call.args):
            if not node.type.mixed:
                call.pure(i)
        if all(n.type.mixed for n in call.args):
            call.plain()
    else:
        call.same_unit()
    return t


def _equal_rule(call: Call) -> Type:
    kinds = {n.type.kind for n in call.args}
    if kinds != {"bool"} and not (kinds == {"number"} and all(n.type.integer for n in call.args)):
        call.fail("expected truth values or whole numbers (near(a, b, tol) compares others)")
    return call.fit("bool")


def _logic_rule(call: Call) -> Type:
    call.bools()
    return call.fit("bool")


def _where_rule(call: Call) -> Type:
    condition = call.args[0]
    if condition.type.kind != "bool":
        call.fail(f"expected a truth value as the condition, got {condition.type}")
    branches = Call(call.name, call.args[1:], {}, call.place, call.solver)
    kinds = {n.type.kind for n in branches.args}
    if len(kinds) > 1 or "quat" in kinds:
        got = " and ".join(str(n.type) for n in branches.args)
        call.fail(f"expected two numbers or two truth values, got {got}")
    t = call.fit("bool")
    if kinds == {"bool"}:
        return t
    branches.args = call.args[1:]
    point = branches.same_point() if t.width else False
    whole = all(n.type.integer for n in branches.args)
    return replace(
        t,
        kind="number",
        units=(branches.same_unit(),),
        frame=branches.frame(),
        point=point,
        integer=whole,
    )


def _num_rule(call: Call) -> Type:
    call.bools()
    return replace(call.args[0].type, kind="number", units=(ONE,), integer=True)


def _finite_rule(call: Call) -> Type:
    if call.args[0].type.kind == "bool":
        call.fail("expected numbers, got a truth value")
    t = call.args[0].type
    width = 4 if t.kind == "quat" else t.width
    return Type("bool", width, t.axis, t.labels)


for _name, _symbol, _function in (
    ("lt", "<", np.less),
    ("le", "<=", np.less_equal),
    ("gt", ">", np.greater),
    ("ge", ">=", np.greater_equal),
):
    operation(_name, "a, b", _compare_rule, plain(_function), lane(_name), _symbol, public=False)
operation("eq", "a, b", _equal_rule, plain(np.equal), lane("eq"), "==", public=False)
operation("ne", "a, b", _equal_rule, plain(np.not_equal), lane("ne"), "!=", public=False)
operation("and", "a, b", _logic_rule, plain(np.logical_and), lane("and"), public=False)
operation("or", "a, b", _logic_rule, plain(np.logical_or), lane("or"), public=False)
operation("not", "a", _logic_rule, plain(np.logical_not), lane("not"), public=False)
operation("xor", "a, b", _logic_rule, plain(np.logical_xor), lane("ne"), "one of the two, not both")
operation("where", "c, a, b", _where_rule, plain(np.where), lane("where"), "a where c, else b")
operation(
    "num",
    "b",
    _num_rule,
    plain(lambda b: b.astype(np.float32)),
    lambda _builder, _node, values: values[0],
    "1 for true, 0 for false",
)
operation(
    "isfinite", "x", _finite_rule, plain(np.isfinite), lane("isfinite"), "neither infinite nor NaN"
)


def _clip(x: Array, low: Array, high: Array) -> Array:
    return greatest(low, least(x, high))


def _lower_clip(builder: Builder, _node: Node, values: list[Lanes]) -> Lanes:
    x, low, high = values
    return builder.op("max", low, builder.op("min", x, high))


operation("clip", "x, lo, hi", same_rule, plain(_clip), _lower_clip, "max(lo, min(x, hi))")


def guard_rule(call: Call) -> Type:
    """A guard keeps its argument's type."""
    return call.args[0].type


def _guard(frame: Frame, node: Node, values: list[Array]) -> Array:
    """Finite numbers, clipped to ±limit; anything else is 0, flagged with the term's index."""
    x, limit = values[0], np.float32(node.static["limit"])
    fine: Any = np.isfinite(x)
    frame.flag(~fine.all(axis=(1, 2)), 1, node.static["term"])
    frame.flag((fine & (np.abs(x) > limit)).any(axis=(1, 2)), 2)
    result: Array = np.where(fine, np.clip(x, -limit, limit), np.float32(0))
    return result


def _lower_guard(builder: Builder, node: Node, values: list[Lanes]) -> Lanes:
    """One lane: the lane operation itself. More: a guarded NaN raises the flag, a choice replaces
    the numbers.
    """
    x, static = values[0], node.static
    if x.lanes == 1:
        return Lanes(builder.emit("guard", (x.index,), 1, (static["term"],), (static["limit"],)))
    fine = builder.op("isfinite", x)
    flat = Lanes(fine.index, 1, x.lanes)
    alarm = builder.op("where", builder.reduce("all", flat, "width"), 0.0, float("nan"))
    builder.emit("guard", (alarm.index,), 1, (static["term"],), (static["limit"],))
    return builder.op("where", fine, x, 0.0)


operation("guard", "x", guard_rule, _guard, _lower_guard, public=False)
