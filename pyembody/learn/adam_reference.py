"""The definition of the core's `clip_rows` and `adam_step`, in NumPy; the core gives the same bits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
SUMS = 8


def clip_rows(gradient: Array, most: float) -> Array:
    """Scale each row of gradient `[G, P]` float32 in place to a norm of at most `most`; return the norms `[G]` before.

    One row is one network: a diverging critic never shrinks the steps of the others.
    """
    padded = np.zeros((len(gradient), -(-gradient.shape[1] // SUMS) * SUMS))
    padded[:, : gradient.shape[1]] = gradient
    lanes = np.add.accumulate(np.square(padded).reshape(len(gradient), -1, SUMS), axis=1)[:, -1]
    norms = np.sqrt(np.add.accumulate(lanes, axis=1)[:, -1]).astype(np.float32)
    scale = np.float32(most) / (norms + np.float32(1e-6))
    gradient *= np.minimum(scale, np.float32(1.0))[:, None]
    return norms


def adam_step(
    parameters: Array,
    gradient: Array,
    mean: Array,
    square: Array,
    rate: float,
    number: int,
    decay: float = 0.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> None:
    """Move parameters `[P]` float32 against the gradient and its moments with it, all in place.

    `number` is t, 1 in the first step; `decay` shrinks the parameters themselves, per step and unit of rate (AdamW).
    """
    # m <- m + (1 - b1)(g - m);  v <- b2 v + (1 - b2) g^2
    mean += np.float32(1.0 - beta1) * (gradient - mean)
    square *= np.float32(beta2)
    square += np.float32(1.0 - beta2) * (gradient * gradient)
    # p <- (1 - rate decay) p - rate / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + epsilon)
    corrected = np.float32(rate / (1.0 - beta1**number))
    scale = np.float32(math.sqrt(1.0 - beta2**number))
    parameters *= np.float32(1.0 - rate * decay)
    parameters -= corrected * (mean / (np.sqrt(square) / scale + np.float32(epsilon)))
