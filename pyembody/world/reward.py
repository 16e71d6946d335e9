"""The dynamics reward: how credible a transition is, by a history of discriminators that all vote.

Paper: Luo et al., Reward-consistent dynamics models are strongly generalizable for offline reinforcement learning
(2024). Ours differ: next states are clipped in normalised units, and how discriminators are trained is our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .layout import flatten, layout_of
from .predict import FAR

Array = npt.NDArray[Any]
TINY, FLOOR = 1e-7, 1e-9
THRESHOLD, TEMPERATURE = 0.6, 0.1
"""Published: a transition below this reward is rejected; candidates are drawn by softmax(reward / temperature)."""


@dataclass(frozen=True)
class DynamicsReward:
    """G discriminators, float32: layers `weights[l] [G, in, out]`, `biases[l] [G, 1, out]` that read a normalised
    state, action and change of state and give one logit, positive for what looks like data; their mean logits of data,
    `logit_data`, and of what the generator of their time made, `logit_made` `[G]`. Means and deviations of states and
    of changes are `[S]`, those of actions `[A]`. `clip` bounds each vote.
    """

    weights: list[Array]
    biases: list[Array]
    logit_data: Array
    logit_made: Array
    state_mean: Array
    state_std: Array
    action_mean: Array
    action_std: Array
    change_mean: Array
    change_std: Array
    activation: str = "relu"
    clip: float = 1.0

    @property
    def discriminators(self) -> int:
        """G."""
        return int(self.weights[0].shape[0])


class Judge:
    """Evaluates a dynamics reward for many transitions."""

    def __init__(self, reward: DynamicsReward, threads: int = 1) -> None:
        self.reward = reward
        layout = layout_of(reward.weights, reward.activation)
        self._network = _core.Mlp(layout.described, layout.size, threads)
        self._network.load(flatten(layout, reward.weights, reward.biases))
        names = ("state", "action", "change")
        mean, std = (np.concatenate([getattr(reward, f"{n}_{k}") for n in names], dtype=np.float32)
                     for k in ("mean", "std"))
        self._network.normalise(mean, np.reciprocal(std), FAR)

    def logits(self, state: Array, action: Array, successor: Array) -> Array:
        """Return `[M, G]` for states and successors `[M, S]` and actions `[M, A]`."""
        rows = np.concatenate([state, action, successor - state], axis=1, dtype=np.float32)
        out = np.empty((len(rows), self.reward.discriminators), np.float32)
        self._network.forward(rows, out)
        return out

    def __call__(self, state: Array, action: Array, successor: Array) -> Array:
        """Return the reward `[M]`; 0.69 is where the votes' mean is one half."""
        return combined(self.logits(state, action, successor), self.reward)

    def candidates(self, state: Array, action: Array, successors: Array) -> Array:
        """Return rewards `[J, M]` of candidates `[J, M, S]`."""
        return np.stack([self(state, action, candidate) for candidate in successors])


def combined(logits: Array, reward: DynamicsReward) -> Array:
    """Return `-log(1 - mean_g min(p_g, clip))` `[M]` of logits `[M, G]`.

    Each discriminator's logit is placed between what it gave to made-up transitions and to data, and scaled so that all
    vote on one scale: l' = (clip(l, made, data) - made) / (data - made) 2R - R, p = sigmoid(l').
    """
    data, made = reward.logit_data, reward.logit_made
    radius = max(abs(float(data.max())), abs(float(made.min())))
    place = (np.clip(logits, made, np.maximum(data, made)) - made) / (data - made + TINY)
    votes = 1 / (1 + np.exp(-(place * 2 * radius - radius)))
    value: Array = -np.log(1 - np.minimum(votes, reward.clip).mean(1) + FLOOR)
    return value


def chosen(rewards: Array, how: str, rng: np.random.Generator) -> Array:
    """Return the candidate `[M]` of rewards `[J, M]`: `select` the best, `softmax` drawn by exp(reward / temperature).

    Raises ValueError for another word.
    """
    if how == "select":
        best: Array = rewards.argmax(0)
        return best
    if how != "softmax":
        raise ValueError(f"how: expected select or softmax, got {how!r}")
    # the largest of scores with Gumbel noise is a draw by softmax
    drawn: Array = (rewards / TEMPERATURE + rng.gumbel(size=rewards.shape)).argmax(0)
    return drawn
