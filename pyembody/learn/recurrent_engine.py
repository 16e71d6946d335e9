"""Networks with memory: their states go on from step to step and from horizon to horizon, and end with episodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from pyembody.spec import Train

from .batch import Batch
from .buffers import Rollout
from .losses import Outputs
from .networks import ActorCritic, GroupedMLP
from .torch_engine import differentiate

Array = npt.NDArray[Any]


class RecurrentEngine:
    """Torch's operations over sequences. Minibatches are whole horizons of some environments.

    A horizon is learnt from with the states that it was collected with: those of the parameters before.
    """

    def __init__(self, networks: ActorCritic, horizon: int, envs: int) -> None:
        assert networks.actor_memory is not None
        assert networks.critic_memory is not None
        self.networks, self.horizon, self.envs = networks, horizon, envs
        self._memories = (networks.actor_memory, networks.critic_memory)
        groups = networks.critic.weights[0].shape[0]
        self._actor = torch.zeros(1, envs, self._memories[0].width)
        self._critic = torch.zeros(groups, envs, self._memories[1].width)
        self._first = (self._actor.clone(), self._critic.clone())
        self._starts = torch.zeros(horizon + 1, envs, dtype=torch.bool)
        self._never = torch.zeros(1, envs, dtype=torch.bool)

    def begin(self) -> None:
        """A horizon begins: keep the states before its first rows."""
        for first, state in zip(self._first, (self._actor, self._critic), strict=True):
            first.copy_(state)

    def mean(self, observations: Tensor) -> Tensor:
        """Return the mean action `[N, A]` of normalised observations `[N, O]` and remember them."""
        memory, rows = self._memories[0], observations.unsqueeze(0)
        states = memory(rows, self._actor, self._never)
        self._actor.copy_(states[0])
        return _outputs(self.networks.actor, states, rows)[0]

    def forget(self, ended: Array) -> None:
        """The environments of `ended [N]` bool start new episodes, without memory of the last ones."""
        for state in (self._actor, self._critic):
            state[:, torch.from_numpy(ended)] = 0.0

    def horizon_values(self, rollout: Rollout, finals: Tensor) -> tuple[Tensor, Tensor]:
        """Return values `[T + 1, N, C]`, and `[M, C]` of true successors `finals [M, Oc]`, in normalised units.

        A true successor is seen with the memory of its own episode, the next row with none.
        """
        memory, rows = self._memories[1], rollout.critic.normalised
        ended = torch.from_numpy(rollout.terminated | rollout.truncated)
        self._starts[1:] = ended
        states = memory(rows, self._first[1], self._starts)
        self._critic.copy_(states[-2] * (~ended[-1]).unsqueeze(-1))
        by_channel = self.networks.by_channel
        values = by_channel(_outputs(self.networks.critic, states, rows)).view(*rows.shape[:2], -1)
        steps, envs = torch.from_numpy(rollout.bootstrapped).nonzero(as_tuple=True)
        last, final = states[steps, :, envs].transpose(0, 1), finals.unsqueeze(0)
        after = memory(final, last, torch.zeros(final.shape[:2], dtype=torch.bool))
        return values, by_channel(_outputs(self.networks.critic, after, final))

    def minibatches(self, batch: Batch, config: Train, generator: torch.Generator) -> Sequence[Tensor]:
        """Return the rows of the minibatches of one shuffled pass: all steps of some environments each.

        A horizon is taken whole: rows that are not `chosen` have no advantage and move no policy.
        """
        del batch
        order = torch.randperm(self.envs, generator=generator)
        first = torch.arange(self.horizon).unsqueeze(1) * self.envs
        return [(first + envs).flatten() for envs in order.tensor_split(config.minibatches)]

    def gradients(self, batch: Batch, index: Tensor, config: Train) -> None:
        """Write the gradient of PPO's loss over the sequences of `index`, and its statistics, into the message."""
        rows, networks = batch.rows(index), self.networks
        envs = index.view(self.horizon, -1)[0]
        starts = self._starts[:-1, envs]
        seen = []
        for memory, first, x in zip(
            self._memories, self._first, (rows.observations, rows.critic_observations), strict=True
        ):
            sequence = x.view(self.horizon, len(envs), -1)
            seen.append((memory(sequence, first[:, envs], starts), sequence))
        mean = _outputs(networks.actor, *seen[0])[0]
        values = networks.by_channel(_outputs(networks.critic, *seen[1]))
        differentiate(networks, Outputs(mean, values, networks.log_std), rows, config)

    def state(self) -> dict[str, Tensor]:
        """Return the live states of actor and critics, of this rank's environments."""
        return {"actor_state": self._actor, "critic_state": self._critic}


def _outputs(network: GroupedMLP, states: Tensor, rows: Tensor) -> Tensor:
    """Outputs `[G, T * B, out]` for states `[T, G, B, H]` and rows `[T, B, F]`."""
    steps, groups, batch, _ = states.shape
    seen = torch.cat([states.transpose(0, 1), rows.expand(groups, *rows.shape)], -1)
    out: Tensor = network(seen.reshape(groups, steps * batch, seen.shape[-1]))
    return out
