"""What the oracles of published rewards share: random rows, and the functions that the formulas are made of.

An oracle is written from the published formula, in float64, and knows nothing of this package. It gets the history
of an episode, one dict of arrays a step beginning with the reset state, and gives the total reward `[N]` of the last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyembody.spec import Signal

Array = NDArray[Any]
Rows = dict[str, Array]
Oracle = Callable[[list[Rows]], Array]


@dataclass(frozen=True)
class Published:
    """An oracle and the rows that it is tried on.

    `spread` scales the normal draws, of single signals in `spreads`; a signal in `near` lies close to another one in
    half of the rows. `shift` is added. `steps` are those of an episode.
    """

    oracle: Oracle
    spread: float = 1.0
    spreads: dict[str, float] = field(default_factory=dict)
    near: dict[str, str] = field(default_factory=dict)
    shift: dict[str, Any] = field(default_factory=dict)
    steps: int = 3

    def draw(self, signals: tuple[Signal, ...], n: int, rng: np.random.Generator) -> Rows:
        """Random arrays, float32 numbers in double."""
        rows: Rows = {}
        for s in sorted(signals, key=lambda s: s.name in self.near):
            values = rng.standard_normal((n, s.lanes)) * self.spreads.get(s.name, self.spread)
            if s.name in self.near:
                close = values * 0.3 * rng.random((n, 1)) ** 3 + rows[self.near[s.name]].reshape(n, -1)
                values = np.where(rng.random((n, 1)) < 0.5, close, values)
            if s.kind == "quat":
                values /= np.linalg.norm(values, axis=1, keepdims=True)
            values = values + self.shift.get(s.name, 0.0)
            rows[s.name] = values > 0 if s.kind == "bool" else values.astype(np.float32).astype(np.float64)
            shape = (n, *([s.count] if s.axis else []), *([s.width] if s.width > 1 else []))
            rows[s.name] = rows[s.name].reshape(shape)
        return rows


def norm(x: Array) -> Array:
    """Length along the last axis."""
    return np.sqrt((np.asarray(x) ** 2).sum(axis=-1))


def tolerance(
    x: Array, low: float = 0.0, high: float = 0.0, margin: Any = 0.0, sigmoid: str = "gaussian", value: float = 0.1
) -> Array:
    """dm_control's shaped indicator of [low, high]."""
    with np.errstate(all="ignore"):
        d = np.where(x < low, low - x, x - high) / margin
        if sigmoid == "gaussian":
            outside = value ** (d**2)
        elif sigmoid == "long_tail":
            outside = 1 / (1 + (1 / value - 1) * d**2)
        elif sigmoid == "linear":
            outside = np.maximum(1 - (1 - value) * d, 0)
        else:
            assert sigmoid == "quadratic"
            outside = np.maximum(1 - (1 - value) * d**2, 0)
    inside = (low <= x) & (x <= high)
    result: Array = np.where(inside, 1.0, np.where(np.asarray(margin) > 0, outside, 0.0))
    return result


def hamacher(*shares: Array) -> Array:
    """The quotient form, two at a time."""
    total = np.asarray(shares[0], float)
    for b in shares[1:]:
        whole = total + b - total * b
        total = np.where(whole > 0, total * b / np.where(whole > 0, whole, 1), 0)
    return total


def rotated(q: Array, v: Any) -> Array:
    """The vector of the local frame in the outer one: v + 2 r x (r x v + w v)."""
    w, r = q[:, :1], q[:, 1:]
    v = np.broadcast_to(np.asarray(v, float), r.shape)
    result: Array = v + 2 * np.cross(r, np.cross(r, v) + w * v)
    return result


def angle_between(p: Array, q: Array) -> Array:
    """The angle of the rotation from one orientation to another, by the vector part of p conj(q)."""
    w, v, u = p[:, :1], p[:, 1:], q[:, :1]
    vector = -w * q[:, 1:] + u * v - np.cross(v, q[:, 1:])
    return 2 * np.arcsin(np.minimum(norm(vector), 1))
