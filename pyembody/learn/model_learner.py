"""What off-policy learners in a world model share: gradient steps on real and imagined transitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pyembody.envs.given import Given
from pyembody.spec import Mbpo, Offline, SpecError, Task
from pyembody.world import Actor, Imagined
from pyembody.world.task_state import TaskState

from .collect import Tally
from .distributed import Group
from .imagination import canonical, imagined_replay, shuffled, squashed_actor
from .replay import Transitions
from .report import Metrics
from .sac import Learning, SacLearner

Array = npt.NDArray[Any]
LOOK = 4096
"""Rows that the spread of the policy's actions is taken from."""


class ModelLearner(SacLearner):
    """SAC whose replay also has `states`, `given` and `before`, which a world model imagines from: see `ModelRows`.

    `_rollout` is that model, of a task's values `task_state`; `given` says how commands and clocks go on.
    """

    task_state: TaskState
    given: Given

    def __init__(self, env: Any, task: Task, config: Mbpo | Offline, seed: int, group: Group) -> None:
        name = config.__struct_config__.tag
        if not hasattr(env, "watcher"):
            kind = type(env).__name__
            raise SpecError(f"algorithm '{name}': expected environments of a task and a robot, got {kind}")
        if group.size > 1:
            raise SpecError(f"algorithm '{name}': expected 1 worker, got {group.size}")
        super().__init__(env, task, config, seed, group)
        self.real, self.imagined = config.real, config.imagined
        self.imagined_length = 0.0

    def _rollout(self, states: Array, carried: Array, before: Array, actor: Actor, seed: int) -> Imagined:
        """Return what the actor does from `states [B, S]` on; `before [B, A]` led there, `carried [L + 1, B, K]`."""
        raise NotImplementedError

    def _draw(self, count: int) -> Transitions:
        real = max(1, round(self.real * count))
        parts = [self.replay.sample(real, self.config.steps, self.gamma, self.generator, self.dead)]
        if real < count:
            parts.append(self._imagine(count - real))
        return shuffled(parts, self.generator, self.critic_normaliser is not self.normaliser)

    def _imagine(self, count: int) -> Transitions:
        """Return `count` transitions of the present policy in the model, drawn from rollouts of about as many steps."""
        replay, scale = self.replay, float(self.action_scale)
        starts = replay.draw(-(-count // self.imagined), self.generator)
        states, before, seen = (replay.rows(name, starts) for name in ("states", "before", "policy_observations"))
        clip = self.config.observation_clip
        actor = squashed_actor(self.networks, self.normaliser, clip, scale, seen[:LOOK], self.mirror)
        seed = int(torch.randint(2**31, (1,), generator=self.generator))
        carried = self._carried(replay.rows("given", starts).numpy(), self.imagined, seed)
        found = self._rollout(states.numpy(), carried, before.numpy(), actor, seed)
        memory, there = imagined_replay(found if self.mirror is None else canonical(found, self.mirror), scale)
        if len(there) == 0:
            raise SpecError("world model: every imagined row ended before its first step: not finite, or not credible")
        self.imagined_length = len(there) / len(starts)
        drawn = there[torch.randint(len(there), (count,), generator=self.generator)]
        return memory.take(drawn, self.config.steps, self.gamma, self.dead)

    def _carried(self, rows: Array, steps: int, seed: int) -> Array:
        """Return the carried signals `[steps + 1, B, K]` of rows `[B, G]` that go on."""
        names = [s.name for s in self.task_state.state.carried]
        return self.given.unroll(rows, steps, names, np.random.default_rng(seed))

    def _report(self, tally: Tally, learning: Learning, seconds: dict[str, float]) -> Metrics:
        return super()._report(tally, learning, seconds) | {"model": {"imagined_length": self.imagined_length}}
