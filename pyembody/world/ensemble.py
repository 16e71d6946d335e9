"""Ensembles of small networks that predict the next state, each with a mean and a variance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def _silu(x: Array) -> Array:
    y: Array = x / (1.0 + np.exp(-np.clip(x, -80.0, 80.0)))
    return y


def _elu(x: Array) -> Array:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0.0)))


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "elu": _elu, "relu": lambda x: np.maximum(x, 0.0), "silu": _silu, "tanh": np.tanh,
}


@dataclass(frozen=True)
class Ensemble:
    """E members, float32: `weights[l] [E, in, out]`, `biases[l] [E, 1, out]` of layers that read the normalised state
    and action and give S means of the change of state and S raw log variances, kept softly within `log_var_min` and
    `log_var_max [S]`; means and deviations of states `[S]` and actions `[A]`; `activation` between layers; `elites`,
    the members to draw from, best first.

    Paper: Chua et al., Deep reinforcement learning in a handful of trials (2018).
    """

    weights: list[Array]
    biases: list[Array]
    log_var_min: Array
    log_var_max: Array
    state_mean: Array
    state_std: Array
    action_mean: Array
    action_std: Array
    activation: str
    elites: tuple[int, ...]

    @property
    def members(self) -> int:
        """E."""
        return int(self.weights[0].shape[0])
