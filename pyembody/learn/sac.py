"""Soft actor-critic with two critics per reward channel, on one environment of this rank.

Every channel has its own gamma and its own pair of critics, in units of its own values (PopArt), so that the scale of a
reward does not matter; the actor climbs the weighted sum of the lesser critics and a nat of entropy's worth.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pyembody import _core
from pyembody.program.gating import gated_channels
from pyembody.spec import Sac, SpecError, Task

from .adam import Adam
from .buffers import Rollout
from .collect import Collector, Tally
from .distributed import Group
from .normaliser import ValueNormaliser
from .ppo import NotFiniteError
from .rank_learner import RankLearner
from .replay import Replay, Transitions
from .report import Metrics, summarise
from .sac_engine import SacEngine, make_sac_engine
from .sac_networks import SacNetworks

Array = npt.NDArray[Any]

LEAST_RATE = 1e-3
"""A channel that does not discount counts a thousand steps of death."""
LAST_RATE = 0.1
"""Where learning rates that settle end, of what they began with."""


class Learning:
    """Sums over the gradient steps of one iteration: critic losses `[C]`, loss and entropy of the actor, norms."""

    def __init__(self, channels: int) -> None:
        self.value = torch.zeros(channels)
        self.norms = torch.zeros(1 + 2 * channels)
        self.actor = torch.zeros(2)
        self.steps = self.actor_steps = 0

    def means(self) -> tuple[list[float], list[float], list[float]]:
        """Return mean critic losses, (actor loss, entropy) and gradient norms (actor, then critics)."""
        steps, actor_steps = max(self.steps, 1), max(self.actor_steps, 1)
        norms = torch.cat([self.norms[:1] / actor_steps, self.norms[1:] / steps])
        return (self.value / steps).tolist(), (self.actor / actor_steps).tolist(), norms.tolist()


class SacCollector(Collector):
    """Steps an environment with the squashed policy; the rollout keeps actions in (-1, 1)."""

    def __init__(self, env: Any, rollout: Rollout, scale: float) -> None:
        super().__init__(env, rollout, env.mirror)
        self.scale = scale

    def _choose(self, t: int, engine: Any, rows: Tensor) -> Tensor:
        rollout = self.rollout
        rollout.actions[t] = engine.act(rows, rollout.noise[t])
        return rollout.actions[t] * self.scale


class SacLearner(RankLearner):
    """`iterate` collects an iteration's steps, then takes its gradient steps; `shared` and `own` make it resumable."""

    def __init__(self, env: Any, task: Task, config: Sac, seed: int, group: Group) -> None:
        if gated := gated_channels(task):
            # what a gate pays depends on a whole episode, a replay keeps single transitions
            raise SpecError(f"algorithm 'sac': expected a task without gates, got gates on {', '.join(gated)}")
        if task.skills is not None:
            # what a step is paid changes with the encoder, a replay keeps what it was
            raise SpecError("algorithm 'sac': expected a task without [skills]: they are learnt by 'ppo'")
        super().__init__(env, config.observation_clip, seed, group)
        self.config, self.mirror, self.critic_names = config, env.mirror, env.channel_names
        channels = [task.channels[name] for name in env.channel_names]
        self.networks = SacNetworks(
            config, self.features, self.critic_features, self.actions, env.channel_names, seed
        )
        for parameters in (self.networks.actor_flat, self.networks.critic_flat, self.networks.target_flat):
            group.broadcast(parameters)
        self.engine: SacEngine = make_sac_engine(config.engine, self.networks, self.threads)
        self.optimisers = {
            "actor_optimiser": Adam(self.networks.actor_flat, config.actor_rate),
            "critic_optimiser": Adam(self.networks.critic_flat, config.critic_rate),
            "temperature_optimiser": Adam(self.networks.log_temperature, config.temperature_rate),
        }
        self.learning_rate = config.critic_rate
        self.rollout = self._new_rollout(config.horizon, self.mirror)
        self.replay = Replay(config.replay // group.size, self.rollout)
        limit = float(env.single_action_space.high[0])
        self.action_scale = np.array(min(config.action_range, limit), np.float32)
        self.collector: Collector = SacCollector(env, self.rollout, float(self.action_scale))
        self.value_normaliser = ValueNormaliser(len(channels))
        self.weights = torch.tensor([c.weight for c in channels])
        self.gamma = torch.tensor([c.gamma if config.gamma is None else config.gamma for c in channels])
        self.target_entropy = config.entropy * self.actions
        self.target_std, self.dead = torch.ones(len(channels)), torch.zeros(len(channels))

    def shared(self) -> dict[str, Array]:
        """Return live arrays by name, the same on all ranks; a policy is squashed if it has an `action_scale`."""
        return {"action_scale": self.action_scale, "target_std": self.target_std.numpy()}

    def own(self) -> dict[str, Array]:
        """Return the replay's live arrays by name."""
        return self.replay.state()

    def expect(self, state: dict[str, Array]) -> None:
        """Make `own` as large as the replay of a checkpoint. Raises SpecError if it does not fit."""
        self.replay.expect(state)

    def iterate(self) -> Metrics:
        """Collect, learn, and return the iteration's metrics, equal on all ranks."""
        start = time.perf_counter()
        self._follow_schedules()
        self._settle()
        tally = self.collector.collect(self.engine, self.normaliser, self.generator)
        self._remember()
        self._update_normalisers()
        self._count()
        collected = time.perf_counter()
        learning = self._learn() if self.steps >= self.config.warmup else Learning(len(self.gamma))
        end = time.perf_counter()
        return self._report(tally, learning, {"update": end - collected, "total": end - start})

    def _settle(self) -> None:
        """Let the rates of actor and critics fall in a line to LAST_RATE over the last share `settle` of iterations."""
        config = self.config
        if config.settle == 0.0:
            return
        late = 1.0 + (self.iteration / config.iterations - 1.0) / config.settle
        factor = 1.0 - (1.0 - LAST_RATE) * min(max(late, 0.0), 1.0)
        self.learning_rate = factor * config.critic_rate
        self.optimisers["critic_optimiser"].rate = self.learning_rate
        self.optimisers["actor_optimiser"].rate = factor * config.actor_rate

    def _remember(self) -> None:
        """Keep the rollout in the replay."""
        self.replay.add(self.rollout)

    def _learn(self) -> Learning:
        """Take the iteration's gradient steps on rows drawn from the replay.

        Raises NotFiniteError naming the step and the network whose loss or gradient is not finite, before that network
        is touched.
        """
        config = self.config
        self.dead = self._dead()
        count = config.updates * config.minibatch
        rows = self._normalised(self._draw(count))
        noise = torch.randn(2, *rows.actions.shape, generator=self.generator)
        targets = torch.empty_like(rows.rewards)
        sums = Learning(len(self.gamma))
        for number, start in enumerate(range(0, len(targets), config.minibatch)):
            part = slice(start, start + config.minibatch)
            try:
                self._step_critics(rows, noise[0], targets, part, sums)
                if int(self.optimisers["critic_optimiser"].count) % config.actor_every == 0:
                    self._step_actor(rows, noise[1], part, sums)
            except NotFiniteError as error:
                raise NotFiniteError(f"update {number + 1} of {config.updates}: {error}") from None
            self.networks.target_flat.lerp_(self.networks.critic_flat, config.polyak)
        self.target_std.copy_(targets.std(0))
        values = self.value_normaliser.denormalise(targets)
        self.networks.rescale_values(*self.value_normaliser.update(values, self.group))
        return sums

    def _draw(self, count: int) -> Transitions:
        """Return the rows of an iteration's gradient steps, in the order in which they are used."""
        return self.replay.sample(count, self.config.steps, self.gamma, self.generator, self.dead)

    def _normalised(self, rows: Transitions) -> Transitions:
        """Transitions as the networks see them: observations and rewards in normalised units, in place."""
        shared = rows.critic_observations is rows.observations
        for x in (rows.observations, rows.successors):
            self.normaliser(x, out=x)
        if not shared:
            for x in (rows.critic_observations, rows.critic_successors):
                self.critic_normaliser(x, out=x)
        # (r + D (s V + m) - m) / s = (r - (1 - D) m) / s + D V
        mean, std = self.value_normaliser.mean.float(), self.value_normaliser.std.float()
        rows.rewards.addcmul_(rows.discount - 1.0, mean).div_(std)
        return rows

    def _step_critics(self, rows: Transitions, noise: Tensor, targets: Tensor, part: slice, sums: Learning) -> None:
        networks, engine = self.networks, self.engine
        targets[part] = engine.targets(
            rows.successors[part], rows.critic_successors[part], noise[part], rows.rewards[part], rows.discount[part]
        )
        engine.critic_gradients(rows.critic_observations[part], rows.actions[part], targets[part])
        norms = self._clip(networks.critic_message, networks.critic_grads)
        losses = networks.critic_message[-len(norms) :]
        _check(losses, norms, [f"critic of channel '{c}'" for c in networks.channels for _ in range(2)])
        self.optimisers["critic_optimiser"].step(networks.critic_message[: networks.critic_flat.numel()])
        sums.value += losses.view(-1, 2).mean(1)
        sums.norms[1:] += norms
        sums.steps += 1

    def _step_actor(self, rows: Transitions, noise: Tensor, part: slice, sums: Learning) -> None:
        networks = self.networks
        self.engine.actor_gradients(
            rows.observations[part], rows.critic_observations[part], noise[part], self._weights()
        )
        norms = self._clip(networks.actor_message, networks.actor_grads)
        statistics = networks.actor_message[networks.actor_flat.numel() :]
        _check(statistics[:1], norms, ["actor"])
        self.optimisers["actor_optimiser"].step(networks.actor_message[: networks.actor_flat.numel()])
        entropy = -statistics[1]
        # the temperature falls while the entropy is above its target
        self.optimisers["temperature_optimiser"].step((entropy - self.target_entropy).view(1))
        sums.actor += torch.stack([statistics[0], entropy])
        sums.norms[:1] += norms
        sums.actor_steps += 1

    def _dead(self) -> Tensor:
        """Value `[C]` of being terminated: 0, or that of earning `death` deviations less than the mean step for ever.

        While living costs more than it pays, nothing would be the best there is: the policy would learn to fall.
        """
        if self.config.death is None:
            return torch.zeros_like(self.gamma)
        moments = self.replay.reward_moments()
        self.group.average(moments)
        return (moments[0] - self.config.death * moments[1]) / (1.0 - self.gamma).clamp_min(LEAST_RATE)

    def _weights(self) -> Tensor:
        """Weights `[C]` of the critics' outputs: those of the channels, of values relative to their root mean square
        distance from being terminated.

        Relative to their spread alone, a channel that always costs nearly the same would pay most for dying, which ends
        the cost.
        """
        normaliser = self.value_normaliser
        square = normaliser.square - (2.0 * normaliser.mean - self.dead) * self.dead  # mean of (V - dead)^2
        return self.weights * (normaliser.std / square.clamp_min(1e-16).sqrt()).float()

    def _clip(self, message: Tensor, gradients: Tensor) -> Tensor:
        """Average a message over ranks and clip each network's gradient; return the norms before."""
        self.group.average(message)
        norms = torch.empty(len(gradients))
        _core.clip_rows(gradients.numpy(), self.config.max_grad_norm, norms.numpy())
        return norms

    def _report(self, tally: Tally, learning: Learning, seconds: dict[str, float]) -> Metrics:
        names = self.env.channel_names
        value, (loss, entropy), norms = learning.means()
        spread = self.target_std.clamp_min(1e-8)
        explained = 1.0 - 2.0 * np.array(value) / spread.square().numpy()
        metrics = summarise(self, tally, value, explained, seconds)
        share = self._weights() * spread / (self._weights() * spread).sum().clamp_min(1e-8)
        metrics |= {
            "value_std": dict(zip(names, self.value_normaliser.std.tolist(), strict=True)),
            "share": dict(zip(names, share.tolist(), strict=True)),
            "policy_loss": loss,
            "entropy": entropy / self.rollout.actions.shape[2],
            "temperature": self.networks.temperature,
            "gradient_norm": norms,
            "replay": self.replay.filled * self.env.num_envs * self.group.size,
            "learning_rate": self.learning_rate,
            "warmup": max(0, self.config.warmup - self.steps),
        }
        self.episode_length = metrics["episode_length"]
        return metrics


def _check(losses: Tensor, norms: Tensor, names: list[str]) -> None:
    """Raise NotFiniteError unless losses and gradient norms of the named networks are finite."""
    finite = torch.isfinite(losses) & torch.isfinite(norms)
    if bool(finite.all()):
        return
    bad = [name for name, good in zip(names, finite.tolist(), strict=True) if not good]
    raise NotFiniteError(f"not finite: loss or gradient of {', '.join(bad)}; that step was not taken")
