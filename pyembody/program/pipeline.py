"""From raw terms to channels: guard, clip, scale, weight, combination, floor, terminal values, guard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce

from ..spec.errors import SpecError
from ..spec.task import Channel, Parameter, Task, Term
from .gating import start_threshold, threshold_name
from .operations.base import Flag
from .params import ParamTable
from .types import BOOL, SCALAR, Node, Type
from .units import ONE, S

FLOAT_MAX = 3.4028234663852886e38
Guard = Callable[[str, Node, float], Node]


@dataclass
class Pipeline:
    """What a task pays: nodes of raw and weighted terms, of channels, and of the lines that are no terms.

    A channel is the float32 sum, in order, of its weighted terms (or its combination's line), its floor's line and its
    terminal lines.
    """

    raw: list[Node] = field(default_factory=list)
    weighted: list[Node] = field(default_factory=list)
    channels: list[Node] = field(default_factory=list)
    lines: list[Node] = field(default_factory=list)
    line_names: list[str] = field(default_factory=list)


class PipelineBuilder:
    """Builds the pipeline of a task. Parameters are declared first; terms are added in file order."""

    def __init__(self, task: Task, params: ParamTable, dt: float, place: str) -> None:
        self._task, self._params, self._dt, self._place = task, params, dt, place
        self._weights: dict[tuple[str, str], Node] = {}
        self._numbers: dict[str, Node] = {}
        self._factors: dict[str, list[tuple[Node, Node]]] = {c: [] for c in task.channels}
        self._sums: dict[str, Node] = {}
        self.thresholds: dict[str, Node] = {}
        self.out = Pipeline()

    def declare_weights(self) -> None:
        """Make the weights' parameters. Raises SpecError for weights that a combination does not take."""
        for c, channel in self._task.channels.items():
            for t, term in channel.terms.items():
                path = f"channels.{c}.terms.{t}"
                weight = _weight(channel, term, f"{self._place}: {path}")
                self._weights[c, t] = self._params.add(f"{c}.{t}.weight", weight, self._place, f"{path}.weight")

    def declare_numbers(self) -> None:
        """Make the parameters of clips, gains, floors, gates and terminal values."""
        for c, channel in self._task.channels.items():
            if channel.combine != "sum":
                self._number(f"{c}.gain", channel.gain, f"channels.{c}.gain")
            if channel.floor is not None:
                self._number(f"{c}.floor", channel.floor, f"channels.{c}.floor")
            threshold = start_threshold(channel.gate)
            if threshold is not None:
                self._number(threshold_name(c), threshold, f"channels.{c}.gate.threshold")
                self.thresholds[c] = self._numbers[threshold_name(c)]
            for t, term in channel.terms.items():
                for i, (end, value) in enumerate(zip(("low", "high"), term.clip or (), strict=False)):
                    self._number(f"{c}.{t}.clip_{end}", value, f"channels.{c}.terms.{t}.clip[{i}]")
        for name, terminal in self._task.terminal.items():
            self._number(f"terminal.{name}.value", terminal.value, f"terminal.{name}.value")

    def add_term(self, channel: str, name: str, value: Node, guard: Guard) -> None:
        """Add a declared term of a typed value."""
        term, weight = self._task.channels[channel].terms[name], self._weights[channel, name]
        raw = guard(f"{channel}.{name}", value, term.max_abs)
        clipped = raw if term.clip is None else self._clip(f"{channel}.{name}", raw)
        if self._task.channels[channel].combine == "sum":
            self._pay(channel, raw, binary("mul", self._scaled(weight, term.scale), clipped))
        else:
            self._factors[channel].append((clipped, weight))
            self.out.raw.append(raw)
            self.out.weighted.append(number(0.0))

    def add_event(self, channel: str, value: Node) -> None:
        """Add a term that the compiler made: paid as it is. Raises SpecError unless the channel is a sum."""
        if self._task.channels[channel].combine != "sum":
            raise SpecError(f"{self._place}: staging: expected a channel that is a sum, got '{channel}'")
        self._pay(channel, value, value)

    def finish(self, conditions: dict[str, Node], guard: Guard) -> Pipeline:
        """Return the pipeline; `conditions` say when each terminal value is paid."""
        first = next(iter(self._task.channels))
        for name, channel in self._task.channels.items():
            total = self._combined(name, channel)
            if channel.floor is not None:
                floor = self._numbers[f"{name}.floor"]
                total = self._line(f"{name}.floor", total, binary("sub", binary("max", total, floor), total))
            for t, terminal in self._task.terminal.items():
                if (terminal.channel or first) == name:
                    value = self._numbers[f"terminal.{t}.value"]
                    paid = binary("sub", value, total) if terminal.mode == "set" else value
                    paid = Node("where", (conditions[t], paid, number(0.0)), SCALAR, {})
                    total = self._line(f"{name}.terminal.{t}", total, paid)
            self.out.channels.append(guard(f"channel.{name}", total, FLOAT_MAX))
        return self.out

    def _number(self, name: str, value: float, path: str) -> None:
        self._numbers[name] = self._params.add(name, Parameter(value, "1"), self._place, path)

    def _clip(self, name: str, raw: Node) -> Node:
        low, high = (self._numbers[f"{name}.clip_{end}"] for end in ("low", "high"))
        outside = Node("or", (Node("lt", (raw, low), BOOL, {}), Node("gt", (raw, high), BOOL, {})), BOOL, {})
        clipped = Node("clip", (raw, low, high), SCALAR, {})
        return Node("marked", (clipped, outside), SCALAR, {"flag": int(Flag.CLIPPED)})

    def _scaled(self, weight: Node, scale: str) -> Node:
        step = Node("constant", (), Type(units=(S,)), {"values": (self._dt,)})
        return binary("mul", weight, step) if scale == "rate" else weight

    def _pay(self, channel: str, raw: Node, weighted: Node) -> None:
        self.out.raw.append(raw)
        self.out.weighted.append(weighted)
        known = channel in self._sums
        self._sums[channel] = binary("add", self._sums[channel], weighted) if known else weighted

    def _combined(self, name: str, channel: Channel) -> Node:
        if channel.combine == "sum" or not channel.terms:
            return self._sums.get(name, number(0.0))
        value = combination(channel.combine, self._factors[name])
        paid = binary("mul", self._scaled(self._numbers[f"{name}.gain"], channel.scale), value)
        self.out.lines.append(paid)
        self.out.line_names.append(f"{name}.{channel.combine}")
        return paid

    def _line(self, name: str, total: Node, paid: Node) -> Node:
        self.out.lines.append(paid)
        self.out.line_names.append(name)
        return binary("add", total, paid)


def combination(kind: str, factors: list[tuple[Node, Node]]) -> Node:
    """Return the product, geomean, min or hamacher of (value, exponent)."""
    if kind in ("min", "hamacher"):
        values = [x for x, _ in factors]
        if kind == "min":
            return reduce(lambda a, b: binary("min", a, b), values)
        return Node(kind, tuple(values), SCALAR, {})
    exponents = [w for _, w in factors]
    if kind == "geomean":
        total = reduce(lambda a, b: binary("add", a, b), exponents)
        exponents = [binary("div", w, total) for w in exponents]
    powers = [binary("power_by", x, w) for (x, _), w in zip(factors, exponents, strict=True)]
    return reduce(lambda a, b: binary("mul", a, b), powers)


def _weight(channel: Channel, term: Term, place: str) -> Parameter:
    if channel.combine == "sum":
        return Parameter(term.weight, "1")
    if term.scale != "rate":
        raise SpecError(f"{place}: scale: the terms of a {channel.combine} have none; set the channel's")
    if channel.combine in ("min", "hamacher"):
        if term.weight != 1:
            raise SpecError(f"{place}: weight: expected 1 in a {channel.combine}, got {term.weight:g}")
        return Parameter(1.0, "1", 1.0, 1.0)
    if term.weight < 0 or all(t.weight == 0 for t in channel.terms.values()):
        raise SpecError(f"{place}: weight: expected exponents of at least 0, not all 0, got {term.weight:g}")
    return Parameter(term.weight, "1", 0.0)


def number(value: float) -> Node:
    """Return a constant."""
    return Node("constant", (), Type(units=(ONE,)), {"values": (value,)})


def false() -> Node:
    """Return the truth value that is never true."""
    return Node("constant", (), BOOL, {"values": (0.0,)})


def binary(op: str, a: Node, b: Node) -> Node:
    """Return an operation on two scalars."""
    return Node(op, (a, b), SCALAR, {})


def any_of(nodes: list[Node]) -> Node:
    """Return whether any of some truth values is true."""
    return reduce(lambda a, b: Node("or", (a, b), BOOL, {}), nodes) if nodes else false()
