"""What gates promise only of some outcomes: that an open episode returns more than a closed one."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from itertools import product

import numpy as np

from ...spec.gate import Adaptive, Gate
from ...spec.task import Task
from ..compiled import CompiledTask
from ..gating import gated_channels
from .finding import Finding
from .terms import Pay

MOST_OUTCOMES = 1024


def order(task: Task, program: CompiledTask, terms: list[Pay]) -> Iterator[Finding]:
    """W-ORDER: with a discount and episodes of unequal length, a closed episode may return more than an open one.

    Discounted, an outcome counts for more the sooner it comes. A short closed episode stays below a long open one only
    if what is closed pays at most 0 and what is open pays more than 0. The order is promised of the highest gates; of
    one that adapts, for the threshold that it ends at.
    """
    gates = {name: gate for name, c in task.channels.items() if (gate := c.gate) and gate.threshold is not None}
    highest = min((gate.level for gate in gates.values()), default=None)
    top = {name: gate for name, gate in gates.items() if gate.level == highest}
    below = [name for name in gated_channels(task) if name not in top]
    if not below or program.termination.op == "constant":
        return
    for name, gate in top.items():
        if min(task.channels[c].gamma for c in (name, *below)) < 1:
            found = _disorder(gate, [p for p in terms if p.channel == name and not p.joined])
            if found:
                fix = "an outcome that pays nothing below the threshold: an event term num(...), or gamma = 1"
                message = f"{found}: discounted, a short closed episode can return more than a long open one"
                yield Finding("W-ORDER", "W", f"channels.{name}.gate.threshold", message, fix=fix)


def _disorder(gate: Gate, paid: list[Pay]) -> str:
    """Which outcome of a step is on the wrong side of 0, empty if none is."""
    threshold = gate.threshold.last if isinstance(gate.threshold, Adaptive) else gate.threshold or 0.0
    opens = operator.gt if gate.compare == ">" else operator.ge
    values = _outcomes(paid)
    if not values:  # a range: its ends, and what lies between them around 0 and the threshold
        low, high = sum(p.low for p in paid), sum(p.high for p in paid)
        around = (np.nextafter(x, y) for x in (0.0, threshold) for y in (-np.inf, x, np.inf))
        values = [low, high, *(float(x) for x in around if low <= x <= high)]
    if any(opens(v, threshold) and v <= 0 for v in values):
        return f"the gate opens at outcomes from {threshold:g} on, and one of them pays no more than 0"
    if any(not opens(v, threshold) and v > 0 for v in values):
        return f"the gate is closed for outcomes below {threshold:g}, and one of them pays more than 0"
    return ""


def _outcomes(paid: list[Pay]) -> list[float]:
    """All that the terms can pay together in a step, empty if that is a range or too much to list."""
    values = [_values(pay) for pay in paid]
    if not all(values) or math.prod(map(len, values)) > MOST_OUTCOMES:
        return []
    return [sum(each) for each in product(*values)]


def _values(pay: Pay) -> tuple[float, ...]:
    """All that a term can pay a step, empty if that is a range."""
    if pay.low == pay.high:
        return (pay.low,)
    return (pay.low, pay.high) if pay.node.op == "num" else ()
