"""The typing rules that operations share: shapes that fit, equal units, equal frames, points
against displacements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from msgspec import Struct
from msgspec.structs import replace

from ..spec.errors import SpecError
from .types import Kind, Node, Type
from .units import ONE, RAD, Unit, UnitError, UnitSolver

Check = tuple["Call", Unit]


class Call(Struct, eq=False):
    """One use of an operation while it is being typed: its arguments, constants, place and the unit
    equations.
    """

    name: str
    args: list[Node]
    static: dict[str, Any]
    place: str
    solver: UnitSolver
    angles: list[Check] = []

    def fail(self, message: str, code: str = "") -> NoReturn:
        """Raise SpecError at this call."""
        raise SpecError(f"{self.place}: {self.name}: {message}", code)

    # --- shapes -----------------------------------------------------------------------------------

    def numbers(self) -> None:
        """Refuse arguments that are truth values or quats."""
        for node in self.args:
            if node.type.kind != "number":
                hint = " (num(b) gives 0 or 1)" if node.type.kind == "bool" else ""
                self.fail(f"expected numbers, got {node.type if hint else 'a quat'}{hint}")

    def bools(self) -> None:
        """Refuse arguments that are not truth values."""
        for node in self.args:
            if node.type.kind != "bool":
                self.fail(f"expected truth values, got {node.type}")

    def vectors(self, *widths: int) -> None:
        """Refuse arguments that are not vectors (of one of `widths`, if given)."""
        for node in self.args:
            if (
                node.type.kind != "number"
                or not node.type.width
                or (widths and node.type.width not in widths)
            ):
                wanted = f"vector[{widths[0]}]" if widths else "a vector"
                self.fail(f"expected {wanted}, got {node.type}")

    def quat(self, *indices: int) -> None:
        """Refuse arguments at `indices` that are not quats."""
        for i in indices:
            if self.args[i].type.kind != "quat":
                self.fail(f"expected a quat as argument {i + 1}, got {self.args[i].type}")

    def axis(self) -> tuple[str, tuple[str, ...]]:
        """Return the named axis of the arguments and its labels; they must agree."""
        name = ""
        labels: tuple[str, ...] = ()
        for node in self.args:
            t = node.type
            if not t.axis:
                continue
            if name and (t.axis, t.labels) != (name, labels):
                self.fail(
                    f"expected one axis, got {name}{_few(labels)} and {t.axis}{_few(t.labels)}"
                )
            name, labels = t.axis, t.labels
        return name, labels

    def fit(self, kind: Kind = "number") -> Type:
        """Return the common shape of the arguments; literal lists take a named axis of their length
        if they must.
        """
        axis, labels = self.axis()
        if axis and not any(n.type.width and (n.op != "literal" or n.type.axis) for n in self.args):
            self.args = [_over(n, axis, labels) for n in self.args]
        width = max([n.type.width for n in self.args])
        whole = False
        for node in self.args:
            if node.type.width not in (0, width):
                self.fail(f"expected equal widths, got {width} and {node.type.width}")
            whole = whole or (node.type.width == width and bool(node.type.axis) == bool(axis))
        if not whole:
            self.fail(f"no common shape: {' and '.join(str(n.type) for n in self.args)}")
        return Type(kind, width, axis, labels)

    # --- units ------------------------------------------------------------------------------------

    def equal(self, left: Unit, right: Unit) -> None:
        """Make two units equal. Raises SpecError naming both, and a parameter that already has
        another unit.
        """
        try:
            self.solver.equal(left, right)
        except UnitError as clash:
            culprit = next((n for n in self.args if n.op == "param" and not n.static["unit"]), None)
            if culprit is not None:
                got = self.solver.resolve(culprit.type.unit)
                name = culprit.static["name"]
                self.fail(
                    f"parameter '{name}' has the unit {got} where it is used elsewhere; "
                    f"here {clash.left} meets {clash.right}"
                )
            self.fail(f"expected equal units, got {clash.left} and {clash.right}")

    def plain(self) -> None:
        """Refuse arguments whose components have units of their own."""
        for node in self.args:
            if len(node.type.units) > 1:
                units = _units(node.type)
                self.fail(f"components have different units ({units}); pick one with a subscript")

    def same_unit(self) -> Unit:
        """Return the unit that all arguments share."""
        self.plain()
        for node in self.args[1:]:
            self.equal(self.args[0].type.unit, node.type.unit)
        return self.solver.resolve(self.args[0].type.unit)

    def pure(self, *indices: int) -> None:
        """Make the arguments at `indices` (all, if none is given) pure numbers."""
        for i in indices or range(len(self.args)):
            if self.args[i].type.mixed:
                self.plain()
            try:
                self.solver.equal(self.args[i].type.unit, ONE)
            except UnitError as clash:
                self.fail(
                    f"expected a pure number, got {clash.left} (number(x, 'unit') leaves units)"
                )

    def angle(self, index: int = 0) -> None:
        """Make an argument an angle or a pure number; which one is settled when everything else is
        known.
        """
        self.plain()
        self.angles.append((self, self.args[index].type.unit))

    def settle_angle(self, unit: Unit) -> None:
        """Second half of `angle`. Raises SpecError if the unit is neither rad nor 1."""
        got = self.solver.resolve(unit)
        if got.unknowns:
            self.solver.equal(got, RAD if got.powers[0][0] == "rad" else ONE)
        elif got not in (RAD, ONE):
            self.fail(f"expected an angle in rad or a pure number, got {got}")

    # --- frames and points ------------------------------------------------------------------------

    def frame(self, *nodes: Node) -> str:
        """Return the frame that the arguments share ("" fits any)."""
        frames = {n.type.frame for n in nodes or self.args} - {""}
        if len(frames) > 1:
            self.fail(
                f"expected one frame, got {' and '.join(sorted(frames))} (rotate, rotate_inv change frames)"
            )
        return frames.pop() if frames else ""

    def displacements(self, nodes: Sequence[Node] | None = None) -> None:
        """Refuse points."""
        for node in self.args if nodes is None else nodes:
            if node.type.point:
                self.fail("expected a displacement, got a point (subtract another point first)")

    def same_point(self) -> bool | None:
        """Return whether the arguments are points; they must agree."""
        found = {n.type.point for n in self.args if n.type.point is not None and n.type.width}
        if len(found) > 1:
            self.fail("expected points or displacements, got both")
        return found.pop() if found else None


def _over(node: Node, axis: str, labels: tuple[str, ...]) -> Node:
    t = node.type
    if node.op != "literal" or t.axis or t.width != len(labels):
        return node
    return replace(node, type=replace(t, width=0, axis=axis, labels=labels, point=False))


def _few(labels: Sequence[str]) -> str:
    return f"[{', '.join(labels[:4])}{', ...' if len(labels) > 4 else ''}]"


def _units(t: Type) -> str:
    return ", ".join(str(u) for u in t.units)
