"""The rows that one update learns from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor


@dataclass
class Batch:
    """Rows `[B, ...]` of one iteration; `log_std [A]` is that of the policy that acted.

    `chosen [M]` int64 are the rows to learn from, None for all. `mirrored [B, O]` are the observations of the mirrored
    robot, whose action `[B, A]`, mirrored back, is `action[:, index] * sign` with `mirror = (index, sign)`.
    """

    observations: Tensor
    critic_observations: Tensor
    actions: Tensor
    mean: Tensor
    log_probs: Tensor
    advantages: Tensor
    targets: Tensor
    log_std: Tensor
    chosen: Tensor | None = None
    mirrored: Tensor | None = None
    mirror: tuple[Tensor, Tensor] | None = None

    def rows(self, index: Tensor) -> Batch:
        """Return the rows of `index [M]`."""
        picked = self.observations.index_select(0, index)
        same = self.critic_observations is self.observations
        return replace(
            self,
            observations=picked,
            critic_observations=picked if same else self.critic_observations.index_select(0, index),
            actions=self.actions.index_select(0, index),
            mean=self.mean.index_select(0, index),
            log_probs=self.log_probs.index_select(0, index),
            advantages=self.advantages.index_select(0, index),
            targets=self.targets.index_select(0, index),
            chosen=None,
            mirrored=None if self.mirrored is None else self.mirrored.index_select(0, index),
        )
