"""Imagined rollouts as transitions that an off-policy learner can be shown."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pyembody.world import Actor, Imagined

from .buffers import Rollout
from .normaliser import ObservationNormaliser
from .replay import Replay, Transitions
from .sac_losses import spread
from .sac_networks import SacNetworks


def squashed_actor(
    networks: SacNetworks, normaliser: ObservationNormaliser, clip: float, scale: float, observations: Tensor
) -> Actor:
    """Return SAC's policy for the core, which draws with one deviation for each action: its root mean square over
    `observations [B, O]`.
    """
    rows = normaliser(observations, out=torch.empty_like(observations))
    with torch.no_grad():
        raw = networks.actor(rows)[0].chunk(2, -1)[1]
        deviation = (2.0 * spread(raw)).exp().mean(0).sqrt()
    mean, inverse = normaliser.folded()
    weights, biases = (
        [np.ascontiguousarray(p.detach().numpy().reshape(p.shape[shape:])) for p in part]
        for part, shape in ((networks.actor.weights, 1), (networks.actor.biases, 2))
    )
    kind, std = networks.actor.activation, np.reciprocal(inverse)
    return Actor(weights, biases, kind, mean, std, clip, deviation.numpy(), scale)


def imagined_replay(found: Imagined, scale: float) -> tuple[Replay, Tensor]:
    """Return what was imagined as a replay of its L steps of B rows, and the numbers of the steps that are there.

    `scale` is what actions in (-1, 1) were multiplied by.
    """
    steps, rows, width = found.observations.shape
    rollout = Rollout(1, rows, width, None, found.actions.shape[2], found.channels.shape[2], None)
    replay = Replay(steps * rows, rollout)
    goes_on = np.zeros_like(found.valid)
    goes_on[:-1] = found.valid[1:]
    successors = np.empty_like(found.observations)
    successors[:-1], successors[-1] = found.observations[1:], 0.0
    successors[~goes_on] = np.broadcast_to(found.final_observations, found.observations.shape)[~goes_on]
    arrays = {"policy_observations": found.observations, "policy_successors": successors}
    arrays |= {"actions": found.actions / np.float32(scale), "rewards": found.channels}
    for name, array in arrays.items():
        replay.arrays[name].copy_(torch.from_numpy(array))
    replay.terminated.copy_(torch.from_numpy(found.terminated))
    replay.ended.copy_(torch.from_numpy(~goes_on))
    replay.counts[:] = (0, steps)
    return replay, torch.from_numpy(np.flatnonzero(found.valid))


def shuffled(parts: list[Transitions], generator: torch.Generator) -> Transitions:
    """Return all rows of the parts in one random order; the critics read what the policy reads."""
    names = ("observations", "actions", "rewards", "discount", "successors")
    joined = {n: torch.cat([getattr(p, n) for p in parts]) for n in names}
    order = torch.randperm(len(joined["actions"]), generator=generator)
    mixed = {name: x[order] for name, x in joined.items()}
    return Transitions(critic_observations=mixed["observations"], critic_successors=mixed["successors"], **mixed)
