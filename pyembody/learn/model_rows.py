"""The states of a world model along a rollout: signals before every step, and those that it led to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyembody.data.header import Field
from pyembody.data.recorder import describe
from pyembody.envs.watcher import Watcher
from pyembody.program import CompiledTask
from pyembody.spec import SpecError
from pyembody.spec.errors import unknown
from pyembody.world.model_state import ACTION, TRUNCATED, ModelState, own_columns

Array = npt.NDArray[Any]
HELD = ("command", "moving")
"""Given signals that stay as they are while a model imagines a few steps."""


class ModelRows(Watcher):
    """Watches `env` and keeps, for the T steps of a rollout, `states` and `successor_states [T, N, S]`, true ones where
    an episode ended, and `carried [T, N, K]`; `present [N, S]` is where `look` saw the environments last.
    """

    def __init__(self, env: Any, horizon: int, names: Sequence[str]) -> None:
        """`names` are the signals of a state, by default those that the program reads.

        Raises SpecError for a signal that no model can predict, and for an environment that is recorded.
        """
        if type(env.watcher) is not Watcher:
            raise SpecError("algorithm 'mbpo': expected an environment that nothing watches: train without --record")
        self.fields, self.state = _described(env, names)
        self._predicted, self._given = (
            [env.signal(s.name).reshape(env.num_envs, -1) for s in part]
            for part in (self.state.predicted, self.state.carried)
        )
        shape = (horizon, env.num_envs)
        width, given = self.state.width, self.state.carried_width
        widths = {"states": width, "successor_states": width, "carried": given}
        self.arrays = {name: np.zeros((*shape, lanes), np.float32) for name, lanes in widths.items()}
        self.present = np.full(self.arrays["states"].shape[1:], np.nan, np.float32)
        self._step = 0
        env.bindings.refresh()
        env.watcher = self

    def before_step(self) -> None:
        """Keep the states that are acted from."""
        states = self.arrays["states"][self._step]
        if self._step > 0 or np.isnan(self.present).all():
            _side_by_side(self._predicted, states)
        else:
            # a simulation that goes on from a checkpoint does not know forces and the like before its first step
            states[:] = self.present
        _side_by_side(self._given, self.arrays["carried"][self._step])

    def look(self) -> None:
        """Keep where the next rollout begins."""
        _side_by_side(self._predicted, self.present)

    def after_step(self, terminated: Array, truncated: Array) -> None:
        """Keep the states that the actions led to, whether or not they were the last."""
        del terminated, truncated
        _side_by_side(self._predicted, self.arrays["successor_states"][self._step])
        self._step = (self._step + 1) % len(self.arrays["states"])


def _side_by_side(parts: list[Array], out: Array) -> None:
    at = 0
    for part in parts:
        out[:, at : at + part.shape[1]] = part
        at += part.shape[1]


def _described(env: Any, names: Sequence[str]) -> tuple[tuple[Field, ...], ModelState]:
    """Fields of the state, and the same with the given signals that the program reads."""
    known = {f.name: f for f in describe(env).fields}
    read = [s.name for s in needed_inputs(env.program)]
    simulated = [n for n, f in known.items() if f.role == "state"]
    for name in names:
        if name not in simulated:
            raise unknown("mbpo", "signal of the state", name, simulated)
    wanted = list(names) or [n for n in read if n in simulated]
    carried = [n for n in read if n not in wanted]
    for name in carried:
        if name in simulated:
            raise SpecError(f"mbpo: signals: expected '{name}' among them, which the task reads; got {list(names)}")
        if name in known and name not in HELD:
            raise SpecError(f"mbpo: expected a task that reads what a model predicts, got one that reads '{name}'")
    state = ModelState(tuple(env.signals[n] for n in wanted), tuple(env.signals[n] for n in carried))
    return tuple(known[n] for n in wanted), state


def carried_names(program: CompiledTask, predicted: Sequence[str]) -> list[str]:
    """Return the signals that a program reads beside the predicted ones."""
    return [s.name for s in needed_inputs(program) if s.name not in predicted]


def needed_inputs(program: CompiledTask) -> list[Any]:
    """Return the signals that imagined observations, channels and terminations ask for, but for those that a rollout
    provides by itself.
    """
    groups = [n for n in ("policy", "channels", "terminated") if n in program.groups]
    own = {ACTION, TRUNCATED, *own_columns(program)}
    return [s for s in program.only(groups).inputs if s.name not in own]
