"""Operations with memory. Each is updated exactly once a step; what is not finite is never
remembered.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from ..call import Call
from ..lanes import Builder, Lanes
from ..types import Node, Type
from ..units import ONE, S
from .base import Array, Frame, operation

MAX_DEPTH = 16
State = dict[str, Array]
Step = Callable[[State, Array, float, float], tuple[State, Array | None]]


def _number(call: Call) -> Type:
    if call.args[0].type.kind != "number":
        call.fail(f"expected numbers, got {call.args[0].type}")
    return replace(call.args[0].type, integer=False)


def _keep_rule(call: Call) -> Type:
    return call.args[0].type


def _depth_rule(call: Call) -> Type:
    k = call.static["k"]
    if not 1 <= k <= MAX_DEPTH:
        call.fail(f"k: expected 1 to {MAX_DEPTH}, got {k}", "limit_prev")
    return call.args[0].type


def _change_rule(call: Call) -> Type:
    return replace(_number(call), point=False)


def _rate_rule(call: Call) -> Type:
    t = _change_rule(call)
    return replace(t, units=tuple(u / S for u in t.units))


def _extreme_rule(call: Call) -> Type:
    call.plain()
    return _number(call)


def _bool_rule(call: Call) -> Type:
    call.bools()
    return call.args[0].type


def _seconds_rule(call: Call) -> Type:
    call.bools()
    return replace(call.args[0].type, kind="number", units=(S,))


def _steps_rule(call: Call) -> Type:
    call.bools()
    return replace(call.args[0].type, kind="number", units=(ONE,), integer=True)


def _unwrap_rule(call: Call) -> Type:
    call.numbers()
    call.angle()
    return replace(call.args[0].type, point=False, integer=False)


def _cycle_rule(call: Call) -> Type:
    t = _number(call)
    call.plain()
    call.equal(t.unit, ONE / S)
    return replace(t, units=(ONE,))


# --- one step of each: (state before, value, constant, dt) -> (state after, result) ----------------


def _delta(s: State, x: Array, _c: float, _dt: float) -> tuple[State, Array | None]:
    return {"x": x}, x - s["x"]


def _rate(s: State, x: Array, _c: float, dt: float) -> tuple[State, Array | None]:
    return {"x": x}, (x - s["x"]) / dt


def _ema(s: State, x: Array, tau: float, dt: float) -> tuple[State, Array | None]:
    y = s["x"] - math.expm1(-dt / tau) * (x - s["x"]) if tau > 0 else x
    return {"x": y}, y


def _initial(s: State, _x: Array, _c: float, _dt: float) -> tuple[State, Array | None]:
    return s, s["x"]


def _latch(s: State, x: Array, _c: float, _dt: float) -> tuple[State, Array | None]:
    y = np.maximum(s["on"], x)
    return {"on": y}, y


def _hold(s: State, x: Array, seconds: float, dt: float) -> tuple[State, Array | None]:
    steps = np.where(x != 0, s["steps"] + 1, 0.0)
    return {"steps": steps}, steps >= math.ceil(seconds / dt - 1e-9)


def _air_time(s: State, x: Array, _c: float, dt: float) -> tuple[State, Array | None]:
    steps = np.where(x != 0, 0.0, s["steps"] + 1)
    return {"steps": steps}, steps * dt


def _contact_time(s: State, x: Array, _c: float, dt: float) -> tuple[State, Array | None]:
    steps = np.where(x != 0, s["steps"] + 1, 0.0)
    return {"steps": steps}, steps * dt


def _first_contact(s: State, x: Array, _c: float, _dt: float) -> tuple[State, Array | None]:
    return {"air": np.where(x != 0, 0.0, 1.0)}, np.where(x != 0, s["air"], 0.0)


def _last_air_time(s: State, x: Array, _c: float, dt: float) -> tuple[State, Array | None]:
    landed = (x != 0) & (s["air"] > 0)
    last = np.where(landed, s["air"], s["last"])
    return {"air": np.where(x != 0, 0.0, s["air"] + 1), "last": last}, last * dt


def _count_steps(s: State, x: Array, _c: float, _dt: float) -> tuple[State, Array | None]:
    steps = s["steps"] + x
    return {"steps": steps}, steps


def _since(s: State, x: Array, _c: float, dt: float) -> tuple[State, Array | None]:
    seen = np.maximum(s["seen"], x)
    steps = np.where(x != 0, 0.0, np.where(seen > 0, s["steps"] + 1, 0.0))
    return {"seen": seen, "steps": steps}, steps * dt


def _running_max(s: State, x: Array, _c: float, _dt: float) -> tuple[State, Array | None]:
    y = np.maximum(s["x"], x)
    return {"x": y}, y


def _running_min(s: State, x: Array, _c: float, _dt: float) -> tuple[State, Array | None]:
    y = np.minimum(s["x"], x)
    return {"x": y}, y


def _running_mean(s: State, x: Array, _c: float, _dt: float) -> tuple[State, Array | None]:
    total, steps = s["total"] + x, s["steps"] + 1
    return {"total": total, "steps": steps}, total / steps


def _unwrap(s: State, x: Array, _c: float, _dt: float) -> tuple[State, Array | None]:
    turns = s["turns"] - np.floor((x - s["x"] + math.pi) / (2 * math.pi))
    return {"x": x, "turns": turns}, x + 2 * math.pi * turns


def _cycle(s: State, x: Array, _phase: float, dt: float) -> tuple[State, Array | None]:
    return {"turns": s["turns"] + x * dt}, None


def _rounded(node: Node, value: Array) -> Array:
    return value != 0 if node.type.kind == "bool" else value.astype(np.float32)


@dataclass(frozen=True)
class Remembering:
    """The meaning of an operation with memory: its slots, its step, and the name of its constant.

    A slot named `x` is seeded with the reset state's value, others with 0. `starts` says whether
    the value at reset is that of the slot `x`.
    """

    step: Step
    slots: tuple[str, ...]
    constant: str
    starts: bool

    def twin(self, frame: Frame, node: Node, values: list[Array]) -> Array:
        """The value of a step, or at reset; changes of a signal are taken in double."""
        arg = node.args[0]
        exact = arg.raw and node.op in ("delta", "rate", "unwrap")
        x = frame.raw(arg) if exact else values[0].astype(np.float64)
        memory = frame.memory(node)
        for slot in self.slots:
            memory.setdefault(slot, np.zeros_like(x))
        if frame.mask is not None:
            self._seed(frame, memory, frame.mask, x)
            return _rounded(node, self._value(node, memory, self.starts))
        number = float(node.static.get(self.constant, 0.0))
        after, value = self.step(memory, x, number, frame.dt)
        fine: Any = np.logical_and.reduce([np.isfinite(a) for a in after.values()])
        frame.flag(~fine.all(axis=(1, 2)), 4)
        memory.update({slot: np.where(fine, a, memory[slot]) for slot, a in after.items()})
        return _rounded(node, self._value(node, memory, True) if value is None else value)

    def lower(self, builder: Builder, node: Node, values: list[Lanes]) -> Lanes:
        """The lane operation of the same name."""
        floats = [float(node.static[self.constant])] if self.constant else []
        return builder.remember(node.op.removesuffix("_fixed"), values[0], (), floats)

    def _seed(self, frame: Frame, memory: State, mask: NDArray[np.bool_], x: Array) -> None:
        fine: Any = np.isfinite(x)
        if "x" in self.slots:
            frame.flag(~fine.all(axis=(1, 2)), 4)
        for slot in self.slots:
            memory[slot][mask] = np.where(fine, x, 0.0)[mask] if slot == "x" else 0.0

    def _value(self, node: Node, memory: State, starts: bool) -> Array:
        if node.op != "cycle_fixed":
            return (
                memory["x"]
                if starts and "x" in memory
                else np.zeros_like(next(iter(memory.values())))
            )
        turns = memory["turns"] + 1 - node.static["phase"]
        y = (turns - np.floor(turns)).astype(np.float32)
        return np.where(y >= 1, np.float32(0), y)


def remember(
    name: str,
    text: str,
    rule: Callable[[Call], Type],
    step: Step,
    slots: str,
    doc: str,
    *,
    constant: str = "",
    public: bool = True,
) -> None:
    """Add an operation with memory. One named `x_fixed` is the part of `x` whose number is constant."""
    starts = name not in ("delta", "rate")
    kept = Remembering(step, tuple(slots.split()), constant, starts)
    operation(name, text, rule, kept.twin, kept.lower, doc, public=public)


def _prev(frame: Frame, node: Node, values: list[Array]) -> Array:
    """Slot j holds the value of j + 1 steps ago."""
    k, x = node.static["k"], values[0].astype(np.float64)
    memory = frame.memory(node)
    fine: Array = np.isfinite(x)
    bad: Any = ~fine.all(axis=(1, 2))
    slots: Any = memory.setdefault("slots", np.zeros((k, *x.shape)))
    if frame.mask is not None:
        frame.flag(bad, 4)
        slots[:, frame.mask] = np.where(fine, x, 0.0)[frame.mask]
        return _rounded(node, slots[-1].copy())
    value = slots[-1].copy()
    frame.flag(bad, 4)
    slots[1:] = slots[:-1].copy()
    slots[0] = np.where(fine, x, slots[0])
    return _rounded(node, value)


operation(
    "prev",
    "x, k:int=1",
    _depth_rule,
    _prev,
    lambda builder, node, values: builder.remember("prev", values[0], (node.static["k"],)),
    "x of k steps ago",
)
remember("delta", "x", _change_rule, _delta, "x", "x minus x of the step before")
remember("rate", "x", _rate_rule, _rate, "x", "change of x per second")
remember("ema_fixed", "x, tau:number", _number, _ema, "x", "", constant="tau", public=False)
remember("initial", "x", _keep_rule, _initial, "x", "x at the start of the episode")
remember("latch", "c", _bool_rule, _latch, "on", "true from the first true c on")
remember("hold_fixed", "c, s:number", _bool_rule, _hold, "steps", "", constant="s", public=False)
remember("unwrap", "x", _unwrap_rule, _unwrap, "x turns", "an angle that does not jump by whole turns")
remember("air_time", "c", _seconds_rule, _air_time, "steps", "seconds without contact so far")
remember("contact_time", "c", _seconds_rule, _contact_time, "steps", "seconds in contact so far")
remember("first_contact", "c", _bool_rule, _first_contact, "air", "contact begins in this step")
remember(
    "last_air_time",
    "c",
    _seconds_rule,
    _last_air_time,
    "air last",
    "seconds of the air phase that ended last",
)
remember("count_steps", "c", _steps_rule, _count_steps, "steps", "steps with c so far")
remember("since", "c", _seconds_rule, _since, "seen steps", "seconds since c was true")
remember("running_max", "x", _extreme_rule, _running_max, "x", "greatest x of the episode")
remember("running_min", "x", _extreme_rule, _running_min, "x", "least x of the episode")
remember(
    "running_mean",
    "x",
    _extreme_rule,
    _running_mean,
    "total steps",
    "mean x over the episode's steps",
)
remember(
    "cycle_fixed",
    "freq, phase:number",
    _cycle_rule,
    _cycle,
    "turns",
    "",
    constant="phase",
    public=False,
)
