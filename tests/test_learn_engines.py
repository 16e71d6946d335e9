"""Core and torch train alike; the core's threads change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pyembody.envs import VectorEnv
from pyembody.learn.core_engine import CoreEngine
from pyembody.learn.distributed import Group
from pyembody.learn.engine import make_engine
from pyembody.learn.launch import one_core
from pyembody.learn.learner import Learner
from pyembody.learn.run_folder import create_run, read_run
from pyembody.learn.sac import SacLearner
from pyembody.learn.sac_engine import make_sac_engine
from pyembody.learn.snapshot import load_learner, save_learner
from pyembody.learn.torch_engine import TorchEngine
from pyembody.spec import Sac, Train, load_robot, load_task
from test_learn_run import arrays

ITERATIONS = 10
ENVS = 32
ALGORITHMS = ("ppo", "sac")
COMPARED = {
    "ppo": ("reward", "kl", "policy_loss", "std", "learning_rate", "value_loss", "gradient_norm"),
    "sac": ("reward", "policy_loss", "entropy", "temperature", "value_loss", "gradient_norm"),
}


def settings(algorithm: str, engine: str) -> Train | Sac:
    """Large enough for the core to use a second thread."""
    small: dict[str, Any] = {"num_envs": ENVS, "horizon": 16, "engine": engine}
    if algorithm == "ppo":
        return Train(minibatches=2, actor_hidden=(64, 64), critic_hidden=(64, 64), **small)
    return Sac(updates=4, warmup=1, actor_hidden=(64, 64), critic_hidden=(64, 64), **small)


def learner_of(algorithm: str, task_name: str, robot: str, engine: str, threads: int) -> Learner | SacLearner:
    config, task = settings(algorithm, engine), load_task(task_name)
    env = VectorEnv(task, load_robot(robot), ENVS, seed=0, threads=threads)
    env.reset(options={"stagger": True})
    if isinstance(config, Train):
        learner = Learner(env, task, config, 0, Group())
        learner.engine = make_engine(config, learner.networks, threads, ENVS)
        return learner
    soft = SacLearner(env, task, config, 0, Group())
    soft.engine = make_sac_engine(engine, soft.networks, threads)
    return soft


def flats(learner: Learner | SacLearner) -> list[torch.Tensor]:
    """All parameters that gradients move."""
    networks = learner.networks
    return [networks.flat] if isinstance(learner, Learner) else [networks.actor_flat, networks.critic_flat]


def without_times(metrics: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in metrics.items() if k not in ("time", "steps_per_second")}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_engines_agree_over_the_first_ten_iterations_of_a_training(algorithm: str) -> None:
    # a robot without contacts, which would magnify what float32 rounds
    mine, theirs = (learner_of(algorithm, "balance", "cartpole", engine, 1) for engine in ("core", "torch"))
    starts = [flat.clone() for flat in flats(mine)]
    for _ in range(ITERATIONS):
        with one_core(None):
            ours, reference = mine.iterate(), theirs.iterate()
        for name in COMPARED[algorithm]:
            assert ours[name] == pytest.approx(reference[name], rel=1e-3, abs=1e-5), name
    for flat, start, other in zip(flats(mine), starts, flats(theirs), strict=True):
        assert float((flat - start).abs().max()) > 0.02
        torch.testing.assert_close(flat, other, rtol=0, atol=2e-5)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_threads_change_no_bit_of_a_training(algorithm: str) -> None:
    one, two = (learner_of(algorithm, "velocity", "go2", "core", threads) for threads in (1, 2))
    for _ in range(3):
        assert without_times(one.iterate()) == without_times(two.iterate())
    for mine, theirs in zip(flats(one), flats(two), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("engines", [("core", "torch"), ("torch", "core")])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_checkpoint_of_one_engine_goes_on_with_the_other(
    algorithm: str, engines: tuple[str, str], tmp_path: Path
) -> None:
    first, second = (learner_of(algorithm, "balance", "cartpole", engine, 1) for engine in engines)
    run = create_run(first.env.task, first.env.robot, first.config, 0, (), tmp_path)
    spec = read_run(run)
    for _ in range(2):
        first.iterate()
    folder = save_learner(run, spec, first, 0.0, 1.0)
    saved, digests = arrays(run), (folder / "meta.json").read_bytes()
    assert load_learner(run, spec, second) == 1.0
    for mine, theirs in zip(flats(first), flats(second), strict=True):
        assert torch.equal(mine, theirs)
    assert (save_learner(run, spec, second, 0.0, 1.0) / "meta.json").read_bytes() == digests
    for name, array in arrays(run).items():
        np.testing.assert_array_equal(array, saved[name], err_msg=name)
    ours, reference = first.iterate(), second.iterate()
    for name in COMPARED[algorithm]:
        assert ours[name] == pytest.approx(reference[name], rel=1e-3, abs=1e-5), name


def test_the_core_computes_unless_torch_is_asked_for() -> None:
    networks = learner_of("ppo", "balance", "cartpole", "auto", 1).networks
    for name, kind in (("auto", CoreEngine), ("core", CoreEngine), ("torch", TorchEngine)):
        assert isinstance(make_engine(Train(engine=name), networks, 1, ENVS), kind)
