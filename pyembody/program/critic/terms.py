"""Findings about what terms pay: without bound, at the wrong time, twice, or in a form that undoes itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ...spec.task import Task, Term
from ..compiled import CompiledTask
from ..staging import SHAPING
from ..types import Node
from .finding import Finding
from .interval import Range
from .potential import shaping
from .underflow import Positive
from .walk import Analysis

UNBOUNDED = 1e30
"""What a range reaches only if nothing bounds it."""
DEFAULT_MAX_ABS = Term("").max_abs
STAYS = {"air_time": "up", "contact_time": "down"}
"""Where a foot stays while an operation grows."""
CONSTANT = ("literal", "constant", "param")


@dataclass(frozen=True)
class Pay:
    """What a channel is paid by: its channel, name, value, range, factor from value to pay a step, and place.

    One for each term, also what stages pay, and one for the combination of a channel that is no sum. A term of such a
    channel is `joined`: its factor is 0, the combination has the pay. Without a text of its own `term.expr` is empty.
    """

    channel: str
    name: str
    term: Term
    node: Node
    range: Range
    factor: float
    path: str
    joined: bool = False

    @property
    def span(self) -> tuple[int, int]:
        """The whole text."""
        return 0, len(self.term.expr.strip())

    @property
    def shaping(self) -> bool:
        """Whether it is the change of the stages' values, which cancels over an episode."""
        return self.name == SHAPING and self.path == "staging"

    @property
    def low(self) -> float:
        """The least pay a step."""
        return min(self.factor * end for end in self.ends) + 0.0 if self.factor else 0.0

    @property
    def high(self) -> float:
        """The most pay a step."""
        return max(self.factor * end for end in self.ends) + 0.0 if self.factor else 0.0

    @property
    def ends(self) -> tuple[float, float]:
        """The range's ends within the term's clip."""
        low, high = self.term.clip or (-math.inf, math.inf)
        return min(max(self.range.low, low), high), min(max(self.range.high, low), high)


def pays(task: Task, program: CompiledTask, analysis: Analysis) -> list[Pay]:
    """Return what pays with its range: every term in the order of `term_names`, then the combinations of channels."""
    found = []
    stores = program.groups["raw"].stores if "raw" in program.groups else ()  # errors may have left no term
    for (_, raw), full in zip(stores, program.term_names, strict=True):
        channel, _, name = full.partition(".")
        term, node = task.channels[channel].terms.get(name), raw.args[0] if raw.op == "guard" else raw
        if term is None:  # what stages pay
            paid = Term("", scale="event")
            found.append(Pay(channel, name, paid, node, analysis.range(node), 1.0, "staging"))
            continue
        joined = task.channels[channel].combine != "sum"
        factor = 0.0 if joined else term.weight * _steps(term.scale, program)
        path = f"channels.{channel}.terms.{name}.expr"
        found.append(Pay(channel, name, term, node, analysis.range(node), factor, path, joined))
    return found + list(_combinations(task, program, analysis))


def _steps(scale: str, program: CompiledTask) -> float:
    return program.dt if scale == "rate" else 1.0


def _combinations(task: Task, program: CompiledTask, analysis: Analysis) -> Iterator[Pay]:
    """What the terms of a channel that is no sum pay together."""
    stores = program.groups["lines"].stores if "lines" in program.groups else ()
    for (_, line), full in zip(stores, program.line_names, strict=True):
        channel, _, name = full.partition(".")
        c = task.channels[channel]
        if c.combine != "sum" and name == c.combine:
            value = line.args[1]  # of gain times step times value
            paid, factor = Term("", weight=c.gain, scale=c.scale), c.gain * _steps(c.scale, program)
            yield Pay(channel, name, paid, value, analysis.range(value), factor, f"channels.{channel}.combine")


def unbounded(terms: list[Pay], forever: list[Pay]) -> Iterator[Finding]:
    """W-UNBOUNDED: nothing but the robot's build keeps the pay finite; `forever` is the same with phases in the air and
    in contact without end.
    """
    for pay, longest in zip(terms, forever, strict=True):
        if pay.term.max_abs < DEFAULT_MAX_ABS or not pay.factor:
            continue
        if pay.high >= abs(pay.factor) * UNBOUNDED:
            message = "pays without bound in the direction that it rewards: more of it always pays more"
            fix = "a kernel or tolerance of the error, clip, or a max_abs of the size that is wanted"
            yield Finding("W-UNBOUNDED", "W", pay.path, message, pay.span, "an upper bound", "none", fix=fix)
        elif longest.high >= abs(pay.factor) * UNBOUNDED and "first_contact" not in _operations(pay.node):
            stays = " or ".join(stay for name, stay in STAYS.items() if name in _operations(pay.node))
            message = f"pays without bound: it grows as long as the foot stays {stays}"
            fix = "min(x, 0.5), a clip, or pay at touch-down: where(first_contact(c), last_air_time(c), 0)"
            yield Finding("W-UNBOUNDED", "W", pay.path, message, pay.span, "an upper bound", "none", fix=fix)


def _operations(node: Node) -> set[str]:
    """The operations in a tree."""
    stack, seen = [node], {id(node): node.op}
    while stack:
        for part in stack.pop().args:
            if id(part) not in seen:
                seen[id(part)] = part.op
                stack.append(part)
    return set(seen.values())


