"""Who computes SAC's networks and gradients: the core, or torch, whose automatic differentiation defines them."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from .feed_forward import Memoryless
from .networks import write_gradient
from .sac_core_engine import CoreSacEngine
from .sac_losses import actor_loss, critic_losses, least, squash
from .sac_networks import SacNetworks


class SacEngine(Protocol):
    """Evaluates and differentiates the parameters of `networks`; rows are normalised minibatch rows `[M, ...]`."""

    networks: SacNetworks

    def act(self, observations: Tensor, noise: Tensor) -> Tensor:
        """Return actions in (-1, 1) `[M, A]`."""

    def targets(
        self, successors: Tensor, critic_successors: Tensor, noise: Tensor, rewards: Tensor, discount: Tensor
    ) -> Tensor:
        """Return `rewards + discount * the lesser target critic at the policy's action` `[M, C]`."""

    def critic_gradients(self, critic_observations: Tensor, actions: Tensor, targets: Tensor) -> None:
        """Write the critics' gradients and losses into the critics' message."""

    def actor_gradients(
        self, observations: Tensor, critic_observations: Tensor, noise: Tensor, weights: Tensor
    ) -> None:
        """Write the actor's gradient, loss, mean log density and mean values into the actor's message."""


class TorchSacEngine(Memoryless):
    """The reference engine."""

    def __init__(self, networks: SacNetworks) -> None:
        self.networks = networks

    def act(self, observations: Tensor, noise: Tensor) -> Tensor:
        """Return actions in (-1, 1) `[M, A]`."""
        with torch.no_grad():
            return squash(self.networks.actor(observations)[0], noise)[0]

    def targets(
        self, successors: Tensor, critic_successors: Tensor, noise: Tensor, rewards: Tensor, discount: Tensor
    ) -> Tensor:
        """Return `rewards + discount * the lesser target critic at the policy's action` `[M, C]`."""
        with torch.no_grad():
            inputs = torch.cat([critic_successors, self.act(successors, noise)], 1)
            return torch.addcmul(rewards, discount, least(self.networks.target(inputs)[:, :, 0]))

    def critic_gradients(self, critic_observations: Tensor, actions: Tensor, targets: Tensor) -> None:
        """Write the critics' gradients and losses into the critics' message."""
        networks = self.networks
        values = networks.critic(torch.cat([critic_observations, actions], 1))[:, :, 0]
        losses = critic_losses(values, targets)
        # a sum, not a mean: a critic learns as if the others did not exist
        write_gradient(losses.sum(), *networks.critic_views)
        networks.critic_message[-len(losses) :] = losses.detach()

    def actor_gradients(
        self, observations: Tensor, critic_observations: Tensor, noise: Tensor, weights: Tensor
    ) -> None:
        """Write the actor's gradient, loss, mean log density and mean values into the actor's message."""
        networks = self.networks
        actions, log_probs = squash(networks.actor(observations)[0], noise)
        values = least(networks.critic(torch.cat([critic_observations, actions], 1))[:, :, 0])
        loss = actor_loss(log_probs, values, weights, networks.temperature)
        write_gradient(loss, *networks.actor_views)
        statistics = torch.cat([loss.view(1), log_probs.mean().view(1), values.mean(0)])
        networks.actor_message[-len(statistics) :] = statistics.detach()


def make_sac_engine(name: str, networks: SacNetworks, threads: int) -> SacEngine:
    """Return the engine `core` or `torch`; `auto` is the core, which has every network that a `Sac` describes."""
    return TorchSacEngine(networks) if name == "torch" else CoreSacEngine(networks, threads)
