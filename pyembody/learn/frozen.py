"""Trained layers as a network of the core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyembody import _core

Array = npt.NDArray[Any]


def freeze(layers: Sequence[tuple[Array, Array]], activation: str) -> _core.Mlp:
    """Return the network of layers of weights `[in, out]` and biases `[out]` float32."""
    parts, described, size = [], [], 0
    for weight, bias in layers:
        described.append((*weight.shape, size, size + weight.size, -1, -1))
        parts += [weight.ravel(), bias.ravel()]
        size += weight.size + bias.size
    network = _core.Mlp((1, 0, activation, described), size)
    network.load(np.concatenate(parts, dtype=np.float32))
    return network
