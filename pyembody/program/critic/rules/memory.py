"""Ranges of operations with memory: what is remembered was a finite value of the argument in some step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...types import Node
from ..interval import MAX, Array, Range, div, hull, make, point, sub, widen
from .base import REMEMBERING, Context, Rule, rule


def remembering(*names: str) -> Callable[[Rule], Rule]:
    """Return the decorator of a rule for operations with memory."""
    REMEMBERING.update(names)
    return rule(*names)


def kept(x: Range) -> Range:
    """Range of what can be in a memory of x: finite, and 0 in the place of a first value that was not."""
    lost = x.nan | x.infinite
    low, high = (np.clip(v, -MAX, MAX) for v in (x.lo, x.hi))
    return make(np.where(lost, np.minimum(low, 0), low), np.where(lost, np.maximum(high, 0), high))


@remembering("prev", "initial")
def _past(_context: Context, _node: Node, args: tuple[Range, ...]) -> Range:
    return kept(args[0])


@remembering("ema_fixed", "ema_by", "running_max", "running_min")
def _smoothed(_context: Context, _node: Node, args: tuple[Range, ...]) -> Range:
    """A new value shows at once, NaN included; a mixture of values lies between them."""
    x = args[0]
    found = widen(hull(kept(x), x), 1)
    return make(found.lo, found.hi, found.nan | (len(args) > 1 and bool(args[1].nan.any())))


@remembering("running_mean")
def _mean(_context: Context, _node: Node, args: tuple[Range, ...]) -> Range:
    """0 at reset."""
    return hull(widen(hull(kept(args[0]), args[0])), point(0.0))


@remembering("delta")
def _delta(_context: Context, _node: Node, args: tuple[Range, ...]) -> Range:
    return _change(args[0])


@remembering("rate")
def _rate(context: Context, _node: Node, args: tuple[Range, ...]) -> Range:
    return widen(div(_change(args[0]), point(context.dt)))


def _change(x: Range) -> Range:
    found = widen(sub(x, kept(x)))
    return make(np.minimum(found.lo, 0), np.maximum(found.hi, 0), x.nan)


@remembering("latch", "hold_fixed", "first_contact")
def _truth(_context: Context, node: Node, args: tuple[Range, ...]) -> Range:
    never = args[0].hi == 0
    if node.op == "first_contact":
        never = never | (args[0].lo == 1)
    if node.op == "hold_fixed":
        never = never & (node.static["s"] > 0)
    return make(np.zeros(args[0].shape), np.where(never, 0, 1))


@remembering("air_time", "contact_time", "last_air_time", "since")
def _seconds(context: Context, node: Node, args: tuple[Range, ...]) -> Range:
    c = args[0]
    never: Array = (c.lo == 1) if node.op == "air_time" else (c.hi == 0)
    longest = np.where(never, 0, _longest(context, node))
    return widen(make(np.zeros(c.shape), longest))


def _longest(context: Context, node: Node) -> float:
    if context.phase is not None and node.op in ("air_time", "contact_time"):
        return context.phase
    return (context.steps + 1) * context.dt


@remembering("count_steps")
def _steps(context: Context, _node: Node, args: tuple[Range, ...]) -> Range:
    return make(np.zeros(args[0].shape), np.where(args[0].hi == 0, 0, context.steps + 1))


@remembering("cycle_fixed")
def _cycle(_context: Context, _node: Node, args: tuple[Range, ...]) -> Range:
    return make(0, np.nextafter(np.float32(1), np.float32(0)), False, args[0].shape)
