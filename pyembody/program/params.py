"""The parameter buffer: weights and parameters of a task that may change while its program runs."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import ArrayLike, NDArray

from ..spec.errors import SpecError, unknown
from ..spec.signal import Signal
from ..spec.task import Parameter
from .types import Node, Type
from .units import UnitSolver, parse_unit

LARGEST = float(np.finfo(np.float32).max)


class ParamInfo(Struct, frozen=True, gc=False):
    """One number of the buffer: where it is, its default, unit and legal range. `positive` ones are
    kernel scales. `path` is where the task's data says it, as `channels.style.floor`; empty for what
    no file says. One that is `per_env` is read from the input `rows_name` instead; the buffer holds what
    environments have that were given nothing else.
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
    per_env: bool = False

    @property
    def rows_name(self) -> str:
        """The input that holds a value for each environment."""
        return rows_name(self.name)

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
        static = {"index": len(self._nodes), "name": name, "unit": p.unit, "per_env": p.per_env}
        node = Node("param", (), Type(units=(unit,)), static)
        low, high = -math.inf if p.low is None else p.low, math.inf if p.high is None else p.high
        self._nodes[name] = (
            node,
            ParamInfo(name, len(self._nodes), p.value, p.unit, low, high, doc=p.doc, path=path, per_env=p.per_env),
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
    infos: Mapping[str, ParamInfo],
    buffer: NDArray[np.float32],
    edits: Mapping[str, ArrayLike],
    rows: Mapping[str, NDArray[np.float32]],
) -> None:
    """Write edits into a buffer and into the `rows` `[N, 1]` of parameters that have one value an
    environment, all or none. Raises SpecError for an unknown name or a value out of range.
    """
    if buffer.shape != (len(infos),) or buffer.dtype != np.float32:
        raise ValueError(
            f"buffer: expected float32 ({len(infos)},), got {buffer.dtype} {buffer.shape}"
        )
    found = [(info, _checked(info, value, rows)) for info, value in ((find(infos, n), v) for n, v in edits.items())]
    for info, values in found:
        if values.ndim == 0:
            buffer[info.index] = values
        if info.rows_name in rows:
            rows[info.rows_name][:, 0] = values


def _checked(info: ParamInfo, value: ArrayLike, rows: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    """The value as an array: `[]`, or `[N]` for a parameter that has one an environment."""
    values = np.asarray(value, np.float64)
    if values.ndim and not info.per_env:
        raise SpecError(f"{info.name}: expected one number, got {values.shape}; it is not per_env")
    n = len(rows[info.rows_name]) if info.rows_name in rows else values.size
    if values.shape not in ((), (n,)):
        raise SpecError(f"{info.name}: expected one number or ({n},), got {values.shape}")
    for bound in (values.min(), values.max()):
        info.check(float(bound))
    return values


def rows_name(name: str) -> str:
    """Return the input of a parameter that has one value an environment."""
    return f"param.{name}"


def rows_signals(infos: Mapping[str, ParamInfo]) -> dict[str, Signal]:
    """Return the inputs `[N, 1]` of the parameters that have one value an environment."""
    return {p.rows_name: Signal(p.rows_name, unit=p.unit) for p in infos.values() if p.per_env}
