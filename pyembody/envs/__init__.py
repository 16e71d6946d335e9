"""Environments: MuJoCo's batch stepper and a task's program behind Gymnasium's interfaces."""

from __future__ import annotations

from typing import Any

import gymnasium

from .. import spec
from .vector import VectorEnv


def make_vec(
    task: str = "velocity", robot: str = "", num_envs: int = 256, *, variant: str = "", **settings: Any
) -> VectorEnv:
    """Return N environments of a task on a robot, by shipped name or folder; by default the robot that the task was
    made for. `settings` are those of `VectorEnv`.

    Raises SpecError for unknown names and for a robot that does not provide what the task asks for.
    """
    loaded = spec.load_task(task, variant)
    return VectorEnv(loaded, spec.load_robot(robot or loaded.robot), num_envs, **settings)


gymnasium.register(
    "pyembody/Task-v0", entry_point="pyembody.envs.single:Env", vector_entry_point="pyembody.envs:make_vec"
)

__all__ = ["VectorEnv", "make_vec"]
