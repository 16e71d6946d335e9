"""Ranges of leaves, and of values taken apart and put together."""

from __future__ import annotations

import numpy as np

from ...types import Node
from ..interval import Range, point, top
from .base import Context, rule, shape_of


@rule("literal", "constant")
def _literal(_context: Context, node: Node, _args: tuple[Range, ...]) -> Range:
    return point(
        np.broadcast_to(np.asarray(node.static["values"], np.float32), (node.type.lanes,)).reshape(shape_of(node))
    )


@rule("param")
def _param(context: Context, node: Node, _args: tuple[Range, ...]) -> Range:
    return context.params.get(node.static["index"], top((1, 1)))


@rule("signal")
def _signal(context: Context, node: Node, _args: tuple[Range, ...]) -> Range:
    known = context.signals.get(node.static["name"])
    return top(shape_of(node), node.type.kind == "bool") if known is None else known


@rule("select")
def _select(_context: Context, node: Node, args: tuple[Range, ...]) -> Range:
    return args[0].pick(node.static["lanes"], shape_of(node))


@rule("list")
def _list(_context: Context, node: Node, args: tuple[Range, ...]) -> Range:
    parts = [a.spread((node.type.count, 1)) for a in args]
    return Range(*(np.concatenate([getattr(p, name) for p in parts], axis=1) for name in ("lo", "hi", "nan")))
