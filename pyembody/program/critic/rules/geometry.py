"""Ranges of rotations. Quaternions are taken to have length 1: the simulator normalises them."""

from __future__ import annotations

import math

import numpy as np

from ...types import Node
from ..interval import Array, Range, make, point, widen
from .base import Context, rule, shape_of
from .numbers import greatest
from .reductions import REDUCTIONS

SLACK = np.float32(1e-5)
"""How far rounding may push the components of a unit quaternion, and the length of what it turned."""


def _length(v: Range) -> Range:
    return REDUCTIONS["norm"](v, 2)


@rule("rotate", "rotate_inv")
def _rotate(_context: Context, node: Node, args: tuple[Range, ...]) -> Range:
    """No component is longer than the vector."""
    q, v = args
    bound = _length(v).hi * (1 + SLACK)
    return make(-bound, bound, _unclear(q) | _unclear(v), shape_of(node))


@rule("to_yaw")
def _to_yaw(_context: Context, node: Node, args: tuple[Range, ...]) -> Range:
    """A turn about the vertical keeps the third component."""
    q, v = args
    bound = _length(v.fold(lambda x: x[..., :2])).hi * (1 + SLACK)
    low = np.concatenate([-bound, -bound, v.lo[..., 2:]], axis=-1)
    high = np.concatenate([bound, bound, v.hi[..., 2:]], axis=-1)
    return make(low, high, _unclear(q) | _unclear(v), shape_of(node))


@rule("qmul", "qconj")
def _turned(_context: Context, node: Node, args: tuple[Range, ...]) -> Range:
    unclear = np.logical_or.reduce(np.broadcast_arrays(*(_unclear(q) for q in args)))
    return make(-1 - SLACK, 1 + SLACK, unclear, shape_of(node))


@rule("yaw", "roll")
def _heading(_context: Context, node: Node, args: tuple[Range, ...]) -> Range:
    return widen(make(-math.pi, math.pi, _unclear(args[0]), shape_of(node)))


@rule("pitch")
def _pitch(_context: Context, node: Node, args: tuple[Range, ...]) -> Range:
    return widen(make(-math.pi / 2, math.pi / 2, _unclear(args[0]), shape_of(node)))


@rule("rot_angle")
def _rot_angle(_context: Context, node: Node, args: tuple[Range, ...]) -> Range:
    unclear = np.logical_or.reduce(np.broadcast_arrays(*(_unclear(q) for q in args)))
    return greatest(point(0.0), widen(make(0, math.pi, unclear, shape_of(node))))


def _unclear(x: Range) -> Array:
    """Per axis element: may anything of it be NaN or infinite?"""
    return np.asarray((x.nan | x.infinite).any(axis=1, keepdims=True))
