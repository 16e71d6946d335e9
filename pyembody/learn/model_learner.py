"""What off-policy learners in a world model share: gradient steps on real and imagined transitions."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch

from pyembody.spec import Mbpo, Offline, SpecError, Task
from pyembody.world import Actor, Imagined

from .collect import Tally
from .distributed import Group
from .imagination import imagined_replay, shuffled, squashed_actor
from .replay import Transitions
from .report import Metrics
from .sac import Learning, SacLearner

Array = npt.NDArray[Any]
LOOK = 4096
"""Rows that the spread of the policy's actions is taken from."""


class ModelLearner(SacLearner):
    """SAC whose replay also has `states` and `carried`, which a world model imagines from; `_rollout` is that model."""

    def __init__(self, env: Any, task: Task, config: Mbpo | Offline, seed: int, group: Group) -> None:
        name = config.__struct_config__.tag
        if not hasattr(env, "watcher"):
            kind = type(env).__name__
            raise SpecError(f"algorithm '{name}': expected environments of a task and a robot, got {kind}")
        if group.size > 1:
            raise SpecError(f"algorithm '{name}': expected 1 worker, got {group.size}")
        if env.mirror is not None:
            raise SpecError(f"algorithm '{name}': expected a task without a [symmetry], got one with it")
        if env.critic_observations is not env.observations:
            raise SpecError(f"algorithm '{name}': expected a task whose critics see what the policy sees, got one with "
                            "[observations.critic]")
        super().__init__(env, task, config, seed, group)
        self.real, self.imagined = config.real, config.imagined
        self.imagined_length = 0.0

    def _rollout(self, states: Array, carried: Array, actor: Actor, seed: int) -> Imagined:
        """Return what the actor does from `states [B, S]` on."""
        raise NotImplementedError

    def _draw(self, count: int) -> Transitions:
        real = max(1, round(self.real * count))
        parts = [self.replay.sample(real, self.config.steps, self.gamma, self.generator, self.dead)]
        if real < count:
            parts.append(self._imagine(count - real))
        return shuffled(parts, self.generator)

    def _imagine(self, count: int) -> Transitions:
        """Return `count` transitions of the present policy in the model, drawn from rollouts of about as many steps."""
        replay, scale = self.replay, float(self.action_scale)
        starts = replay.draw(-(-count // self.imagined), self.generator)
        states, carried, seen = (replay.rows(name, starts) for name in ("states", "carried", "policy_observations"))
        clip = self.config.observation_clip
        actor = squashed_actor(self.networks, self.normaliser, clip, scale, seen[:LOOK])
        seed = int(torch.randint(2**31, (1,), generator=self.generator))
        found = self._rollout(states.numpy(), carried.numpy(), actor, seed)
        memory, there = imagined_replay(found, scale)
        if len(there) == 0:
            raise SpecError("world model: every imagined row ended before its first step: not finite, or not credible")
        self.imagined_length = len(there) / len(starts)
        drawn = there[torch.randint(len(there), (count,), generator=self.generator)]
        return memory.take(drawn, self.config.steps, self.gamma, self.dead)

    def _report(self, tally: Tally, learning: Learning, seconds: dict[str, float]) -> Metrics:
        return super()._report(tally, learning, seconds) | {"model": {"imagined_length": self.imagined_length}}
