"""The table of range rules: what each operation does to ranges, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ...types import Node
from ..interval import Range


@dataclass(frozen=True)
class Context:
    """Ranges of signals by name and of parameters by index, the length of an episode in steps, and the longest `phase`
    in the air or in contact in seconds, by default the episode.
    """

    signals: Mapping[str, Range] = field(default_factory=dict)
    params: Mapping[int, Range] = field(default_factory=dict)
    steps: int = 1000
    dt: float = 0.02
    phase: float | None = None


Rule = Callable[[Context, Node, tuple[Range, ...]], Range]
RULES: dict[str, Rule] = {}
"""Rules by operation. An operation without one may give anything: nothing is concluded from it."""
LANEWISE: set[str] = {"where"}
"""Operations whose every number comes from the numbers at its own place."""
REMEMBERING: set[str] = set()
"""Operations with memory: they also see values of steps in which a condition around them did not hold."""


def rule(*names: str, lanewise: bool = False) -> Callable[[Rule], Rule]:
    """Return the decorator that makes a function the rule of operations."""

    def add_rule(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        if lanewise:
            LANEWISE.update(names)
        return function

    return add_rule


def each(name: str, function: Callable[..., Range]) -> None:
    """Make a function of the arguments' ranges, number by number, the rule of an operation."""
    rule(name, lanewise=True)(lambda _context, _node, args: function(*args))


def shape_of(node: Node) -> tuple[int, int]:
    """Return axis elements and components of a node's value."""
    return node.type.count, node.type.columns
