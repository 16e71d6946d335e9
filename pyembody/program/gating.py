"""What a program knows of its task's gates: the parameters of their thresholds, and what channels wait for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from ..spec.gate import Adaptive, Gate
from ..spec.task import Task
from .types import BOOL, SCALAR, Node, Type
from .units import ONE

CONDITIONS = "conditions"
"""The output group of what channels wait for, one column for each of `waiting`."""
ROUNDING = 1e-6


def waiting(task: Task) -> tuple[str, ...]:
    """Return the channels that wait for a condition of their own."""
    return tuple(name for name, c in task.channels.items() if c.gate is not None and c.gate.when)


def threshold_name(channel: str) -> str:
    """Return the parameter of a channel's threshold."""
    return f"{channel}.gate.threshold"


def start_threshold(gate: Gate | None) -> float | None:
    """Return a gate's threshold before training; None if it gates nobody."""
    threshold = None if gate is None else gate.threshold
    return threshold.first if isinstance(threshold, Adaptive) else threshold


def gate_bits(task: Task, paid: Sequence[Node], thresholds: Mapping[str, Node], met: Mapping[str, Node]) -> list[Node]:
    """Return 1 or 0 per gated channel: whether its running gate has opened in this episode.

    `paid` are the channels' rewards, `met` what channels wait for. Empty unless gates run.
    """
    if task.gates.scope != "running":
        return []
    gates = {name: channel.gate or Gate() for name, channel in task.channels.items()}
    rewards = dict(zip(gates, paid, strict=True))
    reached = {name: _reached(gates[name], rewards[name], limit) for name, limit in thresholds.items()}
    bits = []
    for name, gate in gates.items():
        above = [node for other, node in reached.items() if gates[other].level < gate.level]
        above += [Node("latch", (met[name],), BOOL, {})] if name in met else []
        if above:
            opens = Node("latch", (reduce(lambda a, b: Node("and", (a, b), BOOL, {}), above),), BOOL, {})
            bits.append(Node("where", (opens, _number(1.0), _number(0.0)), SCALAR, {}))
    return bits


def gated_channels(task: Task) -> tuple[str, ...]:
    """Return the channels that have a gate above them, or a condition of their own."""
    gates = {name: channel.gate or Gate() for name, channel in task.channels.items()}
    highest = min((g.level for g in gates.values() if g.threshold is not None), default=None)
    return tuple(n for n, g in gates.items() if g.when or (highest is not None and g.level > highest))


def shows_gates(task: Task, group: str) -> bool:
    """Return whether an observation group sees which gates are open."""
    shown = ("policy", "critic") if task.gates.observe == "all" else (task.gates.observe,)
    return task.gates.scope == "running" and group in shown


def _reached(gate: Gate, reward: Node, threshold: Node) -> Node:
    if gate.agg != "sum":
        now = Node("gt" if gate.compare == ">" else "ge", (reward, threshold), BOOL, {})
        return Node("latch", (now,), BOOL, {}) if gate.agg == "max" else now
    # the mean of the past is rounded: what equals the threshold counts as the exact sum would
    always = Node("constant", (), BOOL, {"values": (1.0,)})
    steps = Node("count_steps", (always,), SCALAR, {})
    total = Node("mul", (Node("running_mean", (reward,), SCALAR, {}), steps), SCALAR, {})
    slack = Node("mul", (Node("abs", (threshold,), SCALAR, {}), _number(ROUNDING)), SCALAR, {})
    op = ("gt", "add") if gate.compare == ">" else ("ge", "sub")
    return Node(op[0], (total, Node(op[1], (threshold, slack), SCALAR, {})), BOOL, {})


def _number(value: float) -> Node:
    return Node("constant", (), Type(units=(ONE,)), {"values": (value,)})
