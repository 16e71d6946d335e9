"""Environments: MuJoCo's batch stepper and a task's program behind Gymnasium's interfaces."""

from __future__ import annotations

from typing import Any

import gymnasium

from .. import spec
from .vector import VectorEnv


def make_vec(
    task: str = "velocity", robot: str = "go2", num_envs: int = 256, *, variant: str = "", **settings: Any
) -> VectorEnv:
    """Return N environments of a task on a robot, by shipped name or folder. `settings` are those of `VectorEnv`.

    Raises SpecError for unknown names and for a robot that does not provide what the task asks for.
    """
    return VectorEnv(spec.load_task(task, variant), spec.load_robot(robot), num_envs, **settings)


gymnasium.register(
    "pyembody/Task-v0", entry_point="pyembody.envs.single:Env", vector_entry_point="pyembody.envs:make_vec"
)

__all__ = ["VectorEnv", "make_vec"]
