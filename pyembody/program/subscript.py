"""Subscripts: named axis first, then components; whole numbers, slices, lists, labels and globs,
all constant.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from fnmatch import fnmatchcase

from msgspec.structs import replace

from ..spec.errors import SpecError, nearest
from .types import Node

GLOB = set("*?[")


def select(x: Node, index: ast.expr, place: str) -> Node:
    """Return the chosen part of a value. Raises SpecError for an index out of range, or that
    matches nothing.
    """
    t = x.type
    indices = list(index.elts) if isinstance(index, ast.Tuple) else [index]
    dims = [d for d in ("axis" if t.axis else "", "width" if t.width else "") if d]
    if len(indices) > len(dims):
        raise SpecError(f"{place}: {t} takes {len(dims)} subscripts, got {len(indices)}")
    chooser = _Chooser(place)
    rows, drop_axis = list(range(t.count)), False
    columns, drop_width = list(range(t.columns)), False
    for dim, tree in zip(dims, indices, strict=False):
        if dim == "axis":
            rows, drop_axis = chooser.choose(tree, t.labels, t.count, t.axis)
        else:
            columns, drop_width = chooser.choose(tree, (), t.columns, "components")
    lanes = tuple(a * t.columns + c for a in rows for c in columns)
    if len(columns) != t.columns or drop_width:
        t = replace(t, kind="number" if t.kind == "quat" else t.kind, local="")
        t = replace(t, frame="") if x.type.kind == "quat" else t
        t = replace(t, units=tuple(t.units[c] for c in columns)) if t.mixed else t
    t = replace(t, width=len(columns) if t.width else 0)
    if drop_axis:
        t = replace(t, axis="", labels=())
    elif t.axis:
        t = replace(t, labels=tuple(t.labels[a] for a in rows))
    if drop_width:
        t = replace(t, width=0, frame="", point=False)
    if len(set(t.units)) == 1:
        t = replace(t, units=t.units[:1])
    return Node("select", (x,), t, {"lanes": lanes}, raw=x.raw, size=x.size + 1, depth=x.depth + 1)


class _Chooser:
    def __init__(self, place: str) -> None:
        self.place = place

    def choose(
        self, tree: ast.expr, labels: Sequence[str], size: int, name: str
    ) -> tuple[list[int], bool]:
        """Return the chosen positions, and whether a single one was asked for (which removes the
        dimension).
        """
        match tree:
            case ast.Slice():
                bounds = [
                    self._whole(t) if t is not None else None
                    for t in (tree.lower, tree.upper, tree.step)
                ]
                if bounds[2] == 0:
                    raise self._error("expected a slice step that is not 0")
                chosen = list(range(size))[slice(*bounds)]
                if not chosen:
                    raise self._error(f"the slice chooses none of {size} {name}")
                return chosen, False
            case ast.List(elts=elts):
                return [i for t in elts for i in self._one(t, labels, size, name)[0]], False
            case _:
                return self._one(tree, labels, size, name)

    def _one(
        self, tree: ast.expr, labels: Sequence[str], size: int, name: str
    ) -> tuple[list[int], bool]:
        if isinstance(tree, ast.Constant) and isinstance(tree.value, str):
            return self._label(tree.value, labels, name)
        i = self._whole(tree)
        if not -size <= i < size:
            raise self._error(f"index {i} is out of range for {size} {name}")
        return [i % size], True

    def _label(self, text: str, labels: Sequence[str], name: str) -> tuple[list[int], bool]:
        if text in labels:
            return [list(labels).index(text)], True
        if labels and GLOB & set(text):
            chosen = [i for i, label in enumerate(labels) if fnmatchcase(label, text)]
            if chosen:
                return chosen, False
            raise self._error(f"'{text}' matches none of the {name}: {', '.join(labels)}")
        raise self._error(f"unknown label '{text}' of {name}{nearest(text, labels)}")

    def _whole(self, tree: ast.expr) -> int:
        negative = isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub)
        inner = tree.operand if isinstance(tree, ast.UnaryOp) and negative else tree
        if isinstance(inner, ast.Constant) and type(inner.value) is int:
            return -inner.value if negative else inner.value
        raise self._error("expected a constant whole number, label, slice or list as subscript")

    def _error(self, message: str) -> SpecError:
        return SpecError(f"{self.place}: subscript: {message}")
