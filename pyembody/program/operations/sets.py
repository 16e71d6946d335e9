"""Several values made one: shares in [0, 1], products of any number of factors, ordered objectives."""

from __future__ import annotations

from functools import reduce

import numpy as np
from msgspec.structs import replace

from ...spec.errors import nearest
from ..call import Call
from ..lanes import Builder, Lanes
from ..types import Node, Type
from ..units import ONE
from .arithmetic import greatest, least
from .base import Array, Flag, Frame, any_lane, define, operation, plain

SHARE_OFF = 1e-6
"""How far a share may be outside [0, 1] before it is counted."""
MAX_REFERENCES = 10


def _share_rule(call: Call) -> Type:
    call.numbers()
    call.pure()
    return replace(call.fit(), units=(ONE,))


def _hamacher(frame: Frame, _node: Node, values: list[Array]) -> Array:
    """1 / (sum of 1 / a - (n - 1)), each a clipped to [0, 1]: 0 if any is 0, exactly 1 if all are 1."""
    one, low, high = np.float32(1), np.float32(-SHARE_OFF), np.float32(1 + SHARE_OFF)
    for a in values:
        frame.flag(any_lane((a < low) | (a > high)), Flag.DOMAIN)
    inverses = [one / greatest(np.zeros_like(a), least(a, np.ones_like(a))) for a in values]
    result: Array = one / (reduce(np.add, inverses) - np.float32(len(values) - 1))
    return result


def _lower_hamacher(builder: Builder, _node: Node, values: list[Lanes]) -> Lanes:
    b = builder
    for a in values:
        off = b.op("or", b.op("lt", a, -SHARE_OFF), b.op("gt", a, 1 + SHARE_OFF))
        b.mark(off, Flag.DOMAIN)
    inverses = [b.op("div", 1.0, b.op("max", 0.0, b.op("min", a, 1.0))) for a in values]
    total = reduce(lambda x, y: b.op("add", x, y), inverses)
    return b.op("div", 1.0, b.op("sub", total, float(len(values) - 1)))


operation(
    "hamacher",
    "a, *more",
    _share_rule,
    _hamacher,
    _lower_hamacher,
    "all of several shares in [0, 1]: 0 if any is 0, 1 if all are 1",
)


def _power_rule(call: Call) -> Type:
    call.numbers()
    call.pure()
    return replace(call.fit(), units=(ONE,))


def _power(x: Array, w: Array) -> Array:
    return np.power(x.astype(np.float64), w.astype(np.float64)).astype(np.float32)


operation(
    "power_by",
    "x, w",
    _power_rule,
    plain(_power),
    lambda b, _node, values: b.op("pow", *values),
    public=False,
)


def _root(n: int) -> str:
    return {1: "{}", 2: "sqrt({})"}.get(n, "({}) ** " + repr(1 / n))


def _geomean(call: Call) -> str:
    kind, eps, n = call.static["sign"], call.static["eps"], len(call.args)
    if kind not in ("product", "all"):
        call.fail(f"sign: unknown word '{kind}'{nearest(kind, ('product', 'all'))}")
    if eps < 0:
        call.fail(f"eps: expected a number of at least 0, got {eps}")
    names = ["a", *(f"more{i}" for i in range(n - 1))]
    sizes = " * ".join(_root(n).format(f"max(abs({a}), {eps!r})") for a in names)
    if kind == "all":
        negative = " or ".join(f"{a} < 0" for a in names)
        return f"where({negative}, -1, 1) * ({sizes})"
    return " * ".join(f"where({a} < 0, -1, 1)" for a in names) + f" * ({sizes})"


define(
    "geomean",
    "a, *more, sign:word=product, eps:number=0",
    _geomean,
    "geometric mean of absolute values, with the product of the signs, or -1 if any is negative",
    pure=True,
)
define("lex", "a, tau, b", "where(a >= tau, tau + b, a)", "a below tau, tau + b from there on")
define("chebyshev", "x, w, z", "-max(w * abs(x - z))", "minus the largest weighted distance from z")

SQUASHES = {
    "sigmoid": "sigmoid(k * (x - ref))",
    "tanh": "tanh(k * (x - ref))",
    "atan": "as_number(atan2(k * (x - ref), 1)) * 0.63661975",
    "clip": "clip(k * (x - ref), -1, 1)",
}


def _squash(call: Call) -> str:
    kind, (x, _, ref) = call.static["kind"], (n.type for n in call.args)
    if kind not in SQUASHES:
        call.fail(f"unknown shape '{kind}'{nearest(kind, SQUASHES)}")
    if ref.width > MAX_REFERENCES:
        call.fail(f"ref: expected at most {MAX_REFERENCES} references, got {ref.width}")
    return f"mean({SQUASHES[kind]})" if ref.width and not x.width else SQUASHES[kind]


define(
    "squash",
    "x, kind:word=sigmoid, k=1, ref=0",
    _squash,
    "k (x - ref) bounded; the mean over several references",
    pure=True,
)
