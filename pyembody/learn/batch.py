"""The rows that one update learns from."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass
class Batch:
    """Rows `[B, ...]` of one iteration; `log_std [A]` is that of the policy that acted."""

    observations: Tensor
    critic_observations: Tensor
    actions: Tensor
    mean: Tensor
    log_probs: Tensor
    advantages: Tensor
    targets: Tensor
    log_std: Tensor

    def rows(self, index: Tensor) -> Batch:
        """Return the rows of `index [M]`."""
        picked = self.observations.index_select(0, index)
        same = self.critic_observations is self.observations
        return Batch(
            picked,
            picked if same else self.critic_observations.index_select(0, index),
            self.actions.index_select(0, index),
            self.mean.index_select(0, index),
            self.log_probs.index_select(0, index),
            self.advantages.index_select(0, index),
            self.targets.index_select(0, index),
            self.log_std,
        )
