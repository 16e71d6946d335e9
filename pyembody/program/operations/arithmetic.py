"""Element-wise arithmetic: + - * / % ** and functions of one number."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from msgspec.structs import replace

from ..call import Call
from ..lanes import Builder, Lanes
from ..types import Node, Type
from ..units import ONE, RAD, Power, Unit
from .base import Array, Flag, Frame, any_lane, lane, operation, plain

MAX_REPEATED = 8
MAX_DENOMINATOR = 4


def in_double(function: Callable[..., Any]) -> Callable[[Frame, Node, list[Array]], Array]:
    """Return a twin that computes in double and rounds once: what a transcendental means."""
    return plain(
        lambda *values: function(*(v.astype(np.float64) for v in values)).astype(np.float32)
    )


def integers(call: Call) -> bool:
    """True if all arguments are whole numbers."""
    return all(n.type.integer for n in call.args)


# --- two numbers ----------------------------------------------------------------------------------


def _sum_point(call: Call) -> bool | None:
    a, b = (
        n.type.point if n.type.width else (None if n.op in ("literal", "param") else False)
        for n in call.args
    )
    if a and b:
        call.fail("expected a displacement, got two points")
    return True if a or b else None if a is None and b is None else False


def _difference_point(call: Call) -> bool | None:
    a, b = (
        n.type.point if n.type.width else (None if n.op in ("literal", "param") else False)
        for n in call.args
    )
    if b and a is False:
        call.fail("expected a displacement, got a point subtracted from a displacement")
    if a:
        return b is False
    return None if a is None and not b else False


def add_rule(call: Call) -> Type:
    call.numbers()
    t = call.fit()
    point = _sum_point(call) if t.width else False
    return replace(
        t, units=(call.same_unit(),), frame=call.frame(), point=point, integer=integers(call)
    )


def sub_rule(call: Call) -> Type:
    call.numbers()
    t = call.fit()
    if all(n.raw for n in call.args):
        call.static["raw"] = True
    point = _difference_point(call) if t.width else False
    return replace(
        t, units=(call.same_unit(),), frame=call.frame(), point=point, integer=integers(call)
    )


def _scaled_units(call: Call, divide: bool) -> Type:
    call.numbers()
    t = call.fit()
    left, right = (n.type for n in call.args)
    if left.mixed:
        call.pure(1)
        units = left.units
    elif right.mixed:
        call.pure(1 if divide else 0)
        units = right.units
    else:
        units = (left.unit / right.unit if divide else left.unit * right.unit,)
    points = [n.type.point for n in call.args if n.type.width]
    point = (
        True
        if True in points
        else None
        if points and None in points and False not in points
        else False
    )
    return replace(t, units=units, frame=call.frame(), point=point)


def mul_rule(call: Call) -> Type:
    return replace(_scaled_units(call, divide=False), integer=integers(call))


def div_rule(call: Call) -> Type:
    return _scaled_units(call, divide=True)


def same_rule(call: Call) -> Type:
    """Both arguments and the result have one unit, frame and point-ness."""
    call.numbers()
    t = call.fit()
    point = call.same_point() if t.width else False
    return replace(
        t, units=(call.same_unit(),), frame=call.frame(), point=point, integer=integers(call)
    )


def _sub(frame: Frame, node: Node, values: list[Array]) -> Array:
    if node.static.get("raw"):
        return (frame.raw(node.args[0]) - frame.raw(node.args[1])).astype(np.float32)
    return values[0] - values[1]


def _lower_sub(builder: Builder, node: Node, values: list[Lanes]) -> Lanes:
    return builder.op("sub64" if node.static.get("raw") else "sub", *values)


def least(x: Array, y: Array) -> Array:
    """The smaller one, the first of equals; NaN if either is NaN."""
    result: Array = np.where(np.isnan(y), y, np.where(y < x, y, x))
    return result


def greatest(x: Array, y: Array) -> Array:
    """The greater one, the first of equals; NaN if either is NaN."""
    result: Array = np.where(np.isnan(y), y, np.where(y > x, y, x))
    return result


def modulo(x: Array, m: Array) -> Array:
    """X - m floor(x/m) in [0, m), exact but for one rounding; m itself becomes 0. NaN for m <= 0 or
    infinite.
    """
    r = np.fmod(x.astype(np.float64), m.astype(np.float64))
    y = np.where(r < 0, r + m, r).astype(np.float32) + np.float32(0)
    fine = (m > 0) & np.isfinite(m)
    return np.where(fine, np.where(y >= m, np.float32(0), y), np.float32(np.nan))


operation("add", "a, b", add_rule, plain(np.add), lane("add"), public=False)
operation("sub", "a, b", sub_rule, _sub, _lower_sub, public=False)
operation("mul", "a, b", mul_rule, plain(np.multiply), lane("mul"), public=False)
operation("div", "a, b", div_rule, plain(np.divide), lane("div"), public=False)
operation("mod", "a, b", same_rule, plain(modulo), lane("mod"), public=False)


# --- one number -----------------------------------------------------------------------------------


def keep_rule(call: Call) -> Type:
    call.numbers()
    call.plain()
    return call.args[0].type


def _displacement_rule(call: Call) -> Type:
    return replace(keep_rule(call), point=False)


def pure_rule(call: Call) -> Type:
    call.numbers()
    call.pure()
    return replace(call.args[0].type, units=(ONE,), point=False, integer=False)


def _sign_rule(call: Call) -> Type:
    return replace(keep_rule(call), units=(ONE,), point=False)


def powered(call: Call, unit: Unit, exponent: Power) -> Unit:
    """Return a power of a unit. Raises SpecError for exponents that are no quarters, thirds or halves.

    Units that are still unknown, those of plain numbers and of parameters, may have any.
    """
    result = call.solver.resolve(unit) ** exponent
    if any(p.denominator > MAX_DENOMINATOR for name, p in result.powers if not name.startswith("?")):
        call.fail(f"expected exponents of units in quarters, thirds or halves, got {result}")
    return result


def _power_rule(exponent: Power) -> Callable[[Call], Type]:
    def rule(call: Call) -> Type:
        t = keep_rule(call)
        return replace(
            t,
            units=(powered(call, t.unit, exponent),),
            point=False,
            integer=t.integer and exponent.denominator == 1,
        )

    return rule


def _angle_rule(call: Call) -> Type:
    call.numbers()
    call.angle()
    return replace(call.args[0].type, units=(ONE,), point=False, integer=False)


def _to_angle_rule(call: Call) -> Type:
    return replace(pure_rule(call), units=(RAD,))


def _atan2_rule(call: Call) -> Type:
    call.numbers()
    call.same_unit()
    return replace(call.fit(), units=(RAD,))


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), in two branches so that nothing overflows."""
    e = np.exp(-np.abs(x))
    result: Array = np.where(x >= 0, 1.0 / (1.0 + e), e / (1.0 + e))
    return result


