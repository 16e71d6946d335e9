"""What `pyembody reward explain` says of a task's rules: how channels combine, wait for each other, and its stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .tables import make_table

if TYPE_CHECKING:
    from rich.table import Table

    from ..program import CompiledTask
    from ..program.stages import EdgeRow
    from ..spec import Task
    from ..spec.gate import Gate

STAGE_TERMS = {
    "stages": "the reward of the edge that is taken, once",
    "stage_shaping": "shaping: gamma times the next stage's value less this one's; cancels over an episode",
}
"""What the terms that stages add pay, by name."""


def channel_title(task: Task, name: str) -> str:
    """Return a channel's rule in one line."""
    c = task.channels[name]
    rule = [c.combine] if c.combine == "sum" else [c.combine, f"gain {c.gain:g}", f"scale {c.scale}"]
    rule += [] if c.floor is None else [f"floor {c.floor:g}"]
    rule += [f"weight {c.weight:g}", f"gamma {c.gamma:g}", f"lambda {c.lam:g}"]
    rule += [] if c.episodic else ["episodic false"]
    if task.skills is not None and task.skills.channel == name:
        rule += [f"paid for skills by {task.skills.diversity}, {task.skills.prior} of {task.skills.size}"]
    return f"channel {name}: {', '.join(rule)}"


def gate_line(task: Task, name: str) -> str:
    """Return what gates a channel, and what of it gates others; empty for one without a gate."""
    gate = task.channels[name].gate
    if gate is None:
        return ""
    parts = [f"level {gate.level}", *_threshold(gate)]
    limits = {n: c.gate.level for n, c in task.channels.items() if c.gate and c.gate.threshold is not None}
    above = [n for n, level in limits.items() if level < gate.level]
    parts += [f"waits for the threshold of {' and '.join(above)}"] if above else []
    parts += [f"waits until {gate.when}"] if gate.when else []
    parts += [] if gate.cap is None else [f"cap {gate.cap:g} an episode"]
    parts += [] if gate.negative == "pass" else ["penalties gated too"]
    parts += [] if gate.pay == "sum" else ["divided by the episode's length"]
    return f"gate of {name}: {', '.join(parts)}; scope {task.gates.scope}, place {task.gates.place}"


def _threshold(gate: Gate) -> list[str]:
    from ..spec.gate import Adaptive

    limit = gate.threshold
    if limit is None:
        return []
    if isinstance(limit, Adaptive):
        of = f"quantile {limit.quantile:g} of {limit.window} episodes, from {limit.first:g} to {limit.last:g}"
        return [f"threshold: {gate.agg} reward {gate.compare} {of}"]
    return [f"threshold: {gate.agg} reward {gate.compare} {limit:g}"]


def stages_table(program: CompiledTask) -> Table | None:
    """Return a row for each edge of the stages or the machine, and for each stage that ends; None without stages."""
    from rich.markup import escape

    stages = program.stages
    if stages is None:
        return None
    table = make_table("stages", ["stage"], ["hold", "timeout", "reward"], "next", "until")
    for i, name in enumerate(stages.names):
        for edge in (e for e in stages.edges if e.source == i):
            hold, timeout = _times(edge, program.dt)
            row = (escape(name), hold, timeout, f"{edge.reward:g}", escape(stages.names[edge.target]))
            table.add_row(*row, escape(edge.text) if edge.text else "-")
        if i in stages.ends:
            table.add_row(escape(name), "-", "-", "-", "ends: " + ("failed" if i in stages.failed else "success"), "-")
    return table


def _times(edge: EdgeRow, dt: float) -> tuple[str, str]:
    """How long the condition has to hold, and after which time an edge without one is taken."""
    if edge.text:
        return (f"{edge.hold_s:g} s" if edge.hold_s else "-"), "-"
    return "-", f"{edge.least_steps * dt:g} s"
