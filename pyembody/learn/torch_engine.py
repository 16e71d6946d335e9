"""The reference engine: torch's operations and automatic differentiation."""

from __future__ import annotations

import torch
from torch import Tensor

from pyembody.spec import Train

from .batch import Batch
from .losses import entropy, gaussian_kl, log_prob, policy_loss, value_losses
from .networks import ActorCritic


class TorchEngine:
    """Evaluates and differentiates networks as torch modules."""

    def __init__(self, networks: ActorCritic) -> None:
        self.networks = networks

    def mean(self, observations: Tensor) -> Tensor:
        """Return the mean action `[B, A]` of normalised observations `[B, O]`."""
        return self.networks.mean(observations)

    def values(self, observations: Tensor) -> Tensor:
        """Return values in normalised units `[B, C]` of normalised critic observations `[B, Oc]`."""
        return self.networks.values(observations)

    def gradients(self, batch: Batch, index: Tensor, config: Train) -> None:
        """Write the gradient of PPO's loss over the rows `index [M]` int64, and its statistics, into the message."""
        networks, rows = self.networks, batch.rows(index)
        mean, log_std = networks.mean(rows.observations), networks.log_std
        surrogate = policy_loss(log_prob(rows.actions, mean, log_std), rows.log_probs, rows.advantages, config.clip)
        values = value_losses(networks.values(rows.critic_observations), rows.targets)
        # a sum, not a mean: with its own network a critic learns as if the other channels did not exist
        networks.differentiate(surrogate - config.entropy * entropy(log_std) + config.value_weight * values.sum())
        with torch.no_grad():
            networks.statistics[0] = gaussian_kl(rows.mean, rows.log_std, mean, log_std)
            networks.statistics[1], networks.statistics[2:] = surrogate, values