def _clamped(
    name: str, function: Callable[[Array], Array], doc: str, limit: float = 1.0 + 1e-4
) -> None:
    """Add the inverse of a sine or cosine: clamped to [-1, 1], far arguments are counted."""

    def twin(frame: Frame, _node: Node, values: list[Array]) -> Array:
        x = values[0]
        frame.flag(any_lane(np.abs(x) > np.float32(limit)), Flag.DOMAIN)
        result: Array = function(np.clip(x.astype(np.float64), -1.0, 1.0)).astype(np.float32)
        return result

    def lower(builder: Builder, _node: Node, values: list[Lanes]) -> Lanes:
        builder.mark(builder.op("gt", builder.op("abs", values[0]), limit), Flag.DOMAIN)
        return builder.op(name, values[0])

    operation(name, "x", _to_angle_rule, twin, lower, doc)


operation("neg", "x", keep_rule, plain(np.negative), lane("neg"), public=False)
operation("abs", "x", _displacement_rule, plain(np.abs), lane("abs"), "absolute value")
operation("sign", "x", _sign_rule, plain(np.sign), lane("sign"), "-1, 0 or 1")
operation("square", "x", _power_rule(2), plain(np.square), lane("square"), "x * x")
operation("sqrt", "x", _power_rule(Fraction(1, 2)), plain(np.sqrt), lane("sqrt"), "square root")
operation(
    "floor",
    "x",
    lambda c: replace(keep_rule(c), integer=True),
    plain(np.floor),
    lane("floor"),
    "round down",
)
CURVES: dict[str, tuple[Callable[[Call], Type], Callable[..., Any], str]] = {
    "exp": (pure_rule, np.exp, "e to the power x"),
    "expm1": (pure_rule, np.expm1, "exp(x) - 1"),
    "log": (pure_rule, np.log, "natural logarithm"),
    "log1p": (pure_rule, np.log1p, "log(1 + x)"),
    "tanh": (pure_rule, np.tanh, "hyperbolic tangent"),
    "sigmoid": (pure_rule, sigmoid, "1 / (1 + exp(-x))"),
    "sin": (_angle_rule, np.sin, "sine of an angle"),
    "cos": (_angle_rule, np.cos, "cosine of an angle"),
}
for _name, (_rule, _function, _doc) in CURVES.items():
    operation(_name, "x", _rule, in_double(_function), lane(_name), _doc)
