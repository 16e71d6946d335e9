"""Rules between the gates of one task."""

from __future__ import annotations

import math

from .errors import SpecError
from .gate import Adaptive, Gate
from .task import Task


def check_gates(task: Task, place: str) -> None:
    """Raise SpecError for thresholds that are not finite and for gates whose options contradict each other."""
    gates = {name: c.gate for name, c in task.channels.items() if c.gate is not None}
    highest = min((g.level for g in gates.values() if g.threshold is not None), default=math.inf)
    if task.gates.observe == "critic" and task.gates.scope == "running" and not task.observations.get("critic"):
        raise SpecError(f"{place}: gates.observe: expected [observations.critic] beside 'critic', got a task without")
    for name, gate in gates.items():
        here = f"{place}: channels.{name}.gate"
        _check_threshold(gate, f"{here}.threshold")
        gated = gate.level > highest or bool(gate.when)
        if gate.level > 0 and not gated:
            raise SpecError(f"{here}.level: expected another channel with a threshold and a level below {gate.level}")
        if gate.cap is not None and (gate.negative == "mask" or not math.isfinite(gate.cap)):
            got = "negative = 'mask'" if gate.negative == "mask" else f"cap = {gate.cap}"
            raise SpecError(f"{here}.cap: expected a finite number and negative = 'pass', got {got}")
        if gate.pay == "mean" and task.gates.scope == "running":
            raise SpecError(f"{here}.pay: expected 'sum' where gates.scope is 'running', got 'mean'")
        if gate.pay == "mean" and not gated:
            raise SpecError(f"{here}.pay: expected 'sum', as nothing gates this channel, got 'mean'")
        if gated and not task.channels[name].episodic:
            raise SpecError(f"{here}: expected a channel with episodic = true, as its gate opens by the episode")


def _check_threshold(gate: Gate, place: str) -> None:
    threshold = gate.threshold
    ends = (threshold.first, threshold.last) if isinstance(threshold, Adaptive) else (threshold,)
    for value in ends:
        if value is not None and not math.isfinite(value):
            raise SpecError(f"{place}: expected a finite number, got {value}")
    if isinstance(threshold, Adaptive) and threshold.first > threshold.last:
        raise SpecError(f"{place}: expected from <= to, got {threshold.first} > {threshold.last}")
