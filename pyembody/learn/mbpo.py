"""MBPO: soft actor-critic on real and imagined transitions, with the channels of the task's own program in both.

A world model is fitted to the replay as it grows. Before an iteration's gradient steps the core imagines short rollouts
of the present policy that begin in states of the replay; the task's program pays for them and ends them, as it does in
the simulator. They are used once and forgotten, so that none is older than an iteration.

Paper: Janner et al., When to trust your model: model-based policy optimization (2019).
"""

from __future__ import annotations

import time
from typing import Any

import numpy.typing as npt
import torch

from pyembody.spec import Mbpo, SpecError, Task

from .collect import Tally
from .distributed import Group
from .imagination import imagined_replay, shuffled, squashed_actor
from .model_rows import ModelRows
from .online_model import OnlineModel
from .replay import Transitions
from .report import Metrics
from .sac import Learning, SacLearner

Array = npt.NDArray[Any]
LOOK = 4096
"""Rows that the spread of the policy's actions is taken from."""


class MbpoLearner(SacLearner):
    """SAC whose gradient steps see a world model's transitions beside those of the replay."""

    def __init__(self, env: Any, task: Task, config: Mbpo, seed: int, group: Group) -> None:
        if not hasattr(env, "watcher"):
            raise SpecError(f"algorithm 'mbpo': expected environments of a task and a robot, got {type(env).__name__}")
        if group.size > 1:
            raise SpecError(f"algorithm 'mbpo': expected 1 worker, got {group.size}")
        if env.mirror is not None:
            raise SpecError("algorithm 'mbpo': expected a task without a [symmetry], got one with it")
        if env.critic_observations is not env.observations:
            raise SpecError("algorithm 'mbpo': expected a task whose critics see what the policy sees, got one with "
                            "[observations.critic]")
        super().__init__(env, task, config, seed, group)
        self.own_config = config
        self.watched = ModelRows(env, config.horizon, config.signals)
        self.model = OnlineModel(config, self.watched.fields, self.watched.state, self.actions, seed)
        shape = self.replay.arrays["actions"].shape[:2]
        for name, array in self.watched.arrays.items():
            self.replay.arrays[name] = torch.zeros(*shape, array.shape[2])
        self.model_seconds, self.imagined_length = 0.0, 0.0

    def shared(self) -> dict[str, Array]:
        """Return live arrays by name, those of the model among them."""
        return super().shared() | {f"model.{name}": array for name, array in self.model.arrays.items()}

    def own(self) -> dict[str, Array]:
        """Return live arrays by name: the replay's, and where the next rollout begins."""
        return super().own() | {"present": self.watched.present}

    def iterate(self) -> Metrics:
        """Collect, fit the model where there is enough that it has not seen, learn, and return metrics."""
        self.model_seconds = 0.0
        return super().iterate()

    def _remember(self) -> None:
        head = self.replay.head
        super()._remember()
        self.watched.look()
        rows = slice(head, head + self.rollout.horizon)
        for name, array in self.watched.arrays.items():
            self.replay.arrays[name][rows] = torch.from_numpy(array)

    def _draw(self, count: int) -> Transitions:
        config = self.own_config
        real = max(1, round(config.real * count))
        parts = [self.replay.sample(real, config.steps, self.gamma, self.generator, self.dead)]
        if real < count:
            start = time.perf_counter()
            self._fit()
            parts.append(self._imagine(count - real))
            self.model_seconds = time.perf_counter() - start
        return shuffled(parts, self.generator)

    def _fit(self) -> None:
        """Fit the model anew, if it is due."""
        replay = self.replay
        if not self.model.due(replay.filled * self.env.num_envs):
            return
        state, action, successor = (
            replay.arrays[name][: replay.filled].flatten(0, 1).numpy()
            for name in ("states", "actions", "successor_states")
        )
        self.model.fit(state, action * self.action_scale, successor)

    def _imagine(self, count: int) -> Transitions:
        """Return `count` transitions of the present policy in the model."""
        config, replay = self.own_config, self.replay
        starts = replay.draw(-(-count // config.imagined), self.generator)
        states, carried, seen = (replay.rows(name, starts) for name in ("states", "carried", "policy_observations"))
        scale = float(self.action_scale)
        actor = squashed_actor(self.networks, self.normaliser, config.observation_clip, scale, seen[:LOOK])
        seed = int(torch.randint(2**31, (1,), generator=self.generator))
        found = self.model.imagine(
            self.env.program, self.env.params, states.numpy(), carried.numpy(), actor, config.imagined, seed
        )
        memory, there = imagined_replay(found, scale)
        if len(there) == 0:
            raise SpecError("algorithm 'mbpo': every imagined row left the finite numbers in its first step")
        self.imagined_length = len(there) / len(starts)
        drawn = there[torch.randint(len(there), (count,), generator=self.generator)]
        return memory.take(drawn, config.steps, self.gamma, self.dead)

    def _report(self, tally: Tally, learning: Learning, seconds: dict[str, float]) -> Metrics:
        metrics = super()._report(tally, learning, seconds | {"model": self.model_seconds})
        return metrics | {"model": self.model.report() | {"imagined_length": self.imagined_length}}
