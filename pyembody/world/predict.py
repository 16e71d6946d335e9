"""What an ensemble says of the next state: every member's mean and variance, by the core's networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .ensemble import Ensemble
from .layout import flatten, layout_of

Array = npt.NDArray[Any]
FAR = 1e9
"""The core's networks clip their inputs; this is beyond any."""


def softplus(x: Array) -> Array:
    """Return log(1 + exp(x)) without overflow."""
    soft: Array = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return soft


def bounded(raw: Array, low: Array, high: Array) -> Array:
    """Return log variances kept softly within `low` and `high [S]`."""
    capped = high - softplus(high - raw)
    return low + softplus(capped - low)


class Predictor:
    """Evaluates all members of an ensemble for many rows. `quats` are the first lanes of unit quaternions."""

    def __init__(self, ensemble: Ensemble, quats: Sequence[int] = (), threads: int = 1) -> None:
        self.ensemble, self.quats = ensemble, tuple(quats)
        layout = layout_of(ensemble.weights, ensemble.activation)
        self._network = _core.Mlp(layout.described, layout.size, threads)
        self._network.load(flatten(layout, ensemble.weights, ensemble.biases))
        mean = np.concatenate([ensemble.state_mean, ensemble.action_mean], dtype=np.float32)
        std = np.concatenate([ensemble.state_std, ensemble.action_std], dtype=np.float32)
        self._network.normalise(mean, np.reciprocal(std), FAR)

    def moments(self, state: Array, action: Array) -> tuple[Array, Array]:
        """Return means of the change and log variances `[E, M, S]` for states `[M, S]` and actions `[M, A]`."""
        own = self.ensemble
        rows = np.concatenate([state, action], axis=1, dtype=np.float32)
        out = np.empty((len(rows), own.members * 2 * state.shape[1]), np.float32)
        self._network.forward(rows, out)
        mean, raw = np.split(out.reshape(len(rows), own.members, -1).transpose(1, 0, 2), 2, axis=2)
        return mean, bounded(raw, own.log_var_min, own.log_var_max)

    def candidates(self, state: Array, action: Array, resamples: int, rng: np.random.Generator) -> Array:
        """Return next states `[J, M, S]` drawn `resamples` times from each elite, elite by elite."""
        mean, log_var = self.moments(state, action)
        elites = list(self.ensemble.elites)
        mean, deviation = (np.repeat(x, resamples, axis=0) for x in (mean[elites], np.exp(0.5 * log_var[elites])))
        noise = rng.standard_normal(mean.shape, dtype=np.float32)
        return self.settle(state + mean + deviation * noise)

    def mean(self, state: Array, action: Array) -> Array:
        """Return the elites' mean next state `[M, S]`."""
        return self.settle(state + self.moments(state, action)[0][list(self.ensemble.elites)].mean(0))

    def settle(self, states: Array) -> Array:
        """Bring quaternions back to unit length, in place, and return the states `[..., S]`."""
        for first in self.quats:
            quat = states[..., first : first + 4]
            quat /= np.maximum(np.linalg.norm(quat, axis=-1, keepdims=True), 1e-6)
        return states
