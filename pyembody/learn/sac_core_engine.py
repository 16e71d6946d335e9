"""SAC's networks and gradients in the core, on the very memory of torch's parameters; `TorchSacEngine` defines them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pyembody import _core

from .core_engine import as_array, describe
from .feed_forward import Memoryless
from .sac_losses import HIGH, LOW, squash
from .sac_networks import SacNetworks


class CoreSacEngine(Memoryless):
    """Evaluates and differentiates networks with up to `threads` threads; results do not depend on them."""

    def __init__(self, networks: SacNetworks, threads: int) -> None:
        self.networks = networks
        actor, critic, channels = describe(networks.actor), describe(networks.critic), len(networks.channels)
        self._flats = [as_array(x) for x in (networks.actor_flat, networks.critic_flat, networks.target_flat)]
        sizes = (self._flats[0].size, self._flats[1].size)
        self._actor = _core.Mlp(actor, sizes[0], threads)
        self._gradient = _core.SacGradient(actor, critic, channels, *sizes, LOW, HIGH, threads)
        self._regression = _core.RegressionGradient(critic, sizes[1], "squared", 0, threads)
        self._messages = as_array(networks.actor_message), as_array(networks.critic_message)
        self._outputs = networks.actor.biases[-1].shape[2]
        self._index = np.arange(0)

    def act(self, observations: Tensor, noise: Tensor) -> Tensor:
        """Return actions in (-1, 1) `[M, A]`."""
        out = torch.empty(len(observations), self._outputs)
        self._actor.load(self._flats[0])
        self._actor.forward(as_array(observations), as_array(out))
        return squash(out, noise)[0]

    def targets(
        self, successors: Tensor, critic_successors: Tensor, noise: Tensor, rewards: Tensor, discount: Tensor
    ) -> Tensor:
        """Return `rewards + discount * the lesser target critic at the policy's action` `[M, C]`."""
        out = torch.empty_like(rewards)
        self._gradient.targets(
            self._flats[0],
            self._flats[2],
            as_array(successors),
            as_array(critic_successors),
            as_array(noise),
            as_array(rewards),
            as_array(discount),
            as_array(out),
        )
        return out

    def critic_gradients(self, critic_observations: Tensor, actions: Tensor, targets: Tensor) -> None:
        """Write the critics' gradients and losses into the critics' message."""
        inputs = torch.cat([critic_observations, actions], 1)
        if len(self._index) != len(inputs):
            self._index = np.arange(len(inputs))
        rows, wanted = as_array(inputs), as_array(targets[:, :, None])
        self._regression.run(self._flats[1], rows, wanted, self._index, self._messages[1])

    def actor_gradients(
        self, observations: Tensor, critic_observations: Tensor, noise: Tensor, weights: Tensor
    ) -> None:
        """Write the actor's gradient, loss, mean log density and mean values into the actor's message."""
        self._gradient.actor(
            self._flats[0],
            self._flats[1],
            as_array(observations),
            as_array(critic_observations),
            as_array(noise),
            as_array(weights),
            self.networks.temperature,
            self._messages[0],
        )
