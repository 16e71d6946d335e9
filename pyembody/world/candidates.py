"""What a rollout asks of each imagined step: the most credible of several candidates, or an end (MOREC's filter)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np

from .. import _core
from .packing import flatten_layers, inverse
from .reward import THRESHOLD, DynamicsReward

OnReject: TypeAlias = Literal["truncate", "terminate"]


@dataclass(frozen=True)
class Candidates:
    """Candidates, `resamples` of every elite, are judged by `reward`; a rollout's propagation `select` takes the best,
    `softmax` draws by exp(reward / 0.1).

    From step `after` on a row whose choice is below `threshold` ends: `truncate` before that step, as if the horizon
    were over (its value bootstraps; whoever drops rows starts another one in its place); `terminate` with that step, as
    terminated: the value beyond is then the learner's to set, and 0 is a prize where living costs.

    Paper: Luo et al., Reward-consistent dynamics models are strongly generalizable for offline reinforcement learning
    (2024).
    """

    reward: DynamicsReward
    resamples: int = 2
    threshold: float = THRESHOLD
    after: int = 0
    on_reject: OnReject = "truncate"

    @cached_property
    def packed(self) -> tuple[_core.Discriminators, int, float, int, str]:
        """The filter as the core reads it."""
        own = self.reward
        network, flat = flatten_layers(own.weights, own.biases, own.activation)
        mean = np.concatenate([own.state_mean, own.action_mean, own.change_mean], dtype=np.float32)
        std = np.concatenate([own.state_std, own.action_std, own.change_std])
        data, made = (np.ascontiguousarray(x, np.float32) for x in (own.logit_data, own.logit_made))
        judges = _core.Discriminators(network, flat, len(own.state_mean), mean, inverse(std), data, made, own.clip)
        return judges, self.resamples, self.threshold, self.after, self.on_reject
