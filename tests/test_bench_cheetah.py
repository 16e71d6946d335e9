"""The half cheetah of the benchmarks is Gymnasium's: the same states, observations and rewards."""

from __future__ import annotations

import importlib.util
import sys
import types

import gymnasium
import numpy as np
import pytest

from pyembody.bench.cheetah import NAME, cheetah_robot, cheetah_task, cheetah_train, quiet_model
from pyembody.envs import VectorEnv

STEPS = 20


def test_it_steps_and_pays_as_gymnasiums_does(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("imageio") is None:  # Gymnasium imports it to write pictures
        monkeypatch.setitem(sys.modules, "imageio", types.ModuleType("imageio"))
    with quiet_model():
        env = VectorEnv(cheetah_task(), cheetah_robot(), 1, threads=1)
        theirs = gymnasium.make(NAME).unwrapped
    env.reset(seed=0)
    theirs.reset(seed=0)
    theirs.set_state(env.batch.bind("qpos")[0].copy(), env.batch.bind("qvel")[0].copy())
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        action = rng.uniform(-1.0, 1.0, (1, 6)).astype(np.float32)
        observation, reward, *_ = env.step(action)
        wanted, paid, *_ = theirs.step(action[0].astype(np.float64))
        np.testing.assert_allclose(np.sort(observation[0]), np.sort(wanted), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(reward[0], paid, rtol=1e-4, atol=1e-4)


def test_its_episodes_are_as_long_and_its_minibatches_as_small() -> None:
    config = cheetah_train(8, 2048)
    assert config.num_envs * config.horizon // config.minibatches == 64
    task = cheetah_task()
    steps = task.episode.length_s / cheetah_robot().control.control_dt
    assert steps == gymnasium.spec(NAME).max_episode_steps
