"""Ranges of truth values: 0 where a condition never holds, 1 where it always does."""

from __future__ import annotations

import numpy as np

from ...types import Node
from ..interval import Array, Range, clamp, make
from .base import Context, each, rule


def _truth(sure: Array, possible: Array) -> Range:
    return make(sure, possible)


@rule("lt", "le", "gt", "ge", lanewise=True)
def _compare(_context: Context, node: Node, args: tuple[Range, ...]) -> Range:
    a, b = args if node.op in ("lt", "le") else args[::-1]
    strict = node.op in ("lt", "gt")
    sure = (a.hi < b.lo) if strict else (a.hi <= b.lo)
    possible = (a.lo < b.hi) if strict else (a.lo <= b.hi)
    return _truth(sure & ~a.nan & ~b.nan, possible)


@rule("eq", "ne", "xor", lanewise=True)
def _equal(_context: Context, node: Node, args: tuple[Range, ...]) -> Range:
    a, b = args
    same = (a.lo == a.hi) & (b.lo == b.hi) & (a.lo == b.lo) & ~a.nan & ~b.nan
    possible = (a.lo <= b.hi) & (b.lo <= a.hi)
    return _truth(same, possible) if node.op == "eq" else _truth(~possible, ~same)


each("and", lambda a, b: make(np.minimum(a.lo, b.lo), np.minimum(a.hi, b.hi)))
each("or", lambda a, b: make(np.maximum(a.lo, b.lo), np.maximum(a.hi, b.hi)))
each("not", lambda a: make(1 - a.hi, 1 - a.lo))
each("num", lambda a: a)
each("isfinite", lambda a: _truth(~a.nan & ~a.infinite, np.ones(a.shape)))


@rule("guard")
def _guard(_context: Context, node: Node, args: tuple[Range, ...]) -> Range:
    limit = np.float32(node.static["limit"])
    x = clamp(Range(args[0].lo, args[0].hi, np.zeros_like(args[0].nan)), -limit, limit)
    lost = args[0].nan | args[0].infinite
    return make(np.where(lost, np.minimum(x.lo, 0), x.lo), np.where(lost, np.maximum(x.hi, 0), x.hi))
