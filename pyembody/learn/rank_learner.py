"""What every algorithm has on its rank: environments, normalisers of what they show, a random stream, and counts."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch

from .buffers import Rollout, flat
from .distributed import Group
from .normaliser import ObservationNormaliser
from .symmetry import MirrorMap


class RankLearner:
    """Base of the learners. `critic_normaliser` is `normaliser` where the critics read the policy's observations."""

    rollout: Rollout

    def __init__(self, env: Any, clip: float, seed: int, group: Group) -> None:
        """`clip` limits normalised observations."""
        self.env, self.group = env, group
        if group.size > 1 and hasattr(env, "gather_statistics"):
            env.gather_statistics = group.gather_rows  # all ranks normalise alike
        # with ranks beside it a process has its one core
        self.threads = 1 if group.size > 1 else len(os.sched_getaffinity(0))
        self.features, self.critic_features = env.observations.shape[1], env.critic_observations.shape[1]
        self.actions = env.single_action_space.shape[0]
        self.normaliser = self.critic_normaliser = ObservationNormaliser(self.features, clip)
        if env.critic_observations is not env.observations:
            self.critic_normaliser = ObservationNormaliser(self.critic_features, clip)
        self.generator = torch.Generator().manual_seed(stream_seed(seed, group.rank))
        self.iteration = self.steps = 0
        self.episode_length = 0.0

    def _new_rollout(self, horizon: int, mirror: MirrorMap | None, critics: int | None = None) -> Rollout:
        """The memory of an iteration; `critics` as `Rollout` takes it."""
        own = self.critic_features if self.critic_normaliser is not self.normaliser else None
        channels = len(self.env.channel_names)
        return Rollout(horizon, self.env.num_envs, self.features, own, self.actions, channels, mirror, critics)

    def _follow_schedules(self) -> None:
        """Bring scheduled parameters to where training is."""
        if hasattr(self.env, "follow_schedules"):
            self.env.follow_schedules(self.steps)

    def _update_normalisers(self) -> None:
        """Let the normalisers see this rollout; what comes next is collected and learnt from with the new moments."""
        rollout = self.rollout
        self.normaliser.update(flat(torch.from_numpy(rollout.policy.raw[:-1])), self.group)
        if rollout.critic is not rollout.policy:
            self.critic_normaliser.update(flat(torch.from_numpy(rollout.critic.raw[:-1])), self.group)

    def _count(self) -> None:
        """Count the iteration and the steps of all ranks."""
        self.iteration += 1
        self.steps += self.group.size * self.rollout.horizon * self.env.num_envs


def stream_seed(seed: int, rank: int) -> int:
    """Return the seed of an independent random stream of the learner for every rank."""
    return int(np.random.SeedSequence([seed, rank, 1]).generate_state(1, np.uint64)[0] >> np.uint64(1))
