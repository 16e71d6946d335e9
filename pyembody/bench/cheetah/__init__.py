"""The half cheetah of Gymnasium as a robot and a task of pyembody, and Stable-Baselines3's settings of PPO for it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gymnasium
import msgspec

from ...envs.quiet import quiet
from ...spec import Robot, Task, Train, load_robot, load_task

NAME = "HalfCheetah-v5"


@contextmanager
def quiet_model() -> Iterator[None]:
    """Silence what MuJoCo warns of in Gymnasium's model file, an attribute that a later version drops."""
    with quiet(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "compiler attribute 'settotalmass'")
        yield


def cheetah_robot() -> Robot:
    """Return the robot, whose model file is the one that the installed gymnasium carries."""
    models = Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets"
    return msgspec.structs.replace(load_robot(str(_here())), model=str(models / "half_cheetah.xml"))


def cheetah_task() -> Task:
    """Return HalfCheetah-v5's reward and observations as a task."""
    return load_task(str(_here()))


def cheetah_train(num_envs: int, samples: int) -> Train:
    """Return the defaults of Stable-Baselines3's PPO: minibatches of 64 rows, 10 epochs, a fixed rate."""
    return Train(
        num_envs=num_envs,
        horizon=samples // num_envs,
        epochs=10,
        minibatches=samples // 64,
        learning_rate=3e-4,
        kl_target=0.0,
        clip=0.2,
        entropy=0.0,
        value_weight=0.5,
        max_grad_norm=0.5,
        actor_hidden=(64, 64),
        critic_hidden=(64, 64),
        activation="tanh",
        initial_std=1.0,
        checkpoint_every=10**6,
    )


def _here() -> Path:
    return Path(__file__).resolve().parent
