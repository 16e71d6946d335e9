"""Where a number that is not finite came from: the innermost part of an expression that has one.

Found by evaluating the twin on the inputs of that one row. What a memory held before is not among them: nothing is said
of a number that only the past explains.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compiled import CompiledTask
from .groups import walk
from .operations import Array
from .reference import ReferenceEvaluator
from .types import Node, Place

CONSTANT = ("literal", "constant")
MOST_SHOWN = 4


@dataclass(frozen=True)
class Offender:
    """A part of an expression that was not finite: its text, where it was written, its value and its arguments' values.

    `path` is that of the text around it, with its column from 1; empty where no text says the part, as in a channel's
    sum.
    """

    text: str
    path: str
    value: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        of = f" ({', '.join(self.arguments)})" if self.arguments else ""
        place = f", in {self.path}" if self.path else ""
        return f"{self.text} = {self.value}{of}{place}"


def first_offender(
    program: CompiledTask, term: int, signals: Mapping[str, NDArray[Any]], params: NDArray[np.float32]
) -> Offender | None:
    """Return what was not finite in one row, or None if its inputs alone do not make it so.

    `term` is the row's `bad_term` (-1: something was kept out of a memory), `signals` its inputs `[1, lanes]` by name.
    """
    twin = program.reference(1)
    twin.params[:] = params
    twin.reset(signals, np.ones(1, np.bool_))
    twin.step(signals)
    search = _Search(twin, program.places)
    for node in _suspects(walk(program.groups.values()), term, twin):
        if search.bad(node):
            return search.descend(node)
    return None


def _suspects(nodes: Iterable[Node], term: int, twin: ReferenceEvaluator) -> Iterable[Node]:
    """What is guarded under a number, or everything that a memory takes in."""
    if term >= 0:
        return [n.args[0] for n in nodes if n.op in ("guard", "watch") and n.static["term"] == term]
    return [a for n in nodes if twin.remembers(n) for a in n.args]


@dataclass(frozen=True)
class _Search:
    twin: ReferenceEvaluator
    places: Mapping[int, Place]

    def bad(self, node: Node) -> bool:
        """Whether a node's value is not finite, though it is no constant."""
        return node.op not in CONSTANT and not np.isfinite(self._value(node)).all()

    def descend(self, node: Node) -> Offender:
        """Follow bad arguments down to the part whose own arguments are all fine."""
        place = self.places.get(id(node))
        while True:
            bad = [a for a in self._taken(node) if self.bad(a)]
            if not bad:
                break
            node = min(bad, key=lambda a: not np.isnan(self._value(a)).any())
            place = self.places.get(id(node), place)
        arguments = [self._argument(a) for a in node.args if a.op not in CONSTANT]
        return Offender(
            text=_text(node, place) or node.op,
            path="" if place is None else f"{place.path}: column {place.start + 1}",
            value=_numbers(self._value(node)),
            arguments=tuple(arguments),
        )

    def _taken(self, node: Node) -> tuple[Node, ...]:
        """The arguments that count: of `where` the branches that some element takes."""
        if node.op != "where":
            return node.args
        condition = self._value(node.args[0])
        return tuple(a for a, takes in zip(node.args[1:], (condition.any(), not condition.all()), strict=True) if takes)

    def _argument(self, node: Node) -> str:
        place = self.places.get(id(node))
        name = _text(node, place)
        value = _numbers(self._value(node))
        return f"{name} = {value}" if name else value

    def _value(self, node: Node) -> Array:
        return self.twin.value(node)


def _text(node: Node, place: Place | None) -> str:
    """A node as it was written; a name where it was given by one."""
    if node.op in ("signal", "param"):
        return str(node.static["name"])
    return "" if place is None else ast.unparse(place.tree)


def _numbers(values: Array) -> str:
    flat = [f"{float(v):.6g}" for v in values.reshape(-1)]
    if len(flat) == 1:
        return flat[0]
    return f"[{', '.join(flat[:MOST_SHOWN])}{', ...' if len(flat) > MOST_SHOWN else ''}]"
