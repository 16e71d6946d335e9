"""One environment with Gymnasium's single-environment interface, for `gymnasium.make`."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from .. import spec
from .vector import VectorEnv

Floats = NDArray[np.float32]


class Env(gymnasium.Env[Floats, Floats]):
    """A task on a robot as a plain Gymnasium environment: a vector environment of one, unwrapped.

    Args:
        task, robot, variant: names or folders; by default the robot that the task was made for.
        execution, randomize: as for `VectorEnv`.
    """

    def __init__(
        self, task: str = "velocity", robot: str = "", variant: str = "", *, execution: bool = False,
        randomize: bool = True, render_mode: None = None,
    ) -> None:
        loaded = spec.load_task(task, variant)
        self.vector = VectorEnv(
            loaded, spec.load_robot(robot or loaded.robot), 1, threads=1,
            autoreset_mode=AutoresetMode.DISABLED, execution=execution, randomize=randomize,
        )
        self.metadata = {"render_modes": []}
        self.render_mode = render_mode
        self.observation_space = self.vector.single_observation_space
        self.action_space = self.vector.single_action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Floats, dict[str, Any]]:
        """Start an episode; returns (observation [O], info)."""
        super().reset(seed=seed)
        if seed is None:
            # an unseeded reset continues this environment's own stream
            seed = None if self.vector._np_random is not None else int(self.np_random.integers(2**31))
        obs, info = self.vector.reset(seed=seed, options=options)
        self._np_random = self.vector._np_random
        return obs[0], _first(info)

    def step(self, action: Floats) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Apply an action [A]; returns (observation [O], reward, terminated, truncated, info)."""
        obs, reward, terminated, truncated, info = self.vector.step(np.asarray(action)[None])
        return obs[0], float(reward[0]), bool(terminated[0]), bool(truncated[0]), _first(info)


def _first(info: dict[str, Any]) -> dict[str, Any]:
    return {k: v[0].copy() for k, v in info.items()}
