"""Signals and `[let]`s of a task by name: values that can be shown, and signals that another source may provide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..spec.errors import SpecError
from ..spec.signal import Kind, Signal
from .groups import make_group, walk
from .lanes import REMEMBERING
from .lower import lower
from .reference import Group

if TYPE_CHECKING:
    from .types import Node, Type

VALUES = "values"
"""The group that `CompiledTask.showing` writes."""


@dataclass(frozen=True)
class Named:
    """What a name means: its typed tree, and a signal that could stand in its place."""

    node: Node
    signal: Signal

    @property
    def reads(self) -> set[str]:
        """The signals that it is made of."""
        return {n.static["name"] for n in walk(self._groups) if n.op == "signal"}

    def check_present(self, place: str, dt: float) -> None:
        """Raise SpecError unless it is a function of present signals alone."""
        operations = {n.op for n in walk(self._groups)}
        memory = any(node[0] in REMEMBERING for node in lower(self._groups, dt)[0])
        for wrong, what in (
            ("param" in operations, "parameters, which may be edited"),
            (memory or "normalise" in operations, "memory"),
        ):
            if wrong:
                name = self.signal.name
                raise SpecError(f"{place}: '{name}': expected a value of present signals, got one with {what}")

    @property
    def _groups(self) -> list[Group]:
        return [make_group(VALUES, [self.node], "f4")]


KINDS: dict[str, Kind] = {"bool": "bool", "quat": "quat"}


def named_value(
    name: str, node: Node, signals: Mapping[str, Signal], units: Callable[[Node], tuple[str, ...]]
) -> Named:
    """Return what a name means, a signal or a value that could be one."""
    signal = signals.get(name) or signal_like(name, node.type, units(node))
    return Named(node, replace(signal, source="", values=()))


def signal_like(name: str, t: Type, units: tuple[str, ...]) -> Signal:
    """Return a signal of a type."""
    number: Kind = "integer" if t.integer else "vector" if t.width else "scalar"
    kind = KINDS.get(t.kind, number)
    return Signal(
        name, kind, t.width or 1, t.axis, t.labels, ", ".join(units), t.frame, bool(t.point), local=t.local
    )
