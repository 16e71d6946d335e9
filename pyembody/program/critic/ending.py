"""Findings about the end of an episode: what it pays, what it costs, and what staying pays instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ...spec.task import Task
from ..compiled import CompiledTask
from ..types import Node
from .facts import learn
from .finding import Finding
from .terms import Pay
from .walk import NOTHING, Analysis

UNKNOWN = "a signal's range is not known"


@dataclass(frozen=True)
class Paid:
    """What a program pays where ranges that are not known are `near`, wide or `free`: what wide and free ones give
    differently is no figure of the program. One that is `alone` has no episode: its length is assumed.
    """

    wide: list[Pay]
    near: list[Pay]
    free: list[Pay]
    wide_analysis: Analysis
    free_analysis: Analysis
    alone: bool = False

    def known(self, pays: list[Pay]) -> bool:
        """Return whether no figure of `pays` needs an assumed range."""
        free = {(p.channel, p.name): p for p in self.free}
        return all((p.low, p.high) == (free[p.channel, p.name].low, free[p.channel, p.name].high) for p in pays)


def endings(task: Task, program: CompiledTask, paid: Paid) -> Iterator[Finding]:
    """Yield W-EARLY, W-FARM and W-END."""
    paid = replace(paid, wide=[p for p in paid.wide if not p.shaping])
    yield from _early(task, program, paid)
    yield from _farm(task, program, paid)
    if not task.success and program.stages is None:
        yield from _rewarded(program, paid)
        yield from _terminal(task)


def _early(task: Task, program: CompiledTask, paid: Paid) -> Iterator[Finding]:
    """W-EARLY: no step can pay more than 0, so ending the episode pays unless it costs."""
    terms = paid.wide
    if not task.terminations or not terms:
        return
    ends = _ends(program, terms, paid.wide_analysis)
    dense = [p for p in terms if (p.channel, p.name) not in ends]
    most = sum(p.high * task.channels[p.channel].weight for p in dense)
    penalty = sum(p.low * task.channels[p.channel].weight for p in terms if (p.channel, p.name) in ends)
    if most > 0 or not any(p.low < 0 for p in dense):
        return
    message = "no step can pay more than 0, and nothing is lost when the episode ends: ending it early pays best"
    fix = "an event term num(terminated) with a weight below what the rest of the episode costs, or pay for living"
    path = "terminations"
    if penalty == 0:
        yield Finding("W-EARLY", "W", path, message, (0, 0), "a cost of ending", "none", fix=fix)
    else:
        cost = sum(p.low * task.channels[p.channel].weight for p in dense)
        step = f"a step up to {-cost:.3g}" if paid.known(terms) else f"a step without known bound ({UNKNOWN})"
        message = f"no step can pay more than 0; ending costs {-penalty:.3g}, {step}"
        yield Finding("W-EARLY", "N", path, message, (0, 0), "a cost of ending above that of going on", fix=fix)


def _farm(task: Task, program: CompiledTask, paid: Paid) -> Iterator[Finding]:
    """W-FARM: staying and collecting the dense pay beats the bonus that ends the episode."""
    ends = _ends(program, paid.wide, paid.wide_analysis)
    steps = max(1, round(task.episode.length_s / program.dt))
    for pay in paid.wide:
        if pay.term.scale != "event" or (pay.channel, pay.name) not in ends or pay.high <= 0:
            continue
        dense = [p for p in paid.wide if p.term.scale != "event" and p.high > 0 and p.channel == pay.channel]
        found = farm(sum(p.high for p in dense), pay.high, task.channels[pay.channel].gamma, steps)
        if not found["farmable"]:
            yield from _across(task, paid, pay, steps)
        elif paid.known([*dense, pay]):
            yield _beaten(pay, sum(p.high for p in dense), found, f"an assumed {steps}" if paid.alone else f"{steps}")
        else:
            yield _unsure(task, paid, pay, dense, steps)


def _across(task: Task, paid: Paid, pay: Pay, steps: int) -> Iterator[Finding]:
    """W-FARM over channels, as a note: what a channel weighs for the actor also depends on how it is normalised."""
    open_channels = [c for c, channel in task.channels.items() if c == pay.channel or channel.gate is None]
    dense = [p for p in paid.wide if p.term.scale != "event" and p.high > 0 and p.channel in open_channels]
    staying = sum(p.high * task.channels[p.channel].weight for p in dense)
    bonus = pay.high * task.channels[pay.channel].weight
    found = farm(staying, bonus, task.channels[pay.channel].gamma, steps)
    if not found["farmable"] or not paid.known([*dense, pay]):
        return
    names = ", ".join(dict.fromkeys(p.channel for p in dense if p.channel != pay.channel))
    message = (
        f"channels {names} pay up to {staying:.3g} a step as weighted, the bonus that ends the episode {bonus:.3g}: "
        f"staying wins unless {found['break_even']} steps or fewer are left of {steps}"
    )
    fix = f"a gate on {names}, less weight there, or a potential f - prev(f) in place of the dense pay"
    yield Finding("W-FARM", "N", pay.path, message, pay.span, fix=fix, evidence=dict(found))


def _beaten(pay: Pay, dense: float, found: Mapping[str, float | int | bool], steps: str) -> Finding:
    message = (
        f"hovering pays up to {dense:.3g} a step, the bonus that ends the episode {pay.high:.3g}: staying wins unless "
        f"{found['break_even']} steps or fewer are left of {steps}"
    )
    needed = f"a bonus above {found['needed']:.3g}"
    fix = f"{needed}, a potential f - prev(f) in place of the dense pay, or a gate"
    got = f"{pay.high:.3g}"
    return Finding("W-FARM", "W", pay.path, message, pay.span, needed, got, fix=fix, evidence=dict(found))


def _unsure(task: Task, paid: Paid, pay: Pay, dense: list[Pay], steps: int) -> Finding:
    """W-FARM without a figure; a note if near ranges of the unknown signals do not do for it."""
    near = {(p.channel, p.name): p.high for p in paid.near}
    least = sum(near[p.channel, p.name] for p in dense)
    bonus = pay.high if paid.known([pay]) else near[pay.channel, pay.name]
    stands = bool(farm(least, bonus, task.channels[pay.channel].gamma, steps)["farmable"])
    message = f"hovering pays without known bound ({UNKNOWN}): staying may win over the bonus that ends the episode"
    fix = "clip or a kernel in the dense pay, a potential f - prev(f) in its place, or a gate"
    evidence = {} if stands else {"assumed": True}
    return Finding("W-FARM", "W" if stands else "N", pay.path, message, pay.span, fix=fix, evidence=evidence)


def _rewarded(program: CompiledTask, paid: Paid) -> Iterator[Finding]:
    """W-END: a term pays for the end of the episode, whatever brought it about."""
    conditions = [node for node in _conditions(program) if node.op != "constant"]
    for pay in (p for p in paid.wide if p.factor and p.term.expr):
        parts = set(_subtree(pay.node, paid.wide_analysis))
        for node in (n for n in conditions if paid.wide_analysis.keys(n) in parts):
            ended, going_on = _both(pay, node, paid.wide_analysis)
            if ended.high > max(going_on.high, 0.0):
                free, _ = _both(pay, node, paid.free_analysis)
                figure = f"{'' if ended.low == ended.high else 'up to '}+{ended.high:.3g}"
                amount = f" {figure}" if free.high == ended.high else ""
                yield _end(pay.path, pay.span, amount)
                break


def _both(pay: Pay, condition: Node, analysis: Analysis) -> tuple[Pay, Pay]:
    """A pay where the condition holds, and where it does not."""
    facts = (learn(NOTHING, condition, holds, analysis.keys, analysis.range) for holds in (True, False))
    ended, going_on = (replace(pay, range=analysis.value(pay.node, f, None).range) for f in facts)
    return ended, going_on


def _terminal(task: Task) -> Iterator[Finding]:
    for name, terminal in task.terminal.items():
        if terminal.value > 0 and terminal.when == "terminated" and task.terminations:
            yield _end(f"terminal.{name}", (0, 0), f" +{terminal.value:.3g}")


def _end(path: str, span: tuple[int, int], amount: str) -> Finding:
    message = f"ending the episode pays{amount}, and no success says that it is meant to end"
    fix = "success = the condition of the end that is wanted, or a weight below 0"
    return Finding("W-END", "W", path, message, span, "a success, or no pay for the end", "none", fix=fix)


def _conditions(program: CompiledTask) -> list[Node]:
    """`terminated`, and what it is made of."""
    group = program.groups.get("terminations")
    return [program.termination, *(node for _, node in (group.stores if group else ()))]


def _ends(program: CompiledTask, terms: list[Pay], analysis: Analysis) -> set[tuple[str, str]]:
    """Terms that read whether the episode ends."""
    keys = {analysis.keys(n) for n in _conditions(program) if n is not program.termination or n.op != "constant"}
    return {(p.channel, p.name) for p in terms if keys & set(_subtree(p.node, analysis))}


def _subtree(node: Node, analysis: Analysis) -> Iterator[int]:
    stack, seen = [node], set()
    while stack:
        top = stack.pop()
        if id(top) not in seen:
            seen.add(id(top))
            yield analysis.keys(top)
            stack += top.args


def farm(dense: float, bonus: float, gamma: float, steps: int) -> Mapping[str, float | int | bool]:
    """Return whether collecting `dense` a step for an episode of `steps` beats a `bonus` that ends it at once.

    Discounted pay of n more steps is dense (1 - gamma^n) / (1 - gamma), or dense n for gamma = 1. `needed` is the
    bonus that would win at the start, `break_even` the most steps left with which the bonus still wins.
    """

    def worth(n: int) -> float:
        return dense * n if gamma == 1 else dense * (1 - gamma**n) / (1 - gamma)

    enough = bonus * (1 + 1e-9)  # a draw is no reason to hover
    low, high = 0, steps
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if worth(middle) <= enough else (low, middle - 1)
    return {"farmable": worth(steps) > enough, "needed": worth(steps), "break_even": low}
