"""Imagined rollouts as transitions that an off-policy learner can be shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pyembody.envs.mirror import MirrorMap
from pyembody.world import Actor, Imagined

from .buffers import Rollout
from .normaliser import ObservationNormaliser
from .replay import Replay, Transitions
from .sac_losses import spread
from .sac_networks import SacNetworks
from .symmetry import mirrored

Array = npt.NDArray[Any]


def squashed_actor(
    networks: SacNetworks,
    normaliser: ObservationNormaliser,
    clip: float,
    scale: float,
    observations: Tensor,
    mirror: MirrorMap | None = None,
) -> Actor:
    """Return SAC's policy for the core, which draws with one deviation for each action: its root mean square over
    `observations [B, O]`, which are canonical where there is a `mirror`.
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
    return Actor(weights, biases, kind, mean, std, clip, deviation.numpy(), scale, mirror)


def canonical(found: Imagined, mirror: MirrorMap) -> Imagined:
    """Return what was imagined as a collector would keep it: mirrored where the policy sees the mirror image."""
    now, last = mirror.flag(found.observations), mirror.flag(found.final_observations)
    seen, told = (mirror.obs_index, mirror.obs_sign), (mirror.critic_index, mirror.critic_sign)
    critics = (found.critic_observations, found.final_critic_observations)
    if found.critic_observations.shape[2]:
        critics = (mirrored(critics[0], now, *told), mirrored(critics[1], last, *told))
    return replace(
        found,
        observations=mirrored(found.observations, now, *seen),
        final_observations=mirrored(found.final_observations, last, *seen),
        critic_observations=critics[0],
        final_critic_observations=critics[1],
        actions=mirrored(found.actions, now, mirror.action_index, mirror.action_sign),
    )


def imagined_replay(found: Imagined, scale: float) -> tuple[Replay, Tensor]:
    """Return what was imagined as a replay of its L steps of B rows, and the numbers of the steps that are there.

    `scale` is what actions in (-1, 1) were multiplied by.
    """
    steps, rows, width = found.observations.shape
    critic = found.critic_observations.shape[2] or None
    rollout = Rollout(1, rows, width, critic, found.actions.shape[2], found.channels.shape[2], None)
    replay = Replay(steps * rows, rollout)
    goes_on = np.zeros_like(found.valid)
    goes_on[:-1] = found.valid[1:]
    arrays = {"actions": found.actions / np.float32(scale), "rewards": found.channels}
    seen = {"policy": (found.observations, found.final_observations)}
    seen |= {"critic": (found.critic_observations, found.final_critic_observations)} if critic else {}
    for name, (now, last) in seen.items():
        arrays |= {f"{name}_observations": now, f"{name}_successors": _successors(now, last, goes_on)}
    for name, array in arrays.items():
        replay.arrays[name].copy_(torch.from_numpy(array))
    replay.terminated.copy_(torch.from_numpy(found.terminated))
    replay.ended.copy_(torch.from_numpy(~goes_on))
    replay.counts[:] = (0, steps)
    return replay, torch.from_numpy(np.flatnonzero(found.valid))


def _successors(now: Array, last: Array, goes_on: Array) -> Array:
    successors = np.empty_like(now)
    successors[:-1], successors[-1] = now[1:], 0.0
    successors[~goes_on] = np.broadcast_to(last, now.shape)[~goes_on]
    return successors


def shuffled(parts: list[Transitions], generator: torch.Generator, own_critic: bool) -> Transitions:
    """Return all rows of the parts in one random order; without `own_critic` critics read what the policy reads."""
    names = ["observations", "actions", "rewards", "discount", "successors"]
    names += ["critic_observations", "critic_successors"] if own_critic else []
    joined = {n: torch.cat([getattr(p, n) for p in parts]) for n in names}
    order = torch.randperm(len(joined["actions"]), generator=generator)
    mixed = {name: x[order] for name, x in joined.items()}
    if not own_critic:
        mixed |= {f"critic_{n}": mixed[n] for n in ("observations", "successors")}
    return Transitions(**mixed)
