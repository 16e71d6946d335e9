"""One update of proximal policy optimisation with a critic per reward channel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pyembody.spec import Train

from .adam import Adam
from .distributed import Group
from .losses import (
    adapted_rate,
    clip_rows,
    entropy,
    gaussian_kl,
    log_prob,
    policy_loss,
    value_losses,
)
from .networks import ActorCritic


class NotFiniteError(ValueError):
    """A NaN or infinity in learning: says where it came from."""


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


@dataclass
class Losses:
    """Means over the minibatches of an update; `value [C]`, `gradient_norms [1 + critics]`."""

    policy: float
    value: list[float]
    kl: float
    gradient_norms: list[float]


def update(
    networks: ActorCritic,
    optimiser: Adam,
    batch: Batch,
    config: Train,
    generator: torch.Generator,
    group: Group,
) -> Losses:
    """Run `config.epochs` passes over shuffled minibatches; changes networks and optimiser in place.

    Raises NotFiniteError naming the loss that is not finite, before the parameters are touched.
    """
    count = batch.observations.shape[0]
    sums = torch.zeros(
        networks.message.numel() - networks.grads.numel() + 1 + len(networks.critic_grads)
    )
    for _ in range(config.epochs):
        order = torch.randperm(count, generator=generator)
        for index in order.tensor_split(config.minibatches):
            sums += step(networks, optimiser, batch.rows(index), config, group)
    mean = (sums / (config.epochs * config.minibatches)).tolist()
    c = len(networks.channels)
    return Losses(mean[1], mean[2 : 2 + c], mean[0], mean[2 + c :])


def step(
    networks: ActorCritic, optimiser: Adam, batch: Batch, config: Train, group: Group
) -> Tensor:
    """Take one gradient step; return (kl, policy loss, value loss per channel, gradient norms)."""
    mean = networks.mean(batch.observations)
    log_std = networks.log_std
    surrogate = policy_loss(
        log_prob(batch.actions, mean, log_std), batch.log_probs, batch.advantages, config.clip
    )
    values = value_losses(networks.values(batch.critic_observations), batch.targets)
    # a sum, not a mean: with its own network a critic learns as if the other channels did not exist
    loss = surrogate - config.entropy * entropy(log_std) + config.value_weight * values.sum()
    networks.differentiate(loss)
    with torch.no_grad():
        stats = networks.message[networks.grads.numel() :]
        stats[0] = gaussian_kl(batch.mean, batch.log_std, mean, log_std)
        stats[1], stats[2:] = surrogate, values
        group.average(networks.message)
        norms = torch.cat(
            [
                clip_rows(networks.actor_grads, config.max_grad_norm),
                clip_rows(networks.critic_grads, config.max_grad_norm),
            ]
        )
        stats = torch.cat([stats, norms])
    _check(stats, networks)
    low, high = config.min_learning_rate, config.max_learning_rate
    optimiser.rate = adapted_rate(optimiser.rate, float(stats[0]), config.kl_target, low, high)
    optimiser.step(networks.grads)
    networks.clamp_std()
    return stats


def _check(stats: Tensor, networks: ActorCritic) -> None:
    """Raise NotFiniteError unless losses and gradient norms are finite."""
    if bool(torch.isfinite(stats).all()):
        return
    critics = networks.channels if len(networks.critic_grads) > 1 else ("all channels",)
    names = [
        "KL divergence",
        "policy loss",
        *(f"value loss of channel '{c}'" for c in networks.channels),
        "gradient of the actor",
        *(f"gradient of the critic of {c}" for c in critics),
    ]
    bad = [n for n, x in zip(names, stats.tolist(), strict=True) if not math.isfinite(x)]
    raise NotFiniteError(f"not finite: {', '.join(bad)}; the parameters were left as they were")
