"""The definition of the core's `clip_rows` and `adam_step`, in NumPy; the core gives the same bits."""

from __future__ import annotations

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
    scale: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    keep: float,
) -> None:
    """Move parameters `[P]` float32 against the gradient and its moments with it, all in place.

    `rate` is the learning rate divided by 1 - beta1^t, `scale` is sqrt(1 - beta2^t), `keep` is 1 - learning rate times
    weight decay.
    """
    # m <- m + (1 - b1)(g - m);  v <- b2 v + (1 - b2) g^2
    mean += np.float32(1.0 - beta1) * (gradient - mean)
    square *= np.float32(beta2)
    square += np.float32(1.0 - beta2) * (gradient * gradient)
    # p <- keep p - rate m / (sqrt(v) / scale + epsilon)
    parameters *= np.float32(keep)
    parameters -= np.float32(rate) * (mean / (np.sqrt(square) / np.float32(scale) + np.float32(epsilon)))
