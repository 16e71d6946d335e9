"""What names mean in a task's expressions: parameters, lets, signals, built-ins."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import replace

from ..spec.errors import SpecError, unknown
from ..spec.signal import Signal
from .call import Call
from .checker import Checker
from .operations import OPERATIONS
from .syntax import names, parse
from .types import Kind, Node, Place, Type
from .units import ONE, S, Unit, UnitError, UnitSolver, parse_unit

BUILTINS = ("dt", "pi", "inf", "time", "step", "terminated")


class Scope:
    """Names of one task. Lets and derived signals are typed when first asked for, in any order."""

    def __init__(
        self, signals: Mapping[str, Signal], lets: Mapping[str, str], place: str, dt: float
    ) -> None:
        self.solver = UnitSolver()
        self.angles: list[tuple[Call, Unit]] = []
        self.params: dict[str, Node] = {}
        self.places: dict[int, Place] = {}
        self.terminated: Node | None = None
        self._signals = signals
        self._lets = lets
        self._place = place
        self._dt = dt
        self._nodes: dict[str, Node] = {}
        self._open: list[str] = []
        for name in lets:
            self.check_name(name, f"{place}: let.{name}")

    def check_name(self, name: str, place: str) -> None:
        """Raise SpecError if a let's or parameter's name already means something else."""
        kinds = {"an operation": OPERATIONS, "a signal": self._signals, "a built-in": BUILTINS}
        for kind, taken in kinds.items():
            if name in taken and not (kind == "an operation" and not OPERATIONS[name].public):
                raise SpecError(f"{place}: '{name}' is the name of {kind}; choose another one")

    def known(self, name: str) -> bool:
        """True if a name can be looked up."""
        return (
            name in self.params or name in self._lets or name in self._signals or name in BUILTINS
        )

    def legal(self) -> list[str]:
        """Return every name that can be looked up."""
        return [*self.params, *self._lets, *self._signals, *BUILTINS]

    def lookup(self, name: str, place: str) -> Node:
        """Return the node of a name. Raises SpecError for an unknown name and for one defined by
        itself.
        """
        if name in self.params:
            return self.params[name]
        if name in BUILTINS:
            return self._builtin(name, place)
        if name not in self._nodes:
            if name in self._open:
                chain = " -> ".join([*self._open[self._open.index(name) :], name])
                raise SpecError(f"{place}: '{name}' is defined by itself: {chain}")
            self._open.append(name)
            self._nodes[name] = self._define(name, place)
            self._open.pop()
        return self._nodes[name]

    def settle(self) -> None:
        """Decide what is still open: angles of unknown unit are pure numbers."""
        for call, unit in self.angles:
            call.settle_angle(unit)
        self.angles.clear()

    def _define(self, name: str, place: str) -> Node:
        if name in self._lets:
            here = f"{self._place}: let.{name}"
            return Checker(self, here).check(parse(self._lets[name], here))
        if name not in self._signals:
            kind = "name" if name not in OPERATIONS else "value (it is an operation)"
            raise unknown(place, kind, name, self.legal())
        signal = self._signals[name]
        return self._derived(signal) if signal.source.startswith("= ") else self._signal(signal)

    def _signal(self, signal: Signal) -> Node:
        place = f"signal {signal.name}"
        t = signal_type(signal, place)
        if signal.values:
            if len(signal.values) != t.lanes:
                raise SpecError(
                    f"{place}: values: expected {t.lanes} numbers, got {len(signal.values)}"
                )
            return Node("constant", (), t, {"values": signal.values, "name": signal.name})
        return Node("signal", (), t, {"name": signal.name}, raw=True)

    def _derived(self, signal: Signal) -> Node:
        """A signal that an expression over other signals gives, with the type that it declares."""
        place = f"signal {signal.name}: source"
        node = Checker(self, place).check(parse(signal.source[2:], place))
        t = signal_type(signal, place)
        same = (node.type.kind, node.type.width, node.type.axis, node.type.labels)
        if same != (t.kind, t.width, t.axis, t.labels):
            raise SpecError(f"{place}: expected {t}, got {node.type}")
        if node.type.frame and t.frame and node.type.frame != t.frame:
            raise SpecError(f"{place}: expected the frame {t.frame}, got {node.type.frame}")
        for declared, got in zip(t.units, node.type.units, strict=False):
            try:
                self.solver.equal(declared, got)
            except UnitError as clash:
                raise SpecError(
                    f"{place}: expected the unit {clash.left}, got {clash.right}"
                ) from None
        return replace(node, type=t)

    def _builtin(self, name: str, place: str) -> Node:
        if name == "terminated":
            if self.terminated is None:
                raise SpecError(
                    f"{place}: 'terminated' is known to terms, success and metrics only"
                )
            return self.terminated
        if name in ("dt", "pi", "inf"):
            value = {"dt": self._dt, "pi": math.pi, "inf": math.inf}[name]
            unit = {"dt": S, "pi": ONE, "inf": self.solver.fresh()}[name]
            return Node("constant", (), Type(units=(unit,)), {"values": (value,)})
        if name not in self._nodes:
            checker = Checker(self, place)
            text = {"step": "count_steps(True)", "time": "step * dt"}[name]
            self._nodes[name] = checker.check(parse(text, place))
        return self._nodes[name]


def signal_type(signal: Signal, place: str) -> Type:
    """Return the type of a signal's value. Raises SpecError for units or widths that do not fit."""
    if signal.kind == "quat" and signal.width != 4:
        raise SpecError(f"{place}: width: expected 4 for a quat, got {signal.width}")
    units = tuple(parse_unit(u.strip(), f"{place}: unit") for u in signal.unit.split(","))
    if len(units) not in (1, signal.width):
        raise SpecError(f"{place}: unit: expected 1 or {signal.width} units, got {len(units)}")
    scalar = signal.kind in ("scalar", "bool") and signal.width == 1
    width = 0 if scalar else signal.width
    kinds: dict[str, Kind] = {
        "scalar": "number",
        "vector": "number",
        "bool": "bool",
        "quat": "quat",
    }
    local = "body" if signal.kind == "quat" and signal.name.startswith("base_") else ""
    units = units if len(set(units)) > 1 else units[:1]
    labels = signal.labels if signal.axis else ()
    point = signal.point and width > 0
    frame = signal.frame if width else ""
    return Type(kinds[signal.kind], width, signal.axis, labels, units, frame, local, point)


def missing(
    trees: Mapping[str, ast.expr], known: Scope, local: Mapping[str, frozenset[str]]
) -> dict[str, list[str]]:
    """Return names that mean nothing, each with the places that use it."""
    found: dict[str, list[str]] = {}
    for place, tree in trees.items():
        for name, column in names(tree):
            if (
                not known.known(name)
                and name not in local.get(place, frozenset())
                and name not in OPERATIONS
            ):
                found.setdefault(name, []).append(f"{place}: column {column}")
    return found
