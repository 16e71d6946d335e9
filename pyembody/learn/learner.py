"""The learner: collect, targets, update; and everything it must remember to go on exactly where it stopped."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pyembody import _core
from pyembody.spec import SpecError, Task, Train

from .adam import Adam
from .advantages import Advantages, CriticAdvantages, GroupAdvantages
from .batch import Batch
from .buffers import flat
from .channels import Channels
from .collect import Collector, Tally
from .distributed import Group
from .engine import make_engine
from .gates import make_gates
from .losses import log_prob
from .networks import ActorCritic
from .normaliser import ValueNormaliser
from .ppo import Losses, update
from .rank_learner import RankLearner
from .report import Metrics, optimisation, summarise
from .reward_scale import reward_scale
from .skills import make_skills
from .symmetry import MirrorMap, mirror_rows

Array = npt.NDArray[Any]


class Learner(RankLearner):
    """PPO on one environment of this rank. `iterate` is the whole loop; see `Algorithm` for the rest."""

    def __init__(self, env: Any, task: Task, config: Train, seed: int, group: Group) -> None:
        super().__init__(env, config.observation_clip, seed, group)
        self.config, self.mirror = config, _mirror(env, config)
        self.channels = Channels(task, env.channel_names, config)
        self.critic_names = self.channels.names
        critics = len(self.critic_names)
        self.networks = ActorCritic(
            config, self.features, self.critic_features, self.actions, self.critic_names, seed
        )
        group.broadcast(self.networks.flat)
        self.engine = make_engine(config, self.networks, self.threads, env.num_envs)
        self.optimiser = Adam(self.networks.flat, config.learning_rate, config.weight_decay)
        self.optimisers = {"optimiser": self.optimiser}
        self.skills = make_skills(task, env, config.horizon, seed)
        if self.skills is not None:
            self.optimisers["skills.optimiser"] = self.skills.encoder.optimiser
        self.rollout = self._new_rollout(config.horizon, self.mirror, critics)
        self.gates = make_gates(task, env, config.horizon)
        self.fused = task.gates.scope == "episode" and _critics_see_rewards(config)
        self.collector = Collector(env, self.rollout, self.mirror, self.gates, self.skills)
        self.value_normaliser = ValueNormaliser(critics)
        self.scale = reward_scale(config, env.channel_names, self.channels.reward_gamma, env.num_envs)
        self.running_std = np.zeros(critics)
        self.advantages: Advantages = (
            CriticAdvantages(self.channels, config, group, env.num_envs, self.running_std)
            if config.advantage == "gae"
            else GroupAdvantages(self.channels, config, group, env)
        )

    @property
    def learning_rate(self) -> float:
        """The present learning rate."""
        return self.optimiser.rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self.optimiser.rate = rate

    def shared(self) -> dict[str, Array]:
        """Return live arrays by name, the same on all ranks."""
        scale = {f"scale.{k}": v for k, v in self.scale.shared.items()}
        parts = [part.shared() for part in (self.gates, self.skills) if part is not None]
        return {k: v for arrays in ({"running_std": self.running_std}, scale, *parts) for k, v in arrays.items()}

    def own(self) -> dict[str, Array]:
        """Return live arrays by name that this rank has for itself; no transition is kept for the next iteration."""
        scale = {f"scale.{k}": v for k, v in self.scale.own.items()}
        engine = {f"engine.{k}": v.numpy() for k, v in self.engine.state().items()}
        return scale | engine | ({} if self.gates is None else self.gates.own())

    def expect(self, state: dict[str, Array]) -> None:
        """Need no room."""

    def iterate(self) -> Metrics:
        """Collect a rollout, learn from it, and return the iteration's metrics, equal on all ranks."""
        start = time.perf_counter()
        self._follow_schedules()
        if self.advantages.begin(self.env):
            self._start_anew()
        tally = self.collector.collect(self.engine, self.normaliser, self.generator)
        collected = time.perf_counter()
        skills = self._discover(tally)
        moments = self._targets()
        batch = self._batch()
        targeted = time.perf_counter()
        losses = self._update(batch)
        self._update_normalisers()
        if self.gates is not None:
            self.gates.adapt(self.group)
        end = time.perf_counter()
        self._count()
        seconds = {"targets": targeted - collected, "update": end - targeted, "total": end - start}
        return self._report(tally, losses, moments, seconds) | skills

    def _discover(self, tally: Tally) -> dict[str, dict[str, float]]:
        """Pay for skills, then let their encoder learn from what it has paid for; return what is logged."""
        if self.skills is None:
            return {}
        tally.channels[self.skills.channel] += self.skills.pay(self.rollout.rewards)
        return {"Skills": self.skills.learn(self.generator, self.group)}

    def _targets(self) -> Array:
        """Compute values, advantages and value targets; return the moments of raw advantages `[C, 4]`."""
        rollout, channels = self.rollout, self.channels
        ended = rollout.terminated | rollout.truncated
        fused = self.gates if self.fused else None
        if self.gates is not None and fused is None:
            self.gates.apply(rollout)
        self.scale(rollout.rewards, ended, self.iteration, self.group)
        paid = channels.pay(rollout.rewards)
        with torch.inference_mode():
            self._evaluate_critics()
        self._settle_successors()
        if fused is not None:
            fused.returns(rollout, channels)
        else:
            _core.gae(
                paid, rollout.values[:-1].numpy(), rollout.next_values, rollout.terminated, rollout.truncated,
                channels.gamma, channels.lam, rollout.advantages, rollout.returns, episodic=channels.episodic,
            )
        return self.advantages(rollout, paid, self.iteration == 0)

    def _start_anew(self) -> None:
        """The environments were reset."""
        everywhere = np.ones(self.env.num_envs, np.bool_)
        self.collector.lengths[:] = 0
        self.collector.terms.episode[:] = 0
        self.engine.forget(everywhere)
        self.scale.forget(everywhere)
        if self.gates is not None:
            self.gates.forget()

    def _settle_successors(self) -> None:
        """Closed gates let no value through; a channel without episodes goes on to the next row, whatever it is."""
        rollout, endless = self.rollout, ~self.channels.episodic
        if self.gates is not None and not self.fused:
            self.gates.bootstrap(rollout)
        rollout.next_values[..., endless] = rollout.values[1:].numpy()[..., endless]

    def _evaluate_critics(self) -> None:
        """Values of all rows at once, and of the true successors of truncated rows."""
        critic = self.rollout.critic
        if critic is self.rollout.policy:
            self.normaliser(torch.from_numpy(critic.raw[-1]), out=critic.normalised[-1])
        else:
            self.critic_normaliser(torch.from_numpy(critic.raw), out=critic.normalised)
        finals = np.concatenate([*critic.finals, np.zeros((0, critic.raw.shape[2]), np.float32)])
        rows = torch.from_numpy(finals)
        self.critic_normaliser(rows, out=rows)
        values, final_values = self.engine.horizon_values(self.rollout, rows)
        denormalise = self.value_normaliser.denormalise
        self.rollout.values.copy_(denormalise(values))
        self.rollout.fill_next_values(denormalise(final_values).numpy())

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
            self.advantages.rows(rollout),
            *self._mirrored(),
        )

    def _mirrored(self) -> tuple[Tensor | None, tuple[Tensor, Tensor] | None]:
        """What the mirrored robot sees, normalised, and how its actions are mirrored back, for the loss of symmetry."""
        if self.config.symmetry != "loss":
            return None, None
        mirror, rows = self.env.mirror, self.rollout.policy.raw[:-1].copy()
        mirror_rows(rows, np.ones(rows.shape[:2], np.bool_), mirror.obs_index, mirror.obs_sign)
        mirrored = torch.from_numpy(rows)
        self.normaliser(mirrored, out=mirrored)
        index, sign = torch.from_numpy(mirror.action_index), torch.from_numpy(mirror.action_sign)
        return flat(mirrored), (index, sign)

    def _update(self, batch: Batch) -> Losses:
        return update(self.engine, self.optimiser, batch, self.config, self.generator, self.group)

    def _report(
        self, tally: Tally, losses: Losses, moments: Array, seconds: dict[str, float]
    ) -> Metrics:
        values, returns = self.rollout.values[:-1].numpy(), self.rollout.returns
        unexplained = _variance(returns - values) / np.maximum(_variance(returns), 1e-12)
        metrics = summarise(self, tally, losses.value, 1.0 - unexplained, seconds)
        metrics |= optimisation(self, losses, moments)
        if self.gates is not None:
            metrics["Gate"] = self.gates.report(self.group, self.env.channel_names, self.env.control_dt)
        self.episode_length = metrics["episode_length"]
        return metrics


def _mirror(env: Any, config: Train) -> MirrorMap | None:
    """The mirror of a policy that only sees one of two mirrored states, None for another.

    Raises SpecError for a loss of symmetry in a task without one.
    """
    if config.symmetry == "loss" and env.mirror is None:
        raise SpecError("symmetry: 'loss': expected a task with a [symmetry], got one without")
    mirror: MirrorMap | None = env.mirror if config.symmetry == "canonical" else None
    return mirror


def _critics_see_rewards(config: Train) -> bool:
    """Whether the rewards of the channels, gated or not, are all that advantages are made of."""
    return (config.advantage, config.critics == "single", config.reward_scale) == ("gae", False, "none")


def _variance(x: Array) -> Array:
    """Variance over the rows of `[T, N, C]`."""
    spread: Array = x.var(axis=(0, 1), dtype=np.float64)
    return spread
