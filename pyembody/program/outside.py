"""What expressions name that is not an expression: tables, learned signals, kernels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from ..spec.errors import unknown
from ..spec.signal import Signal
from ..spec.tables import Learned, Table
from .kernels import Kernel, load_kernel
from .types import Node, Type
from .units import ONE, Unit, parse_unit


@dataclass(frozen=True)
class Numbers:
    """A table's numbers and their unit."""

    values: tuple[float, ...]
    unit: Unit


@dataclass(frozen=True)
class LearnedRange:
    """The unit, range and greatest age in seconds of a learned signal."""

    unit: Unit
    low: float
    high: float
    max_age: float


def learned_signal(name: str) -> Signal:
    """Return the input of a learned signal: its value and its age in seconds, `[N, 2]`."""
    return Signal(f"learned.{name}", "vector", 2, source=f"learned {name}")


class Outside:
    """Tables, learned signals and kernels of a task by name; a kernel is compiled when first used."""

    def __init__(self, tables: Mapping[str, Table], learned: Mapping[str, Learned], folder: str, place: str) -> None:
        self._tables, self._learned = tables, learned
        self._kernel = partial(load_kernel, folder)
        self._place = place
        self._kernels: dict[str, Kernel] = {}
        self._inputs: dict[str, Node] = {}

    def table(self, name: str, place: str) -> Numbers:
        """Return a table. Raises SpecError naming the nearest one."""
        if name not in self._tables:
            raise unknown(place, "table", name, self._tables)
        table = self._tables[name]
        return Numbers(table.values, parse_unit(table.unit, f"{self._place}: tables.{name}.unit"))

    def learned(self, name: str, place: str) -> tuple[LearnedRange, Node]:
        """Return a learned signal's range and its input. Raises SpecError naming the nearest one."""
        if name not in self._learned:
            raise unknown(place, "learned signal", name, self._learned)
        given = self._learned[name]
        unit = parse_unit(given.unit, f"{self._place}: learned.{name}.unit")
        node = Node("signal", (), Type(width=2, units=(ONE,)), {"name": f"learned.{name}"})
        node = self._inputs.setdefault(name, node)
        return LearnedRange(unit, given.low, given.high, given.max_age), node

    def kernel(self, name: str, place: str) -> Kernel:
        """Return a compiled kernel. Raises SpecError if the task has none of that name."""
        if name not in self._kernels:
            self._kernels[name] = self._kernel(name, place)
        return self._kernels[name]
