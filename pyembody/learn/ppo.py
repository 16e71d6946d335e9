"""One update of proximal policy optimisation with a critic per reward channel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pyembody import _core
from pyembody.spec import Train

from .adam import Adam
from .batch import Batch
from .distributed import Group
from .engine import Engine
from .losses import adapted_rate
from .networks import ActorCritic


class NotFiniteError(ValueError):
    """A NaN or infinity in learning: says where it came from."""


@dataclass
class Losses:
    """Means over the minibatches of an update; `value [C]`, `gradient_norms [1 + critics]`."""

    policy: float
    value: list[float]
    kl: float
    gradient_norms: list[float]


def update(
    engine: Engine,
    optimiser: Adam,
    batch: Batch,
    config: Train,
    generator: torch.Generator,
    group: Group,
) -> Losses:
    """Run `config.epochs` passes over shuffled minibatches; changes parameters and optimiser in place.

    Raises NotFiniteError naming the loss that is not finite and the minibatch, before the parameters are touched.
    """
    count = batch.observations.shape[0]
    networks = engine.networks
    sums = torch.zeros(networks.statistics.numel() + 1 + len(networks.critic_grads))
    for epoch in range(config.epochs):
        order = torch.randperm(count, generator=generator)
        for number, index in enumerate(order.tensor_split(config.minibatches)):
            try:
                sums += step(engine, optimiser, batch, index, config, group)
            except NotFiniteError as error:
                place = f"minibatch {number + 1} of {config.minibatches}, epoch {epoch + 1} of {config.epochs}"
                raise NotFiniteError(f"{place}: {error}") from None
    mean = (sums / (config.epochs * config.minibatches)).tolist()
    c = len(networks.channels)
    return Losses(mean[1], mean[2 : 2 + c], mean[0], mean[2 + c :])


def step(engine: Engine, optimiser: Adam, batch: Batch, index: Tensor, config: Train, group: Group) -> Tensor:
    """Take one gradient step on the rows `index [M]` int64.

    Returns (kl, policy loss, value loss per channel, gradient norms).
    """
    networks = engine.networks
    engine.gradients(batch, index, config)
    group.average(networks.message)
    norms = torch.empty(1 + len(networks.critic_grads))
    for rows, lengths in ((networks.actor_grads, norms[:1]), (networks.critic_grads, norms[1:])):
        # one row is one network: a diverging critic never shrinks the steps of the others
        _core.clip_rows(rows.numpy(), config.max_grad_norm, lengths.numpy())
    stats = torch.cat([networks.statistics, norms])
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
