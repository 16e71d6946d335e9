"""Types and the typed tree: what the parser's tree becomes and what both the compiler and the twin
read.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from .units import ONE, Unit

Kind = Literal["bool", "number", "quat"]
T = TypeVar("T", "Type", "Node")


def replace(record: T, **changes: Any) -> T:
    """Return a copy with some fields changed, as `dataclasses.replace` does at several times the cost: typing a
    task copies hundreds of types.
    """
    copy = object.__new__(type(record))
    copy.__dict__.update(record.__dict__)
    copy.__dict__.update(changes)
    return copy


@dataclass(frozen=True)
class Type:
    """What a value is: `[axis elements, components]` numbers or truth values, with units, frame and
    point-ness.

    `width` 0 is a scalar. `units` holds one unit, or one per component. `frame` "" means any. A
    quat turns vectors of
    `local` into vectors of `frame`. `point` is None for a value made of literals, which may be
    either.
    """

    kind: Kind = "number"
    width: int = 0
    axis: str = ""
    labels: tuple[str, ...] = ()
    units: tuple[Unit, ...] = (ONE,)
    frame: str = ""
    local: str = ""
    point: bool | None = False
    integer: bool = False

    def __init__(
        self,
        kind: Kind = "number",
        width: int = 0,
        axis: str = "",
        labels: tuple[str, ...] = (),
        units: tuple[Unit, ...] = (ONE,),
        frame: str = "",
        local: str = "",
        point: bool | None = False,
        integer: bool = False,
    ) -> None:
        # the one of a frozen class sets field by field, at several times the cost
        self.__dict__.update(
            kind=kind,
            width=width,
            axis=axis,
            labels=labels,
            units=units,
            frame=frame,
            local=local,
            point=point,
            integer=integer,
        )

    @property
    def count(self) -> int:
        """Elements along the named axis, 1 without one."""
        return len(self.labels) if self.axis else 1

    @property
    def columns(self) -> int:
        """Components of an element, 1 for a scalar."""
        return self.width or 1

    @property
    def lanes(self) -> int:
        """Numbers per environment."""
        return self.count * self.columns

    @property
    def unit(self) -> Unit:
        """The one unit of all components (the first one of mixed units)."""
        return self.units[0]

    @property
    def mixed(self) -> bool:
        """True if components have units of their own."""
        return len(self.units) > 1

    def with_unit(self, unit: Unit) -> Type:
        """Return this type with another unit."""
        return replace(self, units=(unit,))

    def __str__(self) -> str:
        kind = "quat" if self.kind == "quat" else "bool" if self.kind == "bool" else "scalar"
        if self.width and self.kind != "quat":
            kind = f"{'bool ' if self.kind == 'bool' else ''}vector[{self.width}]"
        return f"{kind} over {self.axis}[{self.count}]" if self.axis else kind


BOOL = Type("bool")
SCALAR = Type()


@dataclass(frozen=True, eq=False)
class Node:
    """An operation on nodes. `static` holds its constants by name.

    `raw` is true for a signal, or a subscript of one, that is read from the environment's own
    array: differences of
    two such values, and their changes over time, are taken in double. `parts` are the arguments as they were written,
    where a definition stands in their place; `size` counts a part as often as it is used, `distinct_parts` once.
    """

    op: str
    args: tuple[Node, ...]
    type: Type
    static: dict[str, Any]
    raw: bool = False
    size: int = 1
    depth: int = 1
    parts: tuple[Node, ...] | None = None

    def __init__(
        self,
        op: str,
        args: tuple[Node, ...],
        type: Type,  # noqa: A002  the name of the field
        static: dict[str, Any],
        raw: bool = False,
        size: int = 1,
        depth: int = 1,
        parts: tuple[Node, ...] | None = None,
    ) -> None:
        self.__dict__.update(
            op=op, args=args, type=type, static=static, raw=raw, size=size, depth=depth, parts=parts
        )


def distinct_parts(node: Node) -> int:
    """Return how many different parts an expression has: a [let] counts once, as it is computed once."""
    seen, todo = {id(node)}, [node]
    while todo:
        one = todo.pop()
        fresh = {id(n): n for n in (one.args if one.parts is None else one.parts) if id(n) not in seen}
        seen |= fresh.keys()
        todo += fresh.values()
    return len(seen)


@dataclass(frozen=True)
class Place:
    """Where and as what a node was written in a task: columns `start` to `end`, from 0, of the text at `path`."""

    node: Node
    path: str
    start: int
    end: int
    tree: ast.expr
