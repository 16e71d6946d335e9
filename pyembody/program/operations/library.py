"""Operations that the language itself defines: shapes of errors, kernels, norms, tolerances.

Each line reads like a task's own expression; `name = ...;` names a part. Literals that multiply are
pure numbers,
others take the unit of what they meet.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from msgspec.structs import replace

from ...spec.errors import nearest
from ..call import Call
from ..lanes import Builder, Lanes
from ..types import Node, Type
from ..units import ONE, RAD
from .base import Array, Flag, Frame, any_lane, define, operation, plain

# --- parts that an expression cannot say ----------------------------------------------------------


def _scaled_rule(call: Call) -> Type:
    call.numbers()
    return replace(call.fit(), units=(call.args[0].type.unit,))


def _varies(scale: Node) -> bool:
    """True for a scale that is neither written as a number nor a parameter, which are checked before."""
    return scale.op not in ("literal", "constant", "param")


def _scaled(frame: Frame, node: Node, values: list[Array]) -> Array:
    """The value where scale > 0; the indicator of zero error where scale <= 0; NaN where either is
    NaN.
    """
    value, error, scale = values
    if _varies(node.args[2]):
        frame.flag(any_lane(scale <= 0), Flag.BAD_SCALE)
    indicator = np.where(error == 0, np.float32(1), np.where(np.isnan(error), error, np.float32(0)))
    result: Array = np.where(scale > 0, value, np.where(scale <= 0, indicator, scale))
    return result


def _lower_scaled(builder: Builder, node: Node, values: list[Lanes]) -> Lanes:
    b = builder
    value, error, scale = values
    given = node.args[2]
    if given.op in ("literal", "constant") and min(given.static["values"]) > 0:
        return value
    if _varies(given):
        b.mark(b.op("le", scale, 0.0), Flag.BAD_SCALE)
    missing = b.op("where", b.op("ne", error, error), error, 0.0)
    indicator = b.op("where", b.op("eq", error, 0.0), 1.0, missing)
    other = b.op("where", b.op("le", scale, 0.0), indicator, scale)
    return b.op("where", b.op("gt", scale, 0.0), value, other)


def _outside_rule(call: Call) -> Type:
    call.numbers()
    return replace(call.fit(), units=(call.same_unit(),))


def _outside(x: Array, low: Array, high: Array) -> Array:
    """Distance of x from [low, high]: exactly 0 inside, bounds included."""
    beyond = np.where(x > high, x - high, np.where(np.isnan(x), x, np.float32(0)))
    result: Array = np.where(x < low, low - x, beyond)
    return result


def _lower_outside(builder: Builder, _node: Node, values: list[Lanes]) -> Lanes:
    b = builder
    x, low, high = values
    missing = b.op("where", b.op("ne", x, x), x, 0.0)
    beyond = b.op("where", b.op("gt", x, high), b.op("sub", x, high), missing)
    return b.op("where", b.op("lt", x, low), b.op("sub", low, x), beyond)


def _angle_rule(call: Call) -> Type:
    call.numbers()
    call.angle()
    return call.args[0].type


def _same(_frame: Frame, _node: Node, values: list[Array]) -> Array:
    return values[0]


operation(
    "scaled", "value, error, scale", _scaled_rule, _scaled, _lower_scaled, public=False
)
operation("outside", "x, lo, hi", _outside_rule, plain(_outside), _lower_outside, public=False)
operation(
    "as_angle", "x", _angle_rule, _same, lambda _builder, _node, values: values[0], public=False
)



def _as_number_rule(call: Call) -> Type:
    call.numbers()
    call.equal(call.args[0].type.unit, RAD)
    return replace(call.args[0].type, units=(ONE,))


operation(
    "as_number", "x", _as_number_rule, _same, lambda _builder, _node, values: values[0], public=False
)

# --- errors ---------------------------------------------------------------------------------------

define(
    "safe_div",
    "a, b, eps",
    "m = max(abs(b), eps); a / where(b < 0, -m, m)",
    "a / b with abs(b) at least eps",
)
define("spow", "x, c:number", "sign(x) * abs(x) ** c", "sign(x) abs(x)^c")
define("near", "a, b, tol", "abs(a - b) <= tol", "a and b differ by at most tol")
define("wrap_pi", "x", "(as_angle(x) + 3.1415927) % 6.2831855 - 3.1415927", "an angle in [-pi, pi)")
define("deadzone", "x, w", "sign(x) * max(abs(x) - w, 0)", "x drawn w towards 0")
define(
    "limit_violation",
    "x, lo, hi",
    "max(lo - x, 0) + max(x - hi, 0)",
    "how far x is outside [lo, hi]",
)
define("ramp", "x, lo, hi", "clip((x - lo) / (hi - lo), 0, 1)", "0 at lo, 1 at hi", pure=True)
define(
    "huber",
    "x, d",
    "a = abs(x); where(a <= d, 0.5 * square(x), d * (a - 0.5 * d))",
    "quadratic, linear beyond d",
)
define("gate", "c, x", "where(c, x, min(x, 0))", "x where c; else only its penalty")
define("wsum", "x, w", "sum(x * w)", "weighted sum")

# --- rotations ------------------------------------------------------------------------------------

define("body_z", "q", "rotate(q, [0, 0, 1])", "the local z axis in the outer frame", pure=True)
define("gravity", "q", "rotate_inv(q, [0, 0, -1])", "down, in the local frame", pure=True)
define(
    "to_local", "pos, q, p", "rotate_inv(q, p - pos)", "the point p seen from the body at pos, q"
)

# --- kernels: 1 at no error, towards 0 for a large one; the innermost dimension is one error ------

define(
    "gauss",
    "x, s",
    "e = normsq(x); scaled(exp(-(e / s)), e, s)",
    "exp(-e^2 / s), s in squared units",
    pure=True,
)
define("laplace", "x, s", "e = norm(x); scaled(exp(-(e / s)), e, s)", "exp(-e / s)", pure=True)
define(
    "tanh1m",
    "x, s",
    "e = norm(x); scaled(2 / (1 + exp(2 * e / s)), e, s)",
    "1 - tanh(e / s)",
    pure=True,
)
define(
    "inverse",
    "x, s, p:number=1",
    "e = norm(x); scaled(1 / (1 + square(e / s)) ** p, e, s)",
    "(1 + (e / s)^2)^-p",
    pure=True,
)
define(
    "logistic",
    "x, a, b=2",
    "e = a * norm(x); 1 / (exp(e) + b + exp(-e))",
    "1 / (exp(a e) + b + exp(-a e))",
    pure=True,
)

SIGMOIDS: dict[str, tuple[str, Callable[[float], float]]] = {
    "gaussian": ("exp(-0.5 * square(d))", lambda v: math.sqrt(-2 * math.log(v))),
    "hyperbolic": ("2 / (exp(d) + exp(-d))", lambda v: math.acosh(1 / v)),
    "long_tail": ("1 / (1 + square(d))", lambda v: math.sqrt(1 / v - 1)),
    "reciprocal": ("1 / (1 + d)", lambda v: 1 / v - 1),
    "cosine": (
        "where(d >= 1, 0, 0.5 * (1 + cos(3.1415927 * d)))",
        lambda v: math.acos(2 * v - 1) / math.pi,
    ),
    "linear": ("max(1 - d, 0)", lambda v: 1 - v),
    "quadratic": ("max(1 - square(d), 0)", lambda v: math.sqrt(1 - v)),
    "tanh_squared": ("1 - square(tanh(d))", lambda v: math.atanh(math.sqrt(1 - v))),
}
"""Shapes of `tolerance` as functions of d = k * distance / margin, and k for a value at the margin.
"""


def _tolerance(call: Call) -> str:
    name, value = call.static["sigmoid"], call.static["value_at_margin"]
    if name not in SIGMOIDS:
        call.fail(f"sigmoid: unknown shape '{name}'{nearest(name, SIGMOIDS)}")
    zero = name in ("cosine", "linear", "quadratic")
    if not (0 <= value < 1 if zero else 0 < value < 1):
        call.fail(
            f"value_at_margin: expected a number in {'[0, 1)' if zero else '(0, 1)'}, got {value}"
        )
    shape, factor = SIGMOIDS[name]
    parts = f"e = outside(x, lo, hi); d = {factor(value)!r} * (e / margin); "
    return parts + f"scaled(clip({shape}, 0, 1), e, margin)"


define(
    "tolerance",
    "x, lo, hi, margin=0, sigmoid:word=gaussian, value_at_margin:number=0.1",
    _tolerance,
    "1 in [lo, hi], falling to value_at_margin at the margin",
    pure=True,
)

# --- norms: costs, 0 at no error except rectify, finite for every finite x ------------------------

define(
    "length", "x", "m = norminf(x); where(isfinite(m) and m > 0, m * norm(x / m), m)", public=False
)
define(
    "soft",
    "a, p",
    "m = max(a, p); r = a / m; s = p / m; "
    "where(isfinite(m), where(m > 0, m * (square(r) / (sqrt(square(r) + square(s)) + s)), 0), m)",
    public=False,
)
define("l2", "x, p", "soft(length(x), p)", "sqrt(x.x + p^2) - p")
define("smooth_abs", "x, p", "sum(soft(abs(x), p))", "sum of sqrt(x^2 + p^2) - p")
define(
    "quadratic",
    "x",
    "0.5 * normsq(where(isfinite(x), clip(x, -1000000, 1000000), x))",
    "half the sum of squares",
)
define(
    "rectify",
    "x, p",
    "sum(where(p > 0, max(x, 0) + p * log1p(exp(-(abs(x) / p))), max(x, 0)))",
    "soft max(x, 0)",
)
define(
    "cosh",
    "x, p",
    "z = min(abs(x) / (2 * p), 15); u = expm1(z); s = (u + u / (u + 1)) / 2; "
    f"y = 2 * square(p * s) + p * ({math.sinh(30.0)} * max(abs(x) - 30 * p, 0)); "
    "sum(where(isfinite(x), min(y, 1e30), y))",
    "sum of p^2 (cosh(x / p) - 1)",
)
define(
    "power",
    "x, p:number",
    "y = abs(x) ** p; sum(where(isfinite(x), min(y, 1e30), y))",
    "sum of abs(x)^p",
)


def _order(call: Call) -> float:
    q = float(call.static["q"])
    if q < 1:
        call.fail(f"q: expected a number of at least 1, got {q}")
    return q


def _soft_order(call: Call) -> str:
    q = _order(call)
    return (
        f"m = max(a, p); r = a / m; s = p / m; where(isfinite(m), where(a < p, "
        f"p * expm1(log1p((a / p) ** {q!r}) * {1 / q!r}), "
        f"where(m > 0, m * (r ** {q!r} + s ** {q!r}) ** {1 / q!r} - p, 0)), m)"
    )


define("soft_order", "a, p, q:number", _soft_order, public=False)
define("l22", "x, p, q:number=2", "soft_order(length(x), p, q)", "(x.x^(q/2) + p^q)^(1/q) - p")
define(
    "smooth_abs2",
    "x, p, q:number=2",
    "sum(soft_order(abs(x), p, q))",
    "sum of (abs(x)^q + p^q)^(1/q) - p",
)
define(
    "risk",
    "l, r",
    "z = r * l; e = expm1(min(z, 40)) + 2.3538527e17 * max(z - 40, 0); "
    "where(abs(r) < 1e-6, l, e / r)",
    "(exp(r l) - 1) / r, linear beyond r l = 40; l itself for r = 0",
)
