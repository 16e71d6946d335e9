"""Which values are 0 only because float32 rounds them: a kernel that never ends is 0 far away, but not in truth."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..types import Node
from .walk import Analysis

ALWAYS = ("exp", "sigmoid")
"""Operations whose exact value is above 0 for every number."""
IF_ALL = ("mul", "div", "prod", "min", "mean", "sum", "hamacher", "geomean", "square", "sqrt", "select")
"""Operations whose exact value is above 0 where that of every argument is."""
IF_FIRST = ("pow", "power_by", "marked", "as_number", "guard")
"""Operations whose exact value is above 0 where that of the first argument is."""


@dataclass
class Positive:
    """Tells whether the exact value of a node, before it is rounded, is above 0; True only where that is sure."""

    analysis: Analysis
    _known: dict[int, bool] = field(default_factory=dict)

    def __call__(self, node: Node) -> bool:
        """Return whether a node's exact value is above 0 for every finite signal."""
        if id(node) not in self._known:
            self._known[id(node)] = self.analysis.range(node).low > 0 or node.op in ALWAYS or self._by_parts(node)
        return self._known[id(node)]

    def _by_parts(self, node: Node) -> bool:
        args = node.args
        if not args:
            return False
        if node.op in IF_ALL:
            return all(self(a) for a in args)
        if node.op in IF_FIRST:
            return self(args[0])
        if node.op == "max":
            return any(self(a) for a in args)
        if node.op == "clip":
            return self(args[0]) and self(args[2])
        if node.op == "where":
            return all(self(a) for a in args[1:])
        if node.op == "scaled":  # without a scale above 0 a kernel ends at once
            return self(args[0]) and self.analysis.range(args[2]).low > 0
        if node.op == "add":
            return any(self(a) for a in args) and all(self.analysis.range(a).low >= 0 for a in args)
        return node.op == "sub" and self.analysis.range(args[0]).low >= 1 and _below_one(args[1])


def _below_one(node: Node) -> bool:
    """A hyperbolic tangent or its square reaches 1 by rounding only."""
    return node.op == "tanh" or (node.op == "square" and node.args[0].op == "tanh")
