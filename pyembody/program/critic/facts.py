"""What a condition says about the values in it: `where(d > 0.01, log(d), 0)` takes its logarithm of d > 0.01 only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import or_

import numpy as np

from ..types import Node
from .interval import INF, MAX, Range, make, meet

Key = int
Value = Callable[[Node], Range]
FLIPPED = {"lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}
TURNED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}


class Keys:
    """Numbers for nodes: equal for expressions that are written alike, wherever they stand."""

    def __init__(self) -> None:
        self._by_id: dict[int, Key] = {}
        self._by_form: dict[tuple[object, ...], Key] = {}
        self._under: dict[Key, int] = {}

    def __call__(self, node: Node) -> Key:
        """Return the number of a node."""
        known = self._by_id.get(id(node))
        if known is None:
            static = tuple(sorted((k, repr(v)) for k, v in node.static.items()))
            form = (node.op, static, node.type.lanes, *(self(a) for a in node.args))
            known = self._by_form.setdefault(form, len(self._by_form))
            self._by_id[id(node)] = known
            self._under[known] = reduce(or_, (self._under[self(a)] for a in node.args), 1 << known)
        return known

    def under(self, node: Node) -> int:
        """Return the keys of a node and of everything in it, one bit each."""
        return self._under[self(node)]


@dataclass(frozen=True)
class Facts:
    """Ranges that hold for expressions, by key. Those of conditions over several numbers hold lane by lane only."""

    known: Mapping[Key, Range] = field(default_factory=dict)
    lanes: frozenset[Key] = frozenset()

    @cached_property
    def keys(self) -> int:
        """The keys that something is known of, one bit each."""
        return sum(1 << key for key in self.known)

    def whole(self) -> Facts:
        """Return the facts that also hold where numbers are mixed, as in a sum."""
        if not self.lanes:
            return self
        return Facts({k: r for k, r in self.known.items() if k not in self.lanes})

    def learn(self, found: Mapping[Key, Range], laned: bool) -> Facts:
        """Return these facts and new ones."""
        known = dict(self.known)
        for key, fact in found.items():
            known[key] = meet(known[key], fact) if key in known else fact
        return Facts(known, self.lanes | frozenset(found) if laned else self.lanes)


def learn(facts: Facts, condition: Node, holds: bool, keys: Keys, value: Value) -> Facts:
    """Return the facts where a condition is true, or where it is not."""
    found: dict[Key, Range] = {}
    _learn(found, condition, holds, keys, value)
    fitting = {k: r for k, r in found.items() if r.shape in ((1, 1), value(condition).shape)}
    if condition.type.lanes == 1:
        return facts.learn(found, laned=False)
    return facts.learn(fitting, laned=True)


def _learn(found: dict[Key, Range], node: Node, holds: bool, keys: Keys, value: Value) -> None:
    truth = value(node)
    _add(found, keys(node), make(float(holds), float(holds), False, truth.shape))
    if node.op == "not":
        _learn(found, node.args[0], not holds, keys, value)
    elif (node.op == "and" and holds) or (node.op == "or" and not holds):
        for arg in node.args:
            _learn(found, arg, holds, keys, value)
    elif (node.op == "all" and holds) or (node.op == "any" and not holds):
        _learn(found, node.args[0], holds, keys, value)
    elif node.op == "isfinite" and holds:
        _add(found, keys(node.args[0]), make(-MAX, MAX, False, value(node.args[0]).shape))
    elif node.op in FLIPPED:
        _compare(found, node, holds, keys, value)


def _compare(found: dict[Key, Range], node: Node, holds: bool, keys: Keys, value: Value) -> None:
    """Bound both sides of a comparison. One that does not hold says nothing about NaN."""
    a, b = node.args
    op = node.op if holds else FLIPPED[node.op]
    nan = not holds
    for x, y, relation in ((a, b, op), (b, a, TURNED[op])):
        if x.op in ("literal", "constant"):
            continue
        shape = np.broadcast_shapes(value(x).shape, value(y).shape)
        if shape != value(x).shape:
            continue
        fact = _side(value(y), relation, nan or value(y).may_nan, value(x).shape)
        if nan and value(y).may_nan:
            continue
        _add(found, keys(x), fact)
        if x.op == "abs" and relation in ("lt", "le"):
            _add(found, keys(x.args[0]), make(-fact.hi, fact.hi, nan))


def _side(other: Range, relation: str, nan: bool, shape: tuple[int, ...]) -> Range:
    """The range of what is `relation` to something in `other`."""
    flag = np.full(shape, nan)
    if relation == "lt":
        return make(-INF, np.nextafter(other.hi, -INF), flag, shape)
    if relation == "le":
        return make(-INF, other.hi, flag, shape)
    if relation == "gt":
        return make(np.nextafter(other.lo, INF), INF, flag, shape)
    return make(other.lo, INF, flag, shape)


def _add(found: dict[Key, Range], key: Key, fact: Range) -> None:
    found[key] = meet(found[key], fact) if key in found else fact
