"""Networks of soft actor-critic: a squashed Gaussian actor, two critics a channel, and the targets of these."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pyembody.data.flat import padded
from pyembody.spec import Sac

from .networks import GroupedMLP, rebind
from .sac_losses import raw_spread


class SacNetworks:
    """Actor, critics and target critics; each kind's parameters live in one flat tensor.

    The actor has 2A outputs, means and raw log standard deviations. Critics are one stack of 2C networks of (critic
    observation, action in (-1, 1)); channel c owns groups 2c and 2c + 1, in normalised units. `actor_message`
    `[Pa + 2 + C]` is the actor's gradient, then its loss, mean log density and mean values; `critic_message [Pc + 2C]`
    the critics' gradients and losses: what ranks average. `log_temperature [1]` is a parameter too.
    """

    def __init__(
        self,
        config: Sac,
        observations: int,
        critic_observations: int,
        actions: int,
        channels: Sequence[str],
        seed: int,
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.channels = tuple(channels)
        groups = 2 * len(channels)
        sizes = (observations, *config.actor_hidden, 2 * actions)
        self.actor = GroupedMLP(1, sizes, config.activation, 0.01, generator)
        with torch.no_grad():
            self.actor.biases[-1][..., actions:] = raw_spread(math.log(config.initial_std))
        sizes = (critic_observations + actions, *config.critic_hidden, 1)
        self.critic = GroupedMLP(groups, sizes, config.activation, 0.01, generator, config.layer_norm)
        self.target = GroupedMLP(groups, sizes, config.activation, 0.01, generator, config.layer_norm)
        self.log_temperature = torch.full((1,), math.log(config.temperature))
        self.actor_flat, self.actor_message, self.actor_views = flatten(self.actor, 2 + len(channels))
        self.critic_flat, self.critic_message, self.critic_views = flatten(self.critic, groups)
        self.target_flat, _, _ = flatten(self.target, 0)
        self.target_flat.copy_(self.critic_flat)

    @property
    def temperature(self) -> float:
        """What a nat of entropy is worth, in normalised values."""
        return math.exp(float(self.log_temperature))

    @property
    def actor_grads(self) -> Tensor:
        """Gradient of the actor `[1, Pa]`."""
        return self.actor_message[: self.actor_flat.numel()].view(1, -1)

    @property
    def critic_grads(self) -> Tensor:
        """Gradients of the critics `[2C, P]`, one row each."""
        return self.critic_message[: self.critic_flat.numel()].view(2 * len(self.channels), -1)

    def rescale_values(self, ratio: Tensor, shift: Tensor) -> None:
        """Change critics and targets so that their outputs `[C]` become `output * ratio + shift` (PopArt)."""
        shape = (-1, 1, 1)
        twice = (x.repeat_interleave(2).view(shape) for x in (ratio, shift))
        factor, offset = twice
        with torch.no_grad():
            for network in (self.critic, self.target):
                weight, bias = network.weights[-1], network.biases[-1]
                weight.copy_(weight.double() * factor)
                bias.copy_(bias.double() * factor + offset)

    def parameters(self) -> dict[str, Tensor]:
        """Return every parameter by name: `actor.weights.0`, `critic.biases.2`, `target.gains.1`, `log_temperature`."""
        named = {"log_temperature": self.log_temperature}
        for kind, network in (("actor", self.actor), ("critic", self.critic), ("target", self.target)):
            named |= {f"{kind}.{n}": p.data for n, p in network.named_parameters()}
        return named


def flatten(network: GroupedMLP, statistics: int) -> tuple[Tensor, Tensor, tuple[list[nn.Parameter], list[Tensor]]]:
    """Move parameters into one flat tensor, a row for each group; return it, a message, and (parameters, gradients).

    The message is the gradient, laid out as the flat tensor is, and room for `statistics`.
    """
    parameters = list(network.parameters())
    groups = parameters[0].shape[0]
    size = groups * sum(padded(p[0].numel()) for p in parameters)
    flat, message = torch.zeros(size), torch.zeros(size + statistics)
    views = rebind(parameters, flat.view(groups, -1), message[:size].view(groups, -1))
    return flat, message, (parameters, views)
