"""Types and the typed tree: what the parser's tree becomes and what both the compiler and the twin
read.
"""

from __future__ import annotations

import ast
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from .units import ONE, Unit

Kind = Literal["bool", "number", "quat"]


# A tree has no cycles, so the garbage collector need not look at its thousands of records (gc=False).


class Type(Struct, frozen=True, gc=False):
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
        return (len(self.labels) if self.axis else 1) * (self.width or 1)

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


class Node(Struct, frozen=True, eq=False, gc=False):
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


def distinct_parts(node: Node) -> int:
    """Return how many different parts an expression has: a [let] counts once, as it is computed once."""
    seen, todo = {id(node)}, [node]
    while todo:
        one = todo.pop()
        fresh = {id(n): n for n in (one.args if one.parts is None else one.parts) if id(n) not in seen}
        seen |= fresh.keys()
        todo += fresh.values()
    return len(seen)


class Place(Struct, frozen=True, eq=False, gc=False):
    """Where and as what a node was written in a task: columns `start` to `end`, from 0, of the text at `path`."""

    node: Node
    path: str
    tree: ast.expr

    @property
    def start(self) -> int:
        """The first column."""
        return self.tree.col_offset

    @property
    def end(self) -> int:
        """The column after the last one."""
        return self.tree.end_col_offset or self.start
