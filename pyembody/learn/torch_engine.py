"""The reference engine: torch's operations and automatic differentiation."""

from __future__ import annotations

import torch
from torch import Tensor

from pyembody.spec import Train

from .batch import Batch
from .feed_forward import FeedForward
from .losses import Outputs, gaussian_kl, surrogate_loss, value_losses, weighted_loss
from .networks import ActorCritic


class TorchEngine(FeedForward):
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
        mirrored = None if rows.mirrored is None else networks.mean(rows.mirrored)
        mean, values = networks.mean(rows.observations), networks.values(rows.critic_observations)
        differentiate(networks, Outputs(mean, values, networks.log_std, mirrored), rows, config)


def differentiate(networks: ActorCritic, out: Outputs, rows: Batch, config: Train) -> None:
    """Write the gradient of PPO's loss and its statistics into the message of the networks that gave the outputs."""
    surrogate = surrogate_loss(out, rows, config)
    networks.differentiate(weighted_loss(surrogate, out, rows, config))
    with torch.no_grad():
        networks.statistics[0] = gaussian_kl(rows.mean, rows.log_std, out.mean, out.log_std)
        networks.statistics[1], networks.statistics[2:] = surrogate, value_losses(out.values, rows.targets)
