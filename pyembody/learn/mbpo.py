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

from pyembody.spec import Mbpo, Task
from pyembody.world import Actor, Imagined
from pyembody.world.task_state import TaskState

from .collect import Tally
from .distributed import Group
from .model_learner import ModelLearner
from .model_rows import ModelRows
from .online_model import OnlineModel
from .replay import Transitions
from .report import Metrics
from .sac import Learning

Array = npt.NDArray[Any]


class MbpoLearner(ModelLearner):
    """SAC whose gradient steps see a world model's transitions beside those of the replay."""

    def __init__(self, env: Any, task: Task, config: Mbpo, seed: int, group: Group) -> None:
        super().__init__(env, task, config, seed, group)
        self.own_config = config
        self.task_state = TaskState(env, config.signals, "mbpo: signals")
        self.watched = ModelRows(env, config.horizon, self.task_state)
        self.given = self.watched.given
        self.model = OnlineModel(config, self.task_state, self.actions, seed)
        shape = self.replay.arrays["actions"].shape[:2]
        for name, array in self.watched.arrays.items():
            self.replay.arrays[name] = torch.zeros(*shape, array.shape[2])
        self.model_seconds = 0.0

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
        if self.own_config.real < 1.0:
            start = time.perf_counter()
            self._fit()
            self.model_seconds = time.perf_counter() - start
        return super()._draw(count)

    def _fit(self) -> None:
        """Fit the model anew, if it is due."""
        replay = self.replay
        if not self.model.due(self.steps):
            return
        state, action, successor = (
            replay.arrays[name][: replay.filled].flatten(0, 1).numpy()
            for name in ("states", "acted", "successor_states")
        )
        self.model.fit(state, action, successor, self.steps)

    def _rollout(self, states: Array, carried: Array, before: Array, actor: Actor, seed: int) -> Imagined:
        return self.model.imagine(states, carried, before, actor, self.env.params, seed)

    def _report(self, tally: Tally, learning: Learning, seconds: dict[str, float]) -> Metrics:
        metrics = super()._report(tally, learning, seconds | {"model": self.model_seconds})
        return metrics | {"model": metrics["model"] | self.model.report()}
