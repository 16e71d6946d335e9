"""Where the parameters of grouped networks lie in one flat array, as the core wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data.flat import Network, padded

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Layout:
    """`groups` networks of layers of `sizes` (in, hidden, ..., out), and `extra` floats behind them."""

    groups: int
    sizes: tuple[int, ...]
    activation: str
    extra: int = 0

    @property
    def places(self) -> list[tuple[int, int, int, int]]:
        """(in, out, start of the weights, start of the biases) of each layer of group 0."""
        found, at = [], 0
        for inputs, outputs in pairwise(self.sizes):
            biases = at + padded(inputs * outputs)
            found.append((inputs, outputs, at, biases))
            at = biases + padded(outputs)
        return found

    @property
    def stride(self) -> int:
        """Floats from one group to the next."""
        return sum(padded(i * o) + padded(o) for i, o in pairwise(self.sizes))

    @property
    def size(self) -> int:
        """Floats of the flat array."""
        return self.groups * self.stride + self.extra

    @property
    def described(self) -> Network:
        """What the core is told."""
        layers = [(i, o, w, b, -1, -1) for i, o, w, b in self.places]
        return self.groups, self.stride, self.activation, layers

    def views(self, flat: Array) -> tuple[list[Array], list[Array]]:
        """Return weights `[G, in, out]` and biases `[G, 1, out]` of each layer, sharing the memory of `flat`."""
        rows = flat[: self.groups * self.stride].reshape(self.groups, self.stride)
        weights, biases = [], []
        for i, o, w, b in self.places:
            weights.append(np.lib.stride_tricks.as_strided(
                rows[:, w:], (self.groups, i, o), (rows.strides[0], 4 * o, 4)))
            biases.append(rows[:, None, b : b + o])
        return weights, biases

    def extras(self, flat: Array) -> Array:
        """Return the floats behind the networks."""
        return flat[self.groups * self.stride :]


def layout_of(weights: Sequence[Array], activation: str) -> Layout:
    """Return the layout of given layers `[G, in, out]`."""
    sizes = (weights[0].shape[1], *(w.shape[2] for w in weights))
    return Layout(weights[0].shape[0], sizes, activation)


def flatten(layout: Layout, weights: Sequence[Array], biases: Sequence[Array]) -> Array:
    """Return layers as one flat array."""
    flat = np.zeros(layout.size, np.float32)
    own_weights, own_biases = layout.views(flat)
    for target, values in zip((*own_weights, *own_biases), (*weights, *biases), strict=True):
        target[...] = values
    return flat
