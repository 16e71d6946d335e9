"""What `pyembody reward explain` prints: terms, what they pay, parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .tables import make_table

if TYPE_CHECKING:
    from rich.table import Table

    from ..analysis.audit import Audit
    from ..program import CompiledTask
    from ..program.critic import Pay
    from ..spec import Robot, Task

UNKNOWN = 1e30


def terms_table(task: Task, program: CompiledTask, channel: str) -> Table:
    """Return a channel's terms: weight, scale, unit of the raw value, expression, and its use."""
    from rich.markup import escape

    c = task.channels[channel]
    title = f"channel {channel}: weight {c.weight:g}, gamma {c.gamma:g}, lambda {c.lam:g}"
    table = make_table(title, ["term"], ["weight"], "scale", "unit", "expression")
    for name, unit in zip(program.term_names, program.term_units, strict=True):
        owner, _, term = name.partition(".")
        if owner == channel:
            t = c.terms.get(term)
            if t is None:
                table.add_row(term, "1", "event", unit, "what the stages pay")
                continue
            about = escape(t.expr) + (f"\n[dim]{escape(t.doc)}[/]" if t.doc else "")
            table.add_row(term, f"{t.weight:g}", t.scale, unit, about)
    return table


def parameters_table(program: CompiledTask) -> Table:
    """Return the parameters that may change while the program runs, but for the terms' weights."""
    title = "parameters that may change while it runs (every weight too)"
    table = make_table(title, ["parameter"], ["value"], "unit", "legal", "what it is")
    for name, p in program.params.items():
        if not name.endswith(".weight"):
            low, high = "0" if p.positive else f"{p.low:g}", f"{p.high:g}"
            legal = "any" if (low, high) == ("-inf", "inf") else f"{low} .. {high}"
            table.add_row(name, f"{p.value:g}", p.unit, legal, p.doc)
    return table


def pay_table(task: Task, robot: Robot, program: CompiledTask) -> Table:
    """Return what each term pays: for one unit of its raw value in a step and an episode, and its bounds a step.

    A bound that needs a signal whose range is not known is left open.
    """
    from ..envs.critique import model_bounds
    from ..envs.provided import provided_signals
    from ..program.critic import analyse, pays, signal_bounds

    bounds = signal_bounds(provided_signals(robot, task), robot, task, model_bounds(robot, task))
    known = pays(task, program, analyse(task, program, bounds, UNKNOWN))
    steps = round(task.episode.length_s / program.dt)
    title = (
        f"pay for one unit of raw value, and least and most a step; an episode has {steps} steps of {program.dt:g} s"
    )
    table = make_table(title, ["channel", "term"], ["a step", "an episode", "least", "most"])
    for pay in known:
        times = 1 if pay.term.scale == "event" else steps
        least, most = (_bound(v, pay) for v in (pay.low, pay.high))
        table.add_row(pay.channel, pay.name, f"{pay.factor:.3g}", f"{pay.factor * times:.3g}", least, most)
    return table


def _bound(value: float, pay: Pay) -> str:
    return "open" if abs(value) >= abs(pay.factor) * UNKNOWN else f"{value + 0.0:.3g}"


def audit_table(audit: Audit) -> Table:
    """Return what each term pays each policy a second, its interval's half-width, and its share of all pay."""
    title = "audit: pay per second ± 95 %, and share of all pay and cost"
    names = list(audit.terms)
    table = make_table(title, ["term"], [])
    for name in names:
        table.add_column(name, justify="right")
    for term in audit.term_names:
        cells = [(a.per_second, a.share) for a in (audit.terms[n][term] for n in names)]
        table.add_row(term, *(f"{m.mean:.3g} ± {(m.high - m.low) / 2:.1g}  {share:.0%}" for m, share in cells))
    table.add_row("[bold]all channels[/]", *(f"{audit.totals[n].mean:.3g}" for n in names))
    return table
