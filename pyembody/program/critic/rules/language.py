"""Ranges of values from outside an expression, of stages, flags and sets of points."""

from __future__ import annotations

import numpy as np

from ...types import Node
from ..interval import INF, Range, hull, make, point, top, widen
from .base import Context, each, rule, shape_of
from .memory import remembering

each("as_number", lambda a: a)


@rule("power_by", lanewise=True)
def _power(_context: Context, _node: Node, args: tuple[Range, ...]) -> Range:
    """Powers of numbers of at least 0, or under whole exponents, are extreme at ends or at 0: each argument alone rises
    or falls. Nothing is said of exponents below 0.
    """
    x, w = args
    whole = (w.lo == w.hi) & (w.lo == np.floor(w.lo))
    fine = (w.lo >= 0) & ~w.nan & ((x.lo >= 0) | whole)
    base, exponent = (np.stack(np.broadcast_arrays(*ends)).astype(float) for ends in _corners(x, w))
    with np.errstate(all="ignore"):
        ends = np.power(np.where(fine, base, 0), np.where(fine, exponent, 1))
    low, high = np.where(fine, ends.min(axis=0), -INF), np.where(fine, ends.max(axis=0), INF)
    return widen(make(low, high, x.nan | ~fine))


def _corners(x: Range, w: Range) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Bases and exponents of the candidates: the ends of both, and 0 if the base may pass it."""
    middle = np.clip(np.zeros_like(x.lo), x.lo, x.hi)
    bases = (x.lo, x.lo, x.hi, x.hi, middle)
    return bases, (w.lo, w.hi, w.lo, w.hi, w.hi)


@rule("table", lanewise=True)
def _table(_context: Context, node: Node, args: tuple[Range, ...]) -> Range:
    values, i = np.asarray(node.static["name"].values, np.float32), args[0]
    outside = i.nan | (i.lo < 0) | (i.hi >= len(values))
    return make(np.full(i.shape, values.min()), np.full(i.shape, values.max()), outside)


@rule("learned")
def _learned(_context: Context, node: Node, _args: tuple[Range, ...]) -> Range:
    given = node.static["name"]
    return hull(point(given.low), point(given.high), point(0.0))


@rule("kernel", "normalise", "unwrap")
def _anything(_context: Context, node: Node, _args: tuple[Range, ...]) -> Range:
    return top(shape_of(node))


@remembering("potential_of")
def _potential(_context: Context, node: Node, _args: tuple[Range, ...]) -> Range:
    return top(shape_of(node))


@remembering("episodic_count")
def _count(context: Context, _node: Node, args: tuple[Range, ...]) -> Range:
    return make(np.zeros(args[0].shape), np.full(args[0].shape, context.steps + 1))


@rule("min_dist", "mean_min_dist")
def _distance(_context: Context, _node: Node, args: tuple[Range, ...]) -> Range:
    bad = any(bool((a.nan | a.infinite).any()) for a in args)
    return make(0, INF, bad, (1, 1))


@rule("machine")
def _machine(_context: Context, node: Node, _args: tuple[Range, ...]) -> Range:
    edges = node.static["edges"]
    last = max(max(source, target) for source, target, _ in edges)
    return make(np.zeros((1, 3)), np.array([[last, last, len(edges)]]))


@rule("watch", "flagged")
def _flag(_context: Context, _node: Node, _args: tuple[Range, ...]) -> Range:
    return make(0, 1, False, (1, 1))


@rule("marked")
def _marked(_context: Context, _node: Node, args: tuple[Range, ...]) -> Range:
    return args[0]
