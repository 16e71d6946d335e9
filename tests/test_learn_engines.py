"""Core and torch train alike; the core's threads change nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pyembody.envs import VectorEnv
from pyembody.learn.core_engine import CoreEngine
from pyembody.learn.distributed import Group
from pyembody.learn.engine import make_engine
from pyembody.learn.learner import Learner
from pyembody.learn.torch_engine import TorchEngine
from pyembody.spec import Train, load_robot, load_task

ITERATIONS = 10
ENVS = 32


def walker(engine: str, threads: int) -> Learner:
    config = Train(
        num_envs=ENVS, horizon=16, minibatches=2, actor_hidden=(32, 32), critic_hidden=(32,), engine=engine
    )
    task = load_task("velocity")
    env = VectorEnv(task, load_robot("go2"), ENVS, seed=0, threads=threads)
    env.reset(options={"stagger": True})
    learner = Learner(env, task, config, 0, Group())
    learner.engine = make_engine(engine, learner.networks, threads)
    return learner


def without_times(metrics: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in metrics.items() if k not in ("time", "steps_per_second")}


def test_engines_agree_and_threads_change_no_bit_over_ten_iterations_of_walking() -> None:
    one, two, theirs = walker("core", 1), walker("core", 2), walker("torch", 1)
    start = one.networks.flat.clone()
    for _ in range(ITERATIONS):
        mine = one.iterate()
        assert without_times(mine) == without_times(two.iterate())
        reference = theirs.iterate()
        for name in ("reward", "kl", "policy_loss", "std", "learning_rate"):
            assert mine[name] == pytest.approx(reference[name], rel=1e-3, abs=1e-5), name
        assert mine["value_loss"] == pytest.approx(reference["value_loss"], rel=1e-3)
    assert torch.equal(one.networks.flat, two.networks.flat)
    # parameters moved by some 0.1 in between; contacts of the feet magnify what float32 rounds
    assert float((one.networks.flat - start).abs().max()) > 0.02
    torch.testing.assert_close(one.networks.flat, theirs.networks.flat, rtol=0, atol=2e-4)


def test_the_core_computes_unless_torch_is_asked_for() -> None:
    networks = walker("auto", 1).networks
    assert isinstance(make_engine("auto", networks, 1), CoreEngine)
    assert isinstance(make_engine("core", networks, 1), CoreEngine)
    assert isinstance(make_engine("torch", networks, 1), TorchEngine)
