"""A policy network as plain arrays, for imagined rollouts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pyembody import _core

from .packing import flatten_layers, inverse

if TYPE_CHECKING:
    from ..envs.mirror import MirrorMap

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Actor:
    """A multi-layer perceptron of observations, seen as (o - mean) / std within +-clip, that gives actions `[A]`.

    Layers have `weights[l] [in, out]` and `biases[l] [out]`. With `action_std [A]` rollouts with noise draw actions
    around its outputs; with `squashed` above 0 actions are squashed * tanh of them, and outputs beyond the first A of
    twice as many are not read. With a `mirror` it sees the mirror images of those rows that the mirror flags, and its
    actions there are mirrored back.
    """

    weights: list[Floats]
    biases: list[Floats]
    activation: str
    mean: Floats
    std: Floats
    clip: float = 10.0
    action_std: Floats | None = None
    squashed: float = 0.0
    mirror: MirrorMap | None = None

    @property
    def actions(self) -> int:
        """Numbers of an action A."""
        outputs = self.weights[-1].shape[1]
        return outputs if self.action_std is None else len(self.action_std)

    @cached_property
    def packed(self) -> _core.Actor:
        """The same for the core."""
        network, flat = flatten_layers(
            [w[None] for w in self.weights], [b[None, None] for b in self.biases], self.activation
        )
        std = np.zeros(0, np.float32) if self.action_std is None else np.asarray(self.action_std, np.float32)
        mean = np.asarray(self.mean, np.float32)
        mirror = None if self.mirror is None else _told(self.mirror)
        return _core.Actor(network, flat, mean, inverse(self.std), self.clip, std, self.squashed, mirror)


def _told(mirror: MirrorMap) -> tuple[int, list[int], list[float], list[int], list[float]]:
    """What the core is told of a mirror."""
    parts = (mirror.obs_index, mirror.obs_sign, mirror.action_index, mirror.action_sign)
    return (mirror.clock, *(part.tolist() for part in parts))
