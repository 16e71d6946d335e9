"""The fast engine: networks and PPO's gradient in the core, on the very memory of torch's parameters."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from pyembody import _core
from pyembody.data.flat import Network
from pyembody.spec import Train

from .batch import Batch
from .feed_forward import FeedForward
from .losses import entropy_pull
from .networks import ActorCritic, GroupedMLP


class CoreEngine(FeedForward):
    """Evaluates and differentiates networks in the core with up to `threads` threads; results do not depend on them."""

    def __init__(self, networks: ActorCritic, threads: int) -> None:
        self.networks = networks
        actor, critic = describe(networks.actor), describe(networks.critic)
        size = networks.flat.numel()
        self._flat, self._message = networks.flat.numpy(), networks.message.numpy()
        self._actor, self._critic = _core.Mlp(actor, size, threads), _core.Mlp(critic, size, threads)
        self._gradient = _core.PpoGradient(actor, critic, int(networks.log_std.storage_offset()), size, threads)

    def mean(self, observations: Tensor) -> Tensor:
        """Return the mean action `[B, A]` of normalised observations `[B, O]`."""
        return self._forward(self._actor, observations, self.networks.log_std.numel())

    def values(self, observations: Tensor) -> Tensor:
        """Return values in normalised units `[B, C]` of normalised critic observations `[B, Oc]`."""
        return self._forward(self._critic, observations, len(self.networks.channels))

    def gradients(self, batch: Batch, index: Tensor, config: Train) -> None:
        """Write the gradient of PPO's loss over the rows `index [M]` int64, and its statistics, into the message."""
        self._gradient.run(
            self._flat,
            as_array(batch.observations),
            as_array(batch.critic_observations),
            as_array(batch.actions),
            as_array(batch.mean),
            as_array(batch.log_probs),
            as_array(batch.advantages),
            as_array(batch.targets),
            as_array(batch.log_std),
            as_array(index),
            config.clip,
            config.log_ratio_clip,
            entropy_pull(self.networks.log_std.detach(), config),
            config.value_weight,
            self._message,
        )

    def _forward(self, network: _core.Mlp, rows: Tensor, width: int) -> Tensor:
        out = torch.empty(rows.shape[0], width)
        network.load(self._flat)
        network.forward(as_array(rows), as_array(out))
        return out


def describe(network: GroupedMLP) -> Network:
    """Return what the core has to know of a network whose parameters are views of one flat tensor."""
    first = network.weights[0]
    layers = []
    for i, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        norm = (network.gains[i], network.shifts[i]) if i < len(network.gains) else None
        gains, shifts = (int(x.storage_offset()) for x in norm) if norm else (-1, -1)
        layers.append((*weight.shape[1:], int(weight.storage_offset()), int(bias.storage_offset()), gains, shifts))
    return first.shape[0], first.stride(0), network.activation, layers


def as_array(tensor: Tensor) -> npt.NDArray[Any]:
    """Return the memory of a tensor as an array, without copying."""
    array: npt.NDArray[Any] = tensor.detach().numpy()
    return array
