"""The Ant of Gymnasium as a robot and a task of pyembody: same model file, frame skip, reward and
observations.
"""

from __future__ import annotations

from pathlib import Path

import gymnasium
import msgspec

from ...envs import VectorEnv
from ...spec import load_robot, load_task

NAME = "Ant-v5"


def make_ant(num_envs: int, threads: int) -> VectorEnv:
    """Return `num_envs` Ants behind pyembody's VectorEnv."""
    here = str(Path(__file__).resolve().parent)
    models = Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets"
    robot = msgspec.structs.replace(load_robot(here), folder=str(models))
    return VectorEnv(load_task(here), robot, num_envs, threads=threads)
