"""One pass over a typed tree that gives every node its range, and every NaN and infinity the place where it arises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..params import ParamInfo
from ..types import Node, Place
from .facts import Facts, Keys, learn
from .interval import Range, hull, meet, point, square, top
from .rules import LANEWISE, REMEMBERING, RULES, Context

NOTHING = Facts()


@dataclass(frozen=True)
class Origin:
    """The node where a NaN or an infinity arises: an operation and the ranges that it was given."""

    node: Node
    place: Place | None
    args: tuple[Range, ...]


@dataclass(frozen=True)
class Value:
    """A node's range, and where its NaN and infinities come from."""

    range: Range
    nan: Origin | None = None
    inf: Origin | None = None


@dataclass(frozen=True)
class Sink:
    """A place that a NaN or infinity must not reach: an output, a comparison, a memory."""

    node: Node
    value: Value
    kind: str


@dataclass
class Analysis:
    """Ranges of a program's nodes for given ranges of its signals and parameters.

    `visited` holds every evaluation (node, arguments' values, value) that can happen, in order; a branch that is never
    taken is not evaluated.
    """

    context: Context
    places: Mapping[int, Place]
    keys: Keys = field(default_factory=Keys)
    sinks: list[Sink] = field(default_factory=list)
    visited: list[tuple[Node, tuple[Value, ...], Value, Place | None]] = field(default_factory=list)
    _done: dict[tuple[int, int], Value] = field(default_factory=dict)
    _facts: list[Facts] = field(default_factory=list)

    def range(self, node: Node) -> Range:
        """Return where the value of a node lies."""
        return self.value(node, NOTHING, None).range

    def value(self, node: Node, facts: Facts, place: Place | None) -> Value:
        """Return a node's value where `facts` hold. `place` is that of the expression around it."""
        if not facts.keys & self.keys.under(node):
            facts = NOTHING  # nothing in the node is better known: what was found without them holds
        key = (id(node), id(facts) if facts.known else 0)
        if key not in self._done:
            self._facts.append(facts)  # keeps its id in use
            here = self.places.get(id(node), place)
            self._done[key] = self._evaluate(node, facts, here)
        return self._done[key]

    def _evaluate(self, node: Node, facts: Facts, place: Place | None) -> Value:
        if node.op == "where":
            args = self._branches(node, facts, place)
            found = _joined(args[1:])
        elif node.op == "scaled":
            args = self._scaled(node, facts, place)
            found = self._applied(node, args, place)
        elif node.op == "div" and node.args[1].op == "where":
            args = tuple(self.value(a, self._inside(node, facts), place) for a in node.args)
            found = self._divided(node, facts, place)
        else:
            inside = self._inside(node, facts)
            args = tuple(self.value(a, inside, place) for a in node.args)
            found = self._applied(node, args, place)
        fact = facts.known.get(self.keys(node)) if facts.known else None
        if fact is not None:
            found = _restricted(found, fact)
        self.visited.append((node, args, found, place))
        self._note_sinks(node, args)
        return found

    def _inside(self, node: Node, facts: Facts) -> Facts:
        """The facts that arguments may rely on: memories also hold what was before the condition did."""
        if node.op in REMEMBERING:
            return NOTHING
        return facts if node.op in LANEWISE else facts.whole()

    def _applied(self, node: Node, args: tuple[Value, ...], place: Place | None) -> Value:
        rule = RULES.get(node.op)
        t = node.type
        shape = (t.count, t.columns)
        ranges = tuple(a.range for a in args)
        found = top(shape, t.kind == "bool") if rule is None else rule(self.context, node, ranges).spread(shape)
        found = self._identity(node, args, found)
        own = Origin(node, place, ranges)
        nan = next((a.nan for a in args if a.nan), own) if found.may_nan else None
        inf = next((a.inf for a in args if a.inf), own) if found.may_inf else None
        return Value(found, nan, inf)

    def _identity(self, node: Node, args: tuple[Value, ...], found: Range) -> Range:
        """What equal or related arguments tell: x - x, x * x, x / max(x, y), x / norminf(x)."""
        if len(node.args) != 2 or node.op not in ("sub", "mul", "div"):
            return found
        a, b = node.args
        x = args[0].range
        if node.op == "sub" and self.keys(a) == self.keys(b) and not x.may_inf:
            return Range(np.zeros_like(found.lo), np.zeros_like(found.hi), found.nan)
        if node.op == "mul" and self.keys(a) == self.keys(b):
            return square(x).spread(found.shape)
        divisor = args[1].range
        if node.op != "div" or divisor.may_zero or divisor.may_inf or divisor.low < 0:
            return found
        parts = [self.keys(p) for p in b.args]
        if b.op == "max" and self.keys(a) in parts and x.low >= 0:
            return Range(
                np.maximum(found.lo, 0), np.minimum(found.hi, np.float32(1)), np.broadcast_to(x.nan, found.shape)
            )
        if b.op == "norminf" and self.keys(a) in parts:
            one = np.ones_like(found.lo)
            return Range(-one, one, np.broadcast_to(x.nan, found.shape))
        return found

    def _branches(self, node: Node, facts: Facts, place: Place | None) -> tuple[Value, ...]:
        """The condition and those branches that can be taken, each where its facts hold."""
        shape = (node.type.count, node.type.columns)
        condition = node.args[0]
        test = self.value(condition, facts, place)
        branches = []
        for branch, holds in zip(node.args[1:], (True, False), strict=True):
            if (test.range.hi.max() > 0) if holds else (test.range.lo.min() < 1):
                known = self._learned(condition, holds, facts, place)
                found = self.value(branch, known, place)
                branches.append(Value(found.range.spread(shape), found.nan, found.inf))
        return (test, *branches)

    def _learned(self, condition: Node, holds: bool, facts: Facts, place: Place | None) -> Facts:
        return learn(facts, condition, holds, self.keys, lambda n: self.value(n, facts, place).range)

    def _scaled(self, node: Node, facts: Facts, place: Place | None) -> tuple[Value, ...]:
        """A kernel's value counts only where its scale is above 0."""
        error, scale = (self.value(a, facts, place) for a in node.args[1:])
        known = facts
        if scale.range.low <= 0 and scale.range.high > 0:
            positive = Range(
                np.nextafter(np.zeros_like(scale.range.lo), np.float32(1)), scale.range.hi, scale.range.nan
            )
            known = facts.learn({self.keys(node.args[2]): positive}, laned=scale.range.lo.size > 1)
        return self.value(node.args[0], known, place), error, scale

    def _divided(self, node: Node, facts: Facts, place: Place | None) -> Value:
        """A division by `where(c, a, b)`, branch by branch: each may be away from 0 while both together are not."""
        divisor = node.args[1]
        found = []
        for i, holds in ((1, True), (2, False)):
            known = self._learned(divisor.args[0], holds, facts, place)
            args = tuple(self.value(a, known, place) for a in (node.args[0], divisor.args[i]))
            found.append(self._applied(node, args, place))
        return _joined(tuple(found))

    def _note_sinks(self, node: Node, args: tuple[Value, ...]) -> None:
        kind = "comparison" if node.op in ("lt", "le", "gt", "ge") else "memory" if node.op in REMEMBERING else ""
        if kind and any(a.nan for a in args):
            self.sinks += [Sink(node, a, kind) for a in args if a.nan]
        if node.op == "guard":
            self.sinks.append(Sink(node, args[0], "output"))


def _joined(values: tuple[Value, ...]) -> Value:
    nan = next((v.nan for v in values if v.nan), None)
    inf = next((v.inf for v in values if v.inf), None)
    return Value(hull(*(v.range for v in values)), nan, inf)


def _restricted(value: Value, fact: Range) -> Value:
    found = meet(value.range, fact.spread(value.range.shape))
    return Value(found, value.nan if found.may_nan else None, value.inf if found.may_inf else None)


def param_ranges(params: Mapping[str, ParamInfo], over_range: bool) -> dict[int, Range]:
    """Return ranges of parameters by index: their values, or all that their declared limits allow."""
    found = {}
    for p in params.values():
        low: Any = p.low if over_range and np.isfinite([p.low, p.high]).all() else p.value
        high: Any = p.high if over_range and np.isfinite([p.low, p.high]).all() else p.value
        if over_range and p.positive and low <= 0:
            low = min(float(np.finfo(np.float32).tiny), high)  # set() refuses the rest
        found[p.index] = hull(point([[low]]), point([[high]]))
    return found
