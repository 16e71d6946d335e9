"""The learner: collect, targets, update; and everything it must remember to go on exactly where it stopped."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pyembody import _core
from pyembody.spec import Task, Train

from .adam import Adam
from .batch import Batch
from .buffers import Rollout, flat
from .collect import Collector, Tally
from .distributed import Group
from .engine import make_engine
from .losses import log_prob
from .networks import ActorCritic
from .normaliser import ObservationNormaliser, ValueNormaliser
from .ppo import Losses, update
from .report import Metrics, optimisation, summarise

Array = npt.NDArray[Any]


class Learner:
    """PPO on one environment of this rank. `iterate` is the whole loop; see `Algorithm` for the rest."""

    def __init__(self, env: Any, task: Task, config: Train, seed: int, group: Group) -> None:
        self.env, self.config, self.group = env, config, group
        own = env.critic_observations is not env.observations
        features, actions = env.observations.shape[1], env.single_action_space.shape[0]
        critic_features = env.critic_observations.shape[1]
        channels = [task.channels[name] for name in env.channel_names]
        self.networks = ActorCritic(
            config, features, critic_features, actions, env.channel_names, seed
        )
        group.broadcast(self.networks.flat)
        if group.size > 1 and hasattr(env, "gather_statistics"):
            env.gather_statistics = group.gather_rows  # all ranks normalise alike
        # with ranks beside it a process has its one core
        threads = 1 if group.size > 1 else len(os.sched_getaffinity(0))
        self.engine = make_engine(config.engine, self.networks, threads)
        self.optimiser = Adam(self.networks.flat, config.learning_rate)
        self.optimisers = {"optimiser": self.optimiser}
        self.rollout = Rollout(
            config.horizon,
            env.num_envs,
            features,
            critic_features if own else None,
            actions,
            len(channels),
            env.mirror,
        )
        self.collector = Collector(env, self.rollout)
        self.normaliser = ObservationNormaliser(features, config.observation_clip)
        self.critic_normaliser = (
            ObservationNormaliser(critic_features, config.observation_clip)
            if own
            else self.normaliser
        )
        self.value_normaliser = ValueNormaliser(len(channels))
        self.generator = torch.Generator().manual_seed(stream_seed(seed, group.rank))
        self.gamma, self.lam, self.weights = (
            np.array([getattr(c, k) for c in channels], np.float32)
            for k in ("gamma", "lam", "weight")
        )
        floors = [config.std_floor if c.floor is None else c.floor for c in channels]
        self.floor = np.array(floors, np.float32)
        self.running_std = np.zeros(len(channels))
        self.iteration = 0
        self.steps = 0
        self.episode_length = 0.0
        self._gathered = torch.zeros(group.size * config.horizon, env.num_envs, len(channels))
        self._combined = np.zeros(self._gathered.shape[:2], np.float32)

    @property
    def learning_rate(self) -> float:
        """The present learning rate."""
        return self.optimiser.rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self.optimiser.rate = rate

    def shared(self) -> dict[str, Array]:
        """Return live arrays by name, the same on all ranks."""
        return {"running_std": self.running_std}

    def own(self) -> dict[str, Array]:
        """Return nothing: an iteration keeps no transition for the next."""
        return {}

    def expect(self, state: dict[str, Array]) -> None:
        """Need no room."""

    def iterate(self) -> Metrics:
        """Collect a rollout, learn from it, and return the iteration's metrics, equal on all ranks."""
        start = time.perf_counter()
        if hasattr(self.env, "follow_schedules"):
            self.env.follow_schedules(self.steps)
        tally = self.collector.collect(self.engine, self.normaliser, self.generator)
        collected = time.perf_counter()
        moments = self._targets()
        batch = self._batch()
        targeted = time.perf_counter()
        losses = self._update(batch)
        self._update_normalisers()
        end = time.perf_counter()
        self.iteration += 1
        self.steps += self.group.size * self.config.horizon * self.env.num_envs
        seconds = {"targets": targeted - collected, "update": end - targeted, "total": end - start}
        return self._report(tally, losses, moments, seconds)

    def _targets(self) -> Array:
        """Compute values, advantages and value targets; return the moments of raw advantages `[C, 4]`."""
        rollout, group = self.rollout, self.group
        with torch.inference_mode():
            self._evaluate_critics()
        _core.gae(
            rollout.rewards,
            rollout.values[:-1].numpy(),
            rollout.next_values,
            rollout.terminated,
            rollout.truncated,
            self.gamma,
            self.lam,
            rollout.advantages,
            rollout.returns,
        )
        advantages = group.gather(torch.from_numpy(rollout.advantages), self._gathered).numpy()
        moments: Array = _core.normalise_advantages(
            advantages, self.floor, self.running_std, self.iteration == 0
        )
        _core.combine(advantages, self.weights, True, self._combined)
        rank = slice(group.rank * rollout.horizon, (group.rank + 1) * rollout.horizon)
        rollout.combined.copy_(torch.from_numpy(self._combined[rank]))
        return moments

    def _evaluate_critics(self) -> None:
        """Values of all rows at once, and of the true successors of truncated rows."""
        critic = self.rollout.critic
        if critic is self.rollout.policy:
            self.normaliser(torch.from_numpy(critic.raw[-1]), out=critic.normalised[-1])
        else:
            self.critic_normaliser(torch.from_numpy(critic.raw), out=critic.normalised)
        self.rollout.values.copy_(
            self._values(flat(critic.normalised)).view_as(self.rollout.values)
        )
        finals = np.concatenate([*critic.finals, np.zeros((0, critic.raw.shape[2]), np.float32)])
        rows = torch.from_numpy(finals)
        self.rollout.fill_next_values(
            self._values(self.critic_normaliser(rows, out=torch.empty_like(rows))).numpy()
        )

    def _values(self, rows: Tensor) -> Tensor:
        return self.value_normaliser.denormalise(self.engine.values(rows))

    def _batch(self) -> Batch:
        """The rows of this rank, with value targets in the critics' units."""
        rollout = self.rollout
        targets = flat(torch.from_numpy(rollout.returns))
        self.networks.rescale_values(*self.value_normaliser.update(targets, self.group))
        observations = flat(rollout.policy.normalised[:-1])
        own = rollout.critic is not rollout.policy
        log_std = self.networks.log_std.detach().clone()
        actions, mean = flat(rollout.actions), flat(rollout.mean)
        return Batch(
            observations,
            flat(rollout.critic.normalised[:-1]) if own else observations,
            actions,
            mean,
            log_prob(actions, mean, log_std),
            flat(rollout.combined),
            self.value_normaliser.normalise(targets),
            log_std,
        )

    def _update(self, batch: Batch) -> Losses:
        return update(self.engine, self.optimiser, batch, self.config, self.generator, self.group)

    def _update_normalisers(self) -> None:
        """Let the normalisers see this rollout; the next one is collected and learnt from with the new moments."""
        rollout = self.rollout
        self.normaliser.update(flat(torch.from_numpy(rollout.policy.raw[:-1])), self.group)
        if rollout.critic is not rollout.policy:
            self.critic_normaliser.update(
                flat(torch.from_numpy(rollout.critic.raw[:-1])), self.group
            )

    def _report(
        self, tally: Tally, losses: Losses, moments: Array, seconds: dict[str, float]
    ) -> Metrics:
        values, returns = self.rollout.values[:-1].numpy(), self.rollout.returns
        unexplained = _variance(returns - values) / np.maximum(_variance(returns), 1e-12)
        metrics = summarise(self, tally, losses.value, 1.0 - unexplained, seconds)
        metrics |= optimisation(self, losses, moments)
        self.episode_length = metrics["episode_length"]
        return metrics


def _variance(x: Array) -> Array:
    """Variance over the rows of `[T, N, C]`."""
    spread: Array = x.var(axis=(0, 1), dtype=np.float64)
    return spread


def stream_seed(seed: int, rank: int) -> int:
    """Return the seed of an independent random stream of the learner for every rank."""
    return int(
        np.random.SeedSequence([seed, rank, 1]).generate_state(1, np.uint64)[0] >> np.uint64(1)
    )
