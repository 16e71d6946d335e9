"""What `pyembody reward explain` prints: terms, what they pay, parameters."""

from __future__ import annotations

from collections.abc import Mapping
from math import isinf, isnan
from typing import TYPE_CHECKING

from .reward_rules import STAGE_TERMS
from .tables import make_table

if TYPE_CHECKING:
    from rich.table import Table

    from ..analysis.audit import Audit
    from ..analysis.statistics import Mean
    from ..program import CompiledTask
    from ..program.critic import Bound, Pay
    from ..program.params import ParamInfo
    from ..spec import Task

UNKNOWN = 1e30


def signals_table(program: CompiledTask) -> Table:
    """Return the signals that a program reads: the shape of an array of N rows, unit and frame."""
    from rich.markup import escape

    from ..program.arrays import form

    table = make_table("signals that it reads", ["signal"], [], "kind", "array", "unit", "frame", "elements")
    own = program.param_rows(0)
    for s in (s for s in program.inputs if s.name not in own):
        table.add_row(s.name, s.kind, escape(form(s)), s.unit, s.frame, " ".join(s.labels))
    return table


def terms_table(task: Task, program: CompiledTask, channel: str) -> Table:
    """Return a channel's terms: weight, scale, unit of the raw value, expression, and its use."""
    from rich.markup import escape

    c = task.channels[channel]
    table = make_table("", ["term"], ["weight"], "scale", "unit", "expression")
    for name, unit in zip(program.term_names, program.term_units, strict=True):
        owner, _, term = name.partition(".")
        if owner == channel:
            t = c.terms.get(term)
            if t is None:
                table.add_row(term, "1", "event", unit, STAGE_TERMS[term])
                continue
            about = escape(t.expr) + (f"\n[dim]{escape(t.doc)}[/]" if t.doc else "")
            table.add_row(term, f"{t.weight:g}", t.scale if c.combine == "sum" else "-", unit, about)
    return table


def parameters_table(program: CompiledTask) -> Table:
    """Return the parameters that may change while the program runs, but for the terms' weights."""
    title = "parameters that may change while it runs (every weight too)"
    table = make_table(title, ["parameter"], ["value"], "unit", "legal", "what it is")
    for name, p in program.params.items():
        if not name.endswith(".weight"):
            table.add_row(name, f"{p.value:g}", p.unit, _legal(p), p.doc)
    return table


def _legal(p: ParamInfo) -> str:
    """The range that a parameter declares; scales of kernels are above 0 whatever it is."""
    if p.positive and p.low <= 0:
        return "above 0" if isinf(p.high) else f"above 0, to {p.high:g}"
    if isinf(p.low) or isinf(p.high):
        return "any" if isinf(p.low) and isinf(p.high) else f"to {p.high:g}" if isinf(p.low) else f"from {p.low:g}"
    return f"{p.low:g} .. {p.high:g}"


def pay_table(task: Task, program: CompiledTask, bounds: Mapping[str, Bound], episode: bool = True) -> Table:
    """Return what each term pays: for one unit of its raw value in a step and an `episode` (if it has one), and its
    bounds a step.

    A bound that needs a signal whose range is not known is left open. Terms that are multiplied, say, have a line
    together, by the name of the combination.
    """
    from ..program.critic import analyse, pays

    phase = None if episode else UNKNOWN  # without an episode nothing ends a foot's time in the air
    known = pays(task, program, analyse(task, program, bounds, UNKNOWN, phase=phase))
    steps = round(task.episode.length_s / program.dt)
    title = "pay for one unit of raw value, and least and most a step"
    title += f"; an episode has {steps} steps of {program.dt:g} s" if episode else ""
    table = make_table(title, ["channel", "term"], ["a step", *["an episode"] * episode, "least", "most"])
    for pay in known:
        if pay.joined:
            table.add_row(pay.channel, pay.name, *["-"] * (3 + episode))
            continue
        whole = pay.factor * (1 if pay.term.scale == "event" else steps)
        least, most = (_bound(v, pay) for v in (pay.low, pay.high))
        table.add_row(pay.channel, pay.name, f"{pay.factor:.3g}", *[f"{whole:.3g}"] * episode, least, most)
    return table


def _bound(value: float, pay: Pay) -> str:
    return "open" if abs(value) >= abs(pay.factor) * UNKNOWN else f"{value + 0.0:.3g}"


def audit_tables(audit: Audit) -> tuple[Table, Table]:
    """Return what each term pays each policy a second with its 95 % interval's half-width, and its share of all pay.

    Terms stand below their channels, and numbers are short: four policies fit a terminal of 80 columns.
    """
    names = list(audit.terms)
    pays = make_table("audit: pay per second ± 95 %", ["term"], names)
    shares = make_table("audit: share of all pay and cost", ["term"], names)
    if audit.shaping:
        pays.caption, pays.caption_justify = "* shaping: cancels over an episode", "left"
    channel = ""
    owners = list(dict.fromkeys(full.partition(".")[0] for full in audit.term_names))
    for full in sorted(audit.term_names, key=lambda full: owners.index(full.partition(".")[0])):
        owner, _, term = full.partition(".")
        if owner != channel:
            channel = owner
            for table in (pays, shares):
                table.add_row(f"[bold]{owner}[/]")
        found = [audit.terms[n][full] for n in names]
        mark = "*" if full in audit.shaping else ""
        pays.add_row(f" {term}{mark}", *(_with_interval(a.per_second) for a in found))
        shares.add_row(f" {term}", *("-" if isnan(a.share) else f"{a.share:.0%}" for a in found))
    pays.add_row("[bold]all channels[/]", *(_with_interval(audit.totals[n]) for n in names))
    return pays, shares


def _with_interval(mean: Mean) -> str:
    """A mean and its half-width; one that is the same everywhere has none."""
    if isnan(mean.mean):
        return "-"
    half = (mean.high - mean.low) / 2
    exact = abs(half) <= 1e-9 * abs(mean.mean)
    return short(mean.mean, 3) + ("" if exact else f"±{short(half, 1)}")


def short(value: float, digits: int) -> str:
    """Return a number in at most 7 characters: exponents without zeros, for all below a hundredth, cost a digit."""
    if value and not 0.01 <= abs(value) < 1000:
        mantissa, _, exponent = f"{value:.{max(digits - 2, 0)}e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{value:.{digits}g}"