def structure(task: Task, program: CompiledTask, terms: list[Pay], analysis: Analysis) -> Iterator[Finding]:
    """Yield what the terms' forms say."""
    yield from _twice([p for p in terms if p.term.expr], analysis)
    for pay in (p for p in terms if p.term.expr and not p.joined):
        yield from _affine(pay)
        yield from shaping(pay.node, pay.path, pay.span, task.channels[pay.channel].gamma, task, program, analysis)


def _twice(terms: list[Pay], analysis: Analysis) -> Iterator[Finding]:
    first: dict[tuple[int, str], Pay] = {}
    for pay in terms:
        key = (analysis.keys(pay.node), pay.term.scale)
        if key in first:
            other = f"{first[key].channel}.{first[key].name}"
            message = f"says the same as {other}: it pays twice"
            yield Finding("W-DUP", "W", pay.path, message, pay.span, "another expression", other, fix="add the weights")
        first.setdefault(key, pay)


def _affine(pay: Pay) -> Iterator[Finding]:
    node = pay.node
    if node.op in ("add", "sub") and any(_constant(a) for a in node.args) and not all(_constant(a) for a in node.args):
        message = "a constant added to a term changes what a step pays, not which behaviour is best while episodes last"
        fix = "leave the constant out unless living longer is meant to pay or cost"
        yield Finding("N-AFFINE", "N", pay.path, message, pay.span, fix=fix)


def _constant(node: Node) -> bool:
    return node.op in CONSTANT or (
        bool(node.args) and node.op != "count_steps" and all(_constant(a) for a in node.args)
    )


def zeros(terms: list[Pay], analysis: Analysis) -> Iterator[Finding]:
    """W-ZERO: one factor of a product of shares can be 0 and hide what the others say. N-ZERO: by rounding only."""
    positive = Positive(analysis)
    for pay in (p for p in terms if p.term.expr):
        factors = [f for f in _factors(pay.node) if not _constant(f)]
        ranges = [analysis.range(f) for f in factors]
        shares = [(f, r) for f, r in zip(factors, ranges, strict=True) if r.low >= 0 and r.high <= 1 and not _gate(f)]
        for factor, r in shares:
            if len(shares) > 1 and r.low == 0:
                place = analysis.places.get(id(factor))
                span = pay.span if place is None or pay.path not in place.path else (place.start, place.end)
                yield _zero("product", pay.path, span, positive(factor))


def _zero(kind: str, path: str, span: tuple[int, int], rounded: bool) -> Finding:
    """What a factor that can be 0 hides; a note if only rounding makes it 0."""
    if rounded:
        message = f"this factor never ends, but float32 rounds it to 0 far away: the {kind} says nothing there"
        fix = "a wider scale, or a longer tail: inverse, or tolerance with sigmoid='reciprocal'"
        return Finding("N-ZERO", "N", path, message, span, fix=fix)
    message = f"this factor can be exactly 0 while the others are not: the {kind} then says nothing of them"
    fix = "max(x, 0.01), a kernel that never ends (gauss, laplace, inverse), or a sum"
    return Finding("W-ZERO", "W", path, message, span, "a factor above 0", "0 in its range", fix=fix)


def joined(task: Task, terms: list[Pay], analysis: Analysis) -> Iterator[Finding]:
    """W-ZERO, N-ZERO and E-BOUND of the terms of a channel that multiplies them."""
    positive = Positive(analysis)
    for name, channel in task.channels.items():
        members = [p for p in terms if p.joined and p.channel == name and p.term.weight and not _constant(p.node)]
        if channel.combine not in ("product", "geomean", "hamacher"):
            continue
        # a root of a number below 0 is none
        least = -1.0 if channel.combine == "product" and all(p.term.weight % 1 == 0 for p in members) else 0.0
        for pay in members:
            low, high = pay.ends
            if low < least or high > 1:
                got, legal, fix = f"[{low:.4g}, {high:.4g}]", f"[{least:g}, 1]", "clip = [0, 1], or a kernel"
                message = f"a factor of a {channel.combine} is in {got}, not provably in {legal}"
                yield Finding("E-BOUND", "E", pay.path, message, pay.span, legal, got, fix=fix)
            elif low == 0 and len(members) > 1 and not _gate(pay.node):
                yield _zero(channel.combine, pay.path, pay.span, positive(pay.node))


def other_step(program: CompiledTask, terms: list[Pay], tuned: float) -> Iterator[Finding]:
    """W-RATE: what is paid a step, whatever its length, pays another amount a second than where it was tuned."""
    if abs(tuned - program.dt) <= 1e-6 * tuned:
        return
    times = tuned / program.dt
    for pay in (p for p in terms if p.term.scale == "none" and p.term.weight and not p.joined):
        expected, got = f"a step of {tuned:g} s", f"{program.dt:g} s"
        message = f"pays each step alike: tuned at {expected}, it pays {times:.3g} times as much a second at {got}"
        fix = f'scale = "rate" and the weight divided by {tuned:g}'
        yield Finding("W-RATE", "W", pay.path, message, pay.span, expected, got, fix=fix)


def _factors(node: Node) -> list[Node]:
    if node.op in ("mul", "hamacher") or (node.op == "prod" and len(node.args) > 1):
        return [f for a in node.args for f in _factors(a)]
    return [node]


def _gate(node: Node) -> bool:
    """A factor that is meant to switch: a truth value as a number."""
    return node.op == "num" or node.type.integer
