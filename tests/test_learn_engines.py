"""Core and torch train alike; the core's threads change nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pyembody.envs import VectorEnv
from pyembody.learn.core_engine import CoreEngine
from pyembody.learn.distributed import Group
from pyembody.learn.engine import make_engine
from pyembody.learn.launch import one_core
from pyembody.learn.learner import Learner
from pyembody.learn.torch_engine import TorchEngine
from pyembody.spec import Train, load_robot, load_task

ITERATIONS = 10
ENVS = 32


def learner_of(task_name: str, robot: str, engine: str, threads: int) -> Learner:
    # large enough for the core to use a second thread
    config = Train(
        num_envs=ENVS, horizon=16, minibatches=2, actor_hidden=(64, 64), critic_hidden=(64, 64), engine=engine
    )
    task = load_task(task_name)
    env = VectorEnv(task, load_robot(robot), ENVS, seed=0, threads=threads)
    env.reset(options={"stagger": True})
    learner = Learner(env, task, config, 0, Group())
    learner.engine = make_engine(config, learner.networks, threads, ENVS)
    return learner


def without_times(metrics: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in metrics.items() if k not in ("time", "steps_per_second")}


def test_engines_agree_over_the_first_ten_iterations_of_a_training() -> None:
    # a robot without contacts, which would magnify what float32 rounds
    mine, theirs = (learner_of("balance", "cartpole", engine, 1) for engine in ("core", "torch"))
    start = mine.networks.flat.clone()
    for _ in range(ITERATIONS):
        with one_core(None):
            ours, reference = mine.iterate(), theirs.iterate()
        for name in ("reward", "kl", "policy_loss", "std", "learning_rate", "value_loss", "gradient_norm"):
            assert ours[name] == pytest.approx(reference[name], rel=1e-3, abs=1e-5), name
    assert float((mine.networks.flat - start).abs().max()) > 0.02
    torch.testing.assert_close(mine.networks.flat, theirs.networks.flat, rtol=0, atol=2e-5)


def test_threads_change_no_bit_of_a_training() -> None:
    one, two = (learner_of("velocity", "go2", "core", threads) for threads in (1, 2))
    for _ in range(3):
        assert without_times(one.iterate()) == without_times(two.iterate())
    assert torch.equal(one.networks.flat, two.networks.flat)


def test_the_core_computes_unless_torch_is_asked_for() -> None:
    networks = learner_of("balance", "cartpole", "auto", 1).networks
    for name, kind in (("auto", CoreEngine), ("core", CoreEngine), ("torch", TorchEngine)):
        assert isinstance(make_engine(Train(engine=name), networks, 1, ENVS), kind)
