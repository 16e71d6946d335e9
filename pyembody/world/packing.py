"""Networks laid out as the core reads them: one flat array, and where each layer lies in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..data.flat import Network

Floats = NDArray[np.float32]


def flatten_layers(weights: Sequence[Floats], biases: Sequence[Floats], activation: str) -> tuple[Network, Floats]:
    """Return the description of G equal networks without layer norms, and their parameters float32 `[P]`, one network
    after the other, from `weights [G, in, out]` and `biases [G, 1, out]` of each layer.
    """
    groups, at = weights[0].shape[0], 0
    layers, parts = [], []
    for weight, bias in zip(weights, biases, strict=True):
        inputs, outputs = weight.shape[1:]
        layers.append((inputs, outputs, at, at + inputs * outputs, -1, -1))
        parts += [weight.reshape(groups, -1), bias.reshape(groups, -1)]
        at += (inputs + 1) * outputs
    flat = np.concatenate(parts, axis=1, dtype=np.float32).reshape(-1)
    return (groups, at, activation, layers), flat


def inverse(std: Floats) -> Floats:
    """Return 1 / std, float32, from a division in double."""
    return (1.0 / np.asarray(std, np.float64)).astype(np.float32)
