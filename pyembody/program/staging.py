"""The nodes of a task's stage table: its state before and after a step, what it pays, when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .outside import Numbers
from .pipeline import binary, number
from .stages import StageTable
from .types import BOOL, SCALAR, Node, Type
from .units import ONE

SHAPING = "stage_shaping"
"""The term that is the change of the stages' own values: a potential, whose pay cancels over an episode."""
INDEX = Type(units=(ONE,), integer=True)
Condition = Callable[[int], Node]


class Staging:
    """A stage table in a program. `condition` gives the typed condition of an edge by its number."""

    def __init__(self, table: StageTable, condition: Condition) -> None:
        self.table = table
        self.conditions = [condition(i) if e.text else _always() for i, e in enumerate(table.edges)]
        edges = tuple((e.source, e.target, e.least_steps) for e in table.edges)
        machine = Node("machine", tuple(self.conditions), Type(width=3, units=(ONE,)), {"edges": edges})
        self.before, self.after, self._taken = (Node("select", (machine,), INDEX, {"lanes": (i,)}) for i in range(3))

    def reward(self) -> Node:
        """What the edge taken in this step pays."""
        return _entry([0.0, *(e.reward for e in self.table.edges)], self._taken)

    def shaping(self, gamma: float, terminated: Node) -> Node:
        """Gamma times the value of the stage after the step, minus that before it; no value once terminated."""
        values = self.table.values(gamma)
        after = Node("where", (terminated, number(0.0), _entry(values, self.after)), SCALAR, {})
        return binary("sub", binary("mul", number(gamma), after), _entry(values, self.before))

    def ended(self) -> Node:
        """Whether the stage after the step ends the episode."""
        return self._among(self.table.ends)

    def succeeded(self) -> Node:
        """Whether it ends it as a success."""
        return self._among(self.table.ends - self.table.failed)

    def _among(self, stages: Iterable[int]) -> Node:
        chosen = set(stages)
        entry = _entry([float(i in chosen) for i in range(len(self.table.names))], self.after)
        return Node("gt", (entry, number(0.5)), BOOL, {})


def _entry(values: Iterable[float], index: Node) -> Node:
    return Node("table", (index,), SCALAR, {"name": Numbers(tuple(values), ONE)})


def _always() -> Node:
    return Node("constant", (), BOOL, {"values": (1.0,)})