_clamped("asin", np.arcsin, "angle of a sine, clamped to [-1, 1]")
_clamped("acos", np.arccos, "angle of a cosine, clamped to [-1, 1]")
operation(
    "atan2", "y, x", _atan2_rule, in_double(np.arctan2), lane("atan2"), "angle of the point (x, y)"
)


# --- powers ---------------------------------------------------------------------------------------


def _pow_rule(call: Call) -> Type:
    exponent = float(call.static["c"])
    fraction = Fraction(exponent).limit_denominator(MAX_DENOMINATOR)
    t = keep_rule(call)
    if float(fraction) != exponent:
        call.pure()
        fraction = Fraction(1)
    return replace(t, units=(powered(call, t.unit, fraction),), point=False, integer=False)


def _repeats(c: float) -> bool:
    return c == int(c) and abs(c) <= MAX_REPEATED


def _pow(_frame: Frame, node: Node, values: list[Array]) -> Array:
    c = float(np.float32(node.static["c"]))
    x = values[0]
    if not _repeats(c):
        return np.power(x.astype(np.float64), c).astype(np.float32)
    y = np.ones_like(x)
    for i in range(abs(int(c))):
        y = x if i == 0 else y * x
    return y if c >= 0 else np.float32(1) / y


def _lower_pow(builder: Builder, node: Node, values: list[Lanes]) -> Lanes:
    c = float(np.float32(node.static["c"]))
    x = values[0]
    if not _repeats(c):
        return builder.op("pow", x, c)
    y = x if c else builder.constant(*[1.0] * x.lanes)
    for _ in range(abs(int(c)) - 1):
        y = builder.op("mul", y, x)
    y = Lanes(y.index, x.count, x.width)
    return y if c >= 0 else builder.op("div", 1.0, y)


operation("pow", "x, c:number", _pow_rule, _pow, _lower_pow, public=False)


# --- leaving units --------------------------------------------------------------------------------


def _number_rule(call: Call) -> Type:
    unit, scale = call.static["unit"]
    call.numbers()
    call.plain()
    call.equal(call.args[0].type.unit, unit)
    call.static["scale"] = float(np.float32(1.0 / scale))
    return replace(call.args[0].type, units=(ONE,), point=False, frame="")


operation(
    "number",
    "x, unit:unit",
    _number_rule,
    lambda _frame, node, values: values[0] * np.float32(node.static["scale"]),
    lambda builder, node, values: builder.op("mul", values[0], node.static["scale"]),
    "x in the named unit, as a pure number",
)
