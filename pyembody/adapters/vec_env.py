"""A vector environment of Stable-Baselines3 whose reward is a program's. Importing this needs stable-baselines3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..program.reward_program import RewardProgram
from ..program.rewards import Rewards

if TYPE_CHECKING:

    class VecEnvWrapper:
        """What is used of Stable-Baselines3's wrapper."""

        venv: Any
        num_envs: int
        action_space: Any

        def __init__(self, venv: Any) -> None: ...
else:
    from stable_baselines3.common.vec_env import VecEnvWrapper

Signals = Callable[[Any, NDArray[Any]], Mapping[str, Any]]


class ProgramVecReward(VecEnvWrapper):
    """The vector environment with its rewards replaced; `rewards` holds the last step's terms and channels.

    Args:
        venv: any vector environment of Stable-Baselines3.
        program: what to pay.
        signals: `signals(observations, actions)` gives the arrays `[N, ...]` of the program's signals. Rows of
            finished episodes come with the observation that ended them; at a reset actions are zero.

    An episode ends where the environment ends it: the program's terminations are shown in `rewards`, not applied.
    Raises ValueError naming a signal that is missing or has the wrong shape.
    """

    rewards: Rewards

    def __init__(self, venv: Any, program: RewardProgram, signals: Signals) -> None:
        super().__init__(venv)
        self.program, self._signals = program, signals
        self._actions = self._rest()

    def reset(self) -> Any:
        """Start all episodes; returns the observations."""
        observations = self.venv.reset()
        self.program.reset(self._signals(observations, self._rest()))
        return observations

    def step_async(self, actions: NDArray[Any]) -> None:
        """Begin a step."""
        self._actions = np.array(actions)
        self.venv.step_async(actions)

    def step_wait(self) -> tuple[Any, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """End it; returns (observations, the program's totals `[N]`, dones, infos)."""
        observations, _, dones, infos = self.venv.step_wait()
        successors = true_successors(observations, dones, infos)
        self.rewards = self.program.step(self._signals(successors, self._actions))
        if dones.any():
            starts = self._actions.copy()
            starts[dones] = 0
            self.program.reset(self._signals(observations, starts), mask=np.asarray(dones, np.bool_))
        return observations, self.rewards.total, dones, infos

    def _rest(self) -> NDArray[Any]:
        space = self.action_space
        return np.zeros((self.num_envs, *space.shape), space.dtype)


def true_successors(observations: Any, dones: NDArray[np.bool_], infos: list[dict[str, Any]]) -> Any:
    """Return the observations that the steps led to: those of finished rows are in their infos.

    Raises ValueError naming a finished row without `terminal_observation`.
    """
    rows = np.flatnonzero(dones)
    if not rows.size:
        return observations
    for row in rows:
        if "terminal_observation" not in infos[row]:
            raise ValueError(f"infos: row {row}: expected 'terminal_observation' of a finished episode, got none")
    final = [infos[row]["terminal_observation"] for row in rows]
    if isinstance(observations, dict):
        return {key: _replaced(array, rows, [f[key] for f in final]) for key, array in observations.items()}
    return _replaced(observations, rows, final)


def _replaced(array: NDArray[Any], rows: NDArray[np.intp], values: list[Any]) -> NDArray[Any]:
    copy = array.copy()
    copy[rows] = values
    return copy
