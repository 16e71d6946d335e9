"""The parameter buffer: weights and parameters of a task that may change while its program runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..spec.errors import SpecError, unknown
from ..spec.task import Parameter
from .types import Node, Type
from .units import UnitSolver, parse_unit

LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class ParamInfo:
    """One number of the buffer: where it is, its default, unit and legal range. `positive` ones are
    kernel scales. `path` is where the task's data says it, as `channels.style.floor`; empty for what
    no file says.
    """

    name: str
    index: int
    value: float
    unit: str
    low: float
    high: float
    positive: bool = False
    doc: str = ""
    path: str = ""

    def check(self, value: float) -> None:
        """Raise SpecError unless `value` is legal."""
        if not abs(value) <= LARGEST:
            raise SpecError(f"{self.name}: expected a finite number that float32 holds, got {value}")
        if not self.low <= value <= self.high:
            legal = f"[{self.low:g}, {self.high:g}] {self.unit}"
            raise SpecError(f"{self.name}: expected a value in {legal}, got {value:g}")
        if self.positive and value <= 0:
            raise SpecError(f"{self.name}: expected a scale above 0, got {value:g}")


class ParamTable:
    """Collects parameters while a task is compiled."""

    def __init__(self, solver: UnitSolver) -> None:
        self._solver = solver
        self._nodes: dict[str, tuple[Node, ParamInfo]] = {}

    def add(self, name: str, given: float | Parameter, place: str, path: str = "") -> Node:
        """Return the node of a new parameter, which the task's data says at `path`. A parameter
        without a unit gets the one that fits its use.
        """
        p = given if isinstance(given, Parameter) else Parameter(float(given))
        unit = parse_unit(p.unit, place) if p.unit else self._solver.fresh()
        static = {"index": len(self._nodes), "name": name, "unit": p.unit}
        node = Node("param", (), Type(units=(unit,)), static)
        low, high = -math.inf if p.low is None else p.low, math.inf if p.high is None else p.high
        self._nodes[name] = (
            node,
            ParamInfo(name, len(self._nodes), p.value, p.unit, low, high, doc=p.doc, path=path),
        )
        return node

    def finish(self, scales: set[int]) -> dict[str, ParamInfo]:
        """Return all parameters with their units settled; those at the indices `scales` must stay
        above 0.
        """
        infos: dict[str, ParamInfo] = {}
        for name, (node, info) in self._nodes.items():
            unit = info.unit or str(self._solver.resolve(node.type.unit))
            infos[name] = replace(info, unit=unit, positive=info.index in scales)
            infos[name].check(info.value)
        return infos


def find(infos: Mapping[str, ParamInfo], name: str) -> ParamInfo:
    """Return the parameter of a full name, or of a unique ending of it. Raises SpecError."""
    if name in infos:
        return infos[name]
    matches = [full for full in infos if full.endswith("." + name)]
    if len(matches) > 1:
        raise SpecError(f"parameters: '{name}' could be {' or '.join(matches)}; write more of it")
    if not matches:
        short = {full.split(".", 1)[1] for full in infos if full.count(".") > 1}
        raise unknown("parameters", "parameter", name, [*infos, *short])
    return infos[matches[0]]


def set_params(
    infos: Mapping[str, ParamInfo], buffer: NDArray[np.float32], edits: Mapping[str, float]
) -> None:
    """Write edits into a buffer, all or none. Raises SpecError for an unknown name or a value out
    of range.
    """
    if buffer.shape != (len(infos),) or buffer.dtype != np.float32:
        raise ValueError(
            f"buffer: expected float32 ({len(infos)},), got {buffer.dtype} {buffer.shape}"
        )
    found = [(find(infos, name), float(value)) for name, value in edits.items()]
    for info, value in found:
        info.check(value)
    for info, value in found:
        buffer[info.index] = value
