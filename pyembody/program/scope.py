"""What names mean in a task's expressions: parameters, lets, signals, built-ins."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from ..spec.errors import SpecError, unknown
from ..spec.signal import Signal
from .call import Call
from .checker import Checker
from .frames import check_frames
from .operations import OPERATIONS
from .outside import Outside
from .syntax import names, parse
from .types import Kind, Node, Place, Type
from .units import ONE, S, Unit, UnitError, UnitSolver, parse_unit

BUILTINS = ("dt", "pi", "inf", "time", "step", "terminated", "success", "stage")
LATE = {
    "terminated": "'terminated' is known to terms, success and metrics only",
    "success": "'success' is known to terms, terminal values and metrics only",
    "stage": "'stage' is known to tasks with stages, and not to the conditions that change it",
}
"""Built-ins that only later parts of a task know, and what is said before."""


class Scope:
    """Names of one task. Lets and derived signals are typed when first asked for, in any order."""

    def __init__(
        self,
        signals: Mapping[str, Signal],
        lets: Mapping[str, str],
        place: str,
        dt: float,
        outside: Outside | None = None,
    ) -> None:
        self.solver = UnitSolver()
        self.angles: list[tuple[Call, Unit]] = []
        self.params: dict[str, Node] = {}
        self.places: dict[int, Place] = {}
        self.outside = outside or Outside({}, {}, "", place)
        self.stages: tuple[str, ...] = ()
        self._late: dict[str, Node] = {}
        self._uses_late = False
        self._moments: list[tuple[Node, Node]] = []
        self.make_moments: Callable[[], tuple[Node, Node]] | None = None
        self._signals = signals
        self._lets = lets
        self._place = place
        self._dt = dt
        self._nodes: dict[str, Node] = {}
        self._early: dict[str, Node] = {}
        self._open: list[str] = []
        check_frames(signals)
        for name in lets:
            self.check_name(name, f"{place}: let.{name}")

    def check_name(self, name: str, place: str) -> None:
        """Raise SpecError if a let's or parameter's name already means something else."""
        check_word(name, place)
        if name in self._signals:
            raise SpecError(f"{place}: '{name}' is the name of a signal; choose another one")

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
        if name in self._nodes:
            return self._nodes[name]
        if name not in self._early:
            self._look_up_new(name, place)
        else:
            self._uses_late = True
        return self._nodes.get(name) or self._early[name]

    def fixed(self, name: str, place: str) -> Node | None:
        """Return the node of a let or signal, None for one that uses late built-ins, or a faulty signal that no text
        reads: that is nobody's fault until it is read.
        """
        try:
            self.lookup(name, place)
        except SpecError:
            if name in self._lets:
                raise
            self._open.clear()
        return self._nodes.get(name)

    def now(self, **nodes: Node | None) -> None:
        """Say what late built-ins mean from here on; lets that use them are typed anew."""
        for name, node in nodes.items():
            if node is None:
                self._late.pop(name, None)
            else:
                self._late[name] = node
        self._early.clear()

    def _look_up_new(self, name: str, place: str) -> None:
        """Type a let or signal; one that uses late built-ins is kept only until their meaning changes."""
        if name in self._open:
            chain = " -> ".join([*self._open[self._open.index(name) :], name])
            raise SpecError(f"{place}: '{name}' is defined by itself: {chain}")
        before, self._uses_late = self._uses_late, False
        self._open.append(name)
        node = self._define(name, place)
        self._open.pop()
        (self._early if self._uses_late else self._nodes)[name] = node
        self._uses_late = self._uses_late or before

    def stage_number(self, name: str, place: str) -> int:
        """Return the number of a stage. Raises SpecError naming the nearest one."""
        if name not in self.stages:
            raise unknown(place, "stage", name, self.stages)
        return self.stages.index(name)

    def moment(self, which: str, place: str) -> Node:
        """Return the parameter of a new running mean, then that of its standard deviation."""
        if self.make_moments is None:
            raise SpecError(f"{place}: normalise: expected a task; one expression has no running statistics")
        if which == "%mean":
            self._moments.append(self.make_moments())
        return self._moments[-1][which == "%std"]

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
        if name in LATE:
            if name not in self._late:
                raise SpecError(f"{place}: {LATE[name]}")
            self._uses_late = True
            return self._late[name]
        if name in ("dt", "pi", "inf"):
            value = {"dt": self._dt, "pi": math.pi, "inf": math.inf}[name]
            unit = {"dt": S, "pi": ONE, "inf": self.solver.fresh()}[name]
            return Node("constant", (), Type(units=(unit,)), {"values": (value,)})
        if name not in self._nodes:
            checker = Checker(self, place)
            text = {"step": "count_steps(True)", "time": "step * dt"}[name]
            self._nodes[name] = checker.check(parse(text, place))
        return self._nodes[name]


def check_word(name: str, place: str) -> None:
    """Raise SpecError if a name is a word of the language."""
    known = OPERATIONS.get(name)
    kind = "an operation" if known is not None and known.public else "a built-in"
    if name in BUILTINS or (known is not None and known.public):
        raise SpecError(f"{place}: '{name}' is the name of {kind}; choose another one")


def signal_type(signal: Signal, place: str) -> Type:
    """Return the type of a signal's value. Raises SpecError for units or widths that do not fit."""
    if signal.local and signal.kind != "quat":
        raise SpecError(f"{place}: local: expected none but for a quat, got '{signal.local}'")
    most, code = (1024, "limit_points") if signal.axis == "points" else (256, "limit_axis")
    if signal.count > most:
        raise SpecError(f"{place}: labels: expected at most {most}, got {signal.count}", code)
    if signal.width > 64:
        raise SpecError(f"{place}: width: expected at most 64, got {signal.width}", "limit_width")
    if signal.kind == "quat" and signal.width != 4:
        raise SpecError(f"{place}: width: expected 4 for a quat, got {signal.width}")
    units = tuple(parse_unit(u.strip(), f"{place}: unit") for u in signal.unit.split(","))
    if len(units) not in (1, signal.width):
        raise SpecError(f"{place}: unit: expected 1 or {signal.width} units, got {len(units)}")
    scalar = signal.kind in ("scalar", "bool", "integer") and signal.width == 1
    width = 0 if scalar else signal.width
    kinds: dict[str, Kind] = {
        "scalar": "number",
        "integer": "number",
        "vector": "number",
        "bool": "bool",
        "quat": "quat",
    }
    units = units if len(set(units)) > 1 else units[:1]
    labels = signal.labels if signal.axis else ()
    point = signal.point and width > 0
    frame = signal.frame if width else ""
    whole = signal.kind == "integer"
    kind = kinds[signal.kind]
    return Type(kind, width, signal.axis, labels, units, frame, signal.local, point, whole)


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
