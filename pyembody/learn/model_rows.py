"""What a world model is fitted to and imagines from, along a rollout of the environments."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pyembody.envs.given import Given
from pyembody.envs.running import Running
from pyembody.envs.watcher import Watcher
from pyembody.program.named import VALUES
from pyembody.spec import SpecError
from pyembody.world.task_state import TaskState

Array = npt.NDArray[Any]


class ModelRows(Watcher):
    """Watches `env` and keeps, for the T steps of a rollout, `states` and `successor_states [T, N, S]`, true ones where
    an episode ended, `given [T, N, G]`, how commands and clocks go on, `acted [T, N, A]`, what was done, mirrored by
    nobody, and `before [T, N, A]`, what was done before that. `present [N, S]` is where `look` saw them last.
    """

    def __init__(self, env: Any, horizon: int, task: TaskState) -> None:
        """`task` says what a state is. Raises SpecError for an environment that is recorded."""
        if type(env.watcher) is not Watcher:
            raise SpecError("algorithm 'mbpo': expected an environment that nothing watches: train without --record")
        self.task, self.given, self._action = task, Given(env), env.action
        self._shown = Running(task.shown, env.bindings, env.num_envs, env.threads)
        shape = (horizon, env.num_envs)
        width, actions, given = task.state.width, self._action.shape[1], self.given.look(env.num_envs).shape[1]
        widths = {"states": width, "successor_states": width, "given": given, "acted": actions, "before": actions}
        self.arrays = {name: np.zeros((*shape, lanes), np.float32) for name, lanes in widths.items()}
        self.present = np.full(self.arrays["states"].shape[1:], np.nan, np.float32)
        self._step = 0
        env.watcher = self

    def before_step(self) -> None:
        """Keep the states that are acted from."""
        arrays, step = self.arrays, self._step
        if step > 0 or np.isnan(self.present).all():
            arrays["states"][step] = self._values()
        else:
            # a simulation that goes on from a checkpoint does not know forces and the like before its first step
            arrays["states"][step] = self.present
        arrays["given"][step] = self.given.look(len(self._action))
        arrays["before"][step] = self._action

    def look(self) -> None:
        """Keep where the next rollout begins."""
        self.present[:] = self._values()

    def after_step(self, terminated: Array, truncated: Array) -> None:
        """Keep the states that the actions led to, whether or not they were the last."""
        del terminated, truncated
        self.arrays["successor_states"][self._step] = self._values()
        self.arrays["acted"][self._step] = self._action
        self._step = (self._step + 1) % len(self.arrays["states"])

    def _values(self) -> Array:
        self._shown.evaluator.step()
        return self._shown.outputs.groups[VALUES]
