"""Operations with memory that read more than one value a step, or keep more than one number a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from msgspec.structs import replace

from ..call import Call
from ..lanes import Builder, Lanes
from ..types import Node, Type
from ..units import ONE
from .base import Array, Flag, Frame, define, operation

MAX_KEYS = 1024
Step = Callable[[Array, Array, list[Array]], Array]


def constant(node: Node) -> bool:
    """True for a number written in the text."""
    return node.op in ("literal", "constant") and node.type.lanes == 1


# --- a number that is an expression ---------------------------------------------------------------


def _ema_text(call: Call) -> str:
    if constant(call.args[1]):
        return "ema_fixed(x, tau)"
    return "ema_by(x, where(tau <= 0, 1, -expm1(-(dt / tau))))"


def _hold_text(call: Call) -> str:
    return "hold_fixed(c, s)" if constant(call.args[1]) else "contact_time(c) >= s - 0.001 * dt"


def _cycle_text(call: Call) -> str:
    if constant(call.args[1]):
        return "cycle_fixed(freq, phase)"
    return "(cycle_fixed(freq, 0) + 1 - phase) % 1"


define("ema", "x, tau", _ema_text, "x smoothed with the time constant tau, s")
define("hold", "c, s", _hold_text, "c was true for the last s seconds")
define("cycle", "freq, phase=0", _cycle_text, "phase of a clock in [0, 1)")


# --- one number of memory, several arguments ------------------------------------------------------


def _with(name: str, text: str, rule: Callable[[Call], Type], step: Step, starts: bool) -> None:
    """Add an operation that remembers one number: `step(memory, x, others)` gives its value.

    What is remembered next is x, or the value itself if `starts`, which is also the value at reset.
    """

    def twin(frame: Frame, node: Node, values: list[Array]) -> Array:
        exact = node.args[0].raw and not starts
        x = frame.raw(node.args[0]) if exact else values[0].astype(np.float64)
        memory = frame.memory(node)
        old = memory.setdefault("x", np.zeros_like(x))
        seeding = frame.mask is not None
        value = x if seeding else step(old, x, [v.astype(np.float64) for v in values[1:]])
        kept = value if starts else x
        fine: Any = np.isfinite(kept)
        frame.flag(~fine.all(axis=(1, 2)), Flag.MEMORY)
        if frame.mask is not None:
            old[frame.mask] = np.where(fine, kept, 0.0)[frame.mask]
            value = old if starts else np.zeros_like(x)
        else:
            memory["x"] = np.where(fine, kept, old)
        return value.astype(np.float32)

    def lower(builder: Builder, _node: Node, values: list[Lanes]) -> Lanes:
        x, *others = values
        others = [builder.spread(v, x.count, x.width) for v in others]
        index = builder.emit(name.removesuffix("_of"), [x.index, *(v.index for v in others)], x.lanes)
        return Lanes(index, x.count, x.width)

    operation(name, text, rule, twin, lower, public=False)


def _ema_by(old: Array, x: Array, others: list[Array]) -> Array:
    share = others[0]
    past: Array = np.where(np.isnan(share), share, x)
    return np.where(share < 1, old + share * (x - old), past)


def _potential(old: Array, phi: Array, others: list[Array]) -> Array:
    ended, gamma = others
    result: Array = gamma * np.where(ended != 0, 0.0, phi) - old
    return result


def _ema_rule(call: Call) -> Type:
    call.numbers()
    call.pure(1)
    if call.args[1].type.lanes not in (1, call.args[0].type.lanes):
        call.fail(f"tau: expected a scalar, got {call.args[1].type}")
    return replace(call.args[0].type, integer=False)


def _potential_rule(call: Call) -> Type:
    phi, ended, gamma = call.args
    if phi.type.kind != "number" or phi.type.width or phi.type.axis:
        call.fail(f"expected a scalar, got {phi.type}")
    if ended.type.kind != "bool" or gamma.type.kind != "number" or gamma.type.lanes != 1:
        call.fail(f"expected a truth value and a scalar gamma, got {ended.type}, {gamma.type}")
    call.pure(2)
    return replace(phi.type, integer=False)


_with("ema_by", "x, share", _ema_rule, _ema_by, True)
_with("potential_of", "phi, ended, gamma", _potential_rule, _potential, False)
define(
    "potential",
    "phi, gamma=%gamma, ended=%terminated",
    "potential_of(phi, ended, gamma)",
    "gamma phi minus phi of the step before; phi counts as 0 once terminated",
)


# --- visits of a key ------------------------------------------------------------------------------


def _count_rule(call: Call) -> Type:
    keys, t = call.static["keys"], call.args[0].type
    if not 1 <= keys <= MAX_KEYS:
        call.fail(f"keys: expected 1 to {MAX_KEYS}, got {keys}", "limit_keys")
    if t.kind != "number" or not t.integer:
        call.fail(f"expected whole numbers (floor rounds), got {t}")
    call.pure()
    return replace(t, units=(ONE,))


def _count(frame: Frame, node: Node, values: list[Array]) -> Array:
    keys, x = node.static["keys"], values[0]
    seen: Any = frame.memory(node).setdefault("seen", np.zeros((*x.shape, keys)))
    if frame.mask is not None:
        seen[frame.mask] = 0
        return np.zeros_like(x)
    known = (x >= 0) & (x < keys) & (np.floor(x) == x)
    frame.flag(~known.all(axis=(1, 2)), Flag.KEY_OVERFLOW)
    index = np.where(known, x, 0).astype(np.int64)[..., None]
    old = np.take_along_axis(seen, index, 3)
    np.put_along_axis(seen, index, old + known[..., None], 3)
    return np.where(known, old[..., 0] + 1, 0).astype(np.float32)


operation(
    "episodic_count",
    "id, keys:int=256",
    _count_rule,
    _count,
    lambda b, node, values: b.remember("episodic_count", values[0], (node.static["keys"],)),
    "how often the key id (0 to keys - 1) came up in this episode",
)
