"""A Gymnasium environment whose reward is a program's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike

from ..program.reward_program import RewardProgram

Signals = Callable[[Any, Any, Any], Mapping[str, ArrayLike]]


class ProgramReward(gymnasium.Wrapper[Any, Any, Any, Any]):
    """The environment with its reward replaced; its own is `info["env_reward"]`, each term in `info["reward_terms"]`.

    Args:
        env: any Gymnasium environment.
        program: what to pay.
        signals: `signals(env.unwrapped, observation, action)` gives the present value of each signal, of the state
            after the step; at a reset the action is zero.
        terminate: end the episode where the program's terminations say so, besides where the environment does.

    Raises ValueError naming a signal that is missing or has the wrong shape.
    """

    def __init__(
        self, env: gymnasium.Env[Any, Any], program: RewardProgram, signals: Signals, *, terminate: bool = False
    ) -> None:
        super().__init__(env)
        self.program, self._signals, self._terminate = program, signals, terminate

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode; returns (observation, info)."""
        observation, info = self.env.reset(seed=seed, options=options)
        self.program.reset(self._rows(observation, no_action(self.env.action_space)))
        return observation, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Apply an action; returns (observation, the program's total, terminated, truncated, info)."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        out = self.program.step(self._rows(observation, action))
        terms = dict(zip(self.program.term_names, out.weighted[0].tolist(), strict=True))
        info = info | {"env_reward": reward, "reward_terms": terms, "reward_success": bool(out.success[0])}
        ended = bool(out.terminated[0]) if self._terminate else False
        return observation, float(out.total[0]), terminated or ended, truncated, info

    def _rows(self, observation: Any, action: Any) -> dict[str, Any]:
        """The signals as batches of one row."""
        values = self._signals(self.env.unwrapped, observation, action)
        return {name: row_of(value) for name, value in values.items()}


def row_of(value: ArrayLike) -> Any:
    """Return one environment's value as a batch of one row, of a type that programs read."""
    array = np.asarray(value)
    if array.dtype.kind in "iu":
        array = array.astype(np.float64)
    return np.ascontiguousarray(array)[None] if array.ndim else array[None]


def no_action(space: spaces.Space[Any]) -> Any:
    """Return the action of rest: zeros of a box, 0 of a discrete space, otherwise None."""
    if isinstance(space, spaces.Box):
        return np.zeros(space.shape, space.dtype)
    return 0 if isinstance(space, spaces.Discrete) else None
