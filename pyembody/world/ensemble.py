"""An ensemble of Gaussian models of the change of a state, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Ensemble:
    """E equal multi-layer perceptrons of [(s - mean) / std, (a - mean) / std] `[S + A]` that give the mean of s' - s
    and raw log variances `[2S]`.

    Layer l has `weights[l] [E, in, out]` and `biases[l] [E, 1, out]`; the log variances are softly kept within
    `log_var_min [S]` and `log_var_max [S]`. `elites` are the members that rollouts draw from. Raises ValueError naming
    the array that does not fit. Paper: Chua et al., Deep reinforcement learning in a handful of trials (2018).
    """

    weights: list[Floats]
    biases: list[Floats]
    log_var_min: Floats
    log_var_max: Floats
    state_mean: Floats
    state_std: Floats
    action_mean: Floats
    action_std: Floats
    activation: str
    elites: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check shapes."""
        members, inputs = self.members, self.states + self.actions
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            outputs = 2 * self.states if i == len(self.weights) - 1 else weight.shape[-1]
            _check(f"weights[{i}]", weight, (members, inputs, outputs))
            _check(f"biases[{i}]", bias, (members, 1, outputs))
            inputs = outputs
        for name in ("log_var_min", "log_var_max", "state_std"):
            _check(name, getattr(self, name), (self.states,))
        _check("action_std", self.action_std, (self.actions,))
        if not self.elites or not set(self.elites) <= set(range(members)):
            raise ValueError(f"elites: expected members from 0 to {members - 1}, got {self.elites}")

    @property
    def members(self) -> int:
        """Number of models E."""
        return int(self.weights[0].shape[0])

    @property
    def states(self) -> int:
        """Numbers of a state S."""
        return int(self.state_mean.shape[0])

    @property
    def actions(self) -> int:
        """Numbers of an action A."""
        return int(self.action_mean.shape[0])


def _check(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"ensemble: {name}: expected shape {shape}, got {array.shape}")
