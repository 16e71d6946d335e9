"""A symmetric policy: by construction, by a loss, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pyembody.learn import create_run, load_policy, train
from pyembody.learn.distributed import Group
from pyembody.learn.learner import Learner
from pyembody.learn.torch_engine import TorchEngine
from pyembody.spec import SpecError, Train, convert
from test_learn_ppo import Mirrored
from test_learn_toy import PointMass, toy_robot, toy_task, toy_train

ROWS = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)


def asymmetry(tmp_path: Path, **changes: Any) -> float:
    """Train a little; return how far actions of mirrored states are from mirrored actions."""
    run = create_run(toy_task(), toy_robot(), toy_train(iterations=10, **changes), 0, (), tmp_path)
    train(run, progress=False, make_env=lambda _s, n, _t, first: Mirrored(n, seed=first))
    policy = load_policy(run)
    return float(np.abs(policy(ROWS) + policy(-ROWS)).mean())


def test_a_loss_makes_a_policy_more_symmetric_and_canonical_states_make_it_exactly_so(tmp_path: Path) -> None:
    kinds = ("canonical", "loss", "none")
    found = {kind: asymmetry(tmp_path, symmetry=kind, symmetry_weight=20.0) for kind in kinds}
    assert found["canonical"] == 0.0 < found["loss"] < 0.5 * found["none"]


def test_as_a_torch_module_a_policy_is_as_symmetric(tmp_path: Path) -> None:
    run = create_run(toy_task(), toy_robot(), toy_train(iterations=3), 0, (), tmp_path)
    train(run, progress=False, make_env=lambda _s, n, _t, first: Mirrored(n, seed=first))
    policy = load_policy(run)
    module = policy.to_torch()
    np.testing.assert_allclose(module(torch.from_numpy(ROWS)).detach(), policy(ROWS), atol=1e-5)
    assert float(np.abs(policy(ROWS)).max()) > 0.1


@pytest.mark.parametrize("kind", ["loss", "none"])
def test_without_canonical_states_the_policy_sees_what_is_there(kind: str) -> None:
    env = Mirrored(16)
    env.reset()
    learner = Learner(env, toy_task(), toy_train(num_envs=16, symmetry=kind), 0, Group())
    learner.collector.collect(learner.engine, learner.normaliser, learner.generator)
    learner._targets()
    assert (learner.rollout.policy.raw[..., 0] < 0).any()
    assert isinstance(learner.engine, TorchEngine) == (kind == "loss")
    mirrored = learner._batch().mirrored
    assert (mirrored is None) == (kind == "none")
    if mirrored is not None:  # the normaliser has seen nothing yet
        np.testing.assert_allclose(mirrored, -learner.rollout.policy.raw[:-1].reshape(-1, 2))


def test_a_loss_of_symmetry_asks_for_a_symmetry_and_for_no_memory() -> None:
    with pytest.raises(SpecError, match="symmetry: 'loss': expected a task with a \\[symmetry\\], got one without"):
        Learner(PointMass(16), toy_task(), toy_train(num_envs=16, symmetry="loss"), 0, Group())
    for settings, message in (
        ({"symmetry": "loss", "memory": 8}, "symmetry: 'loss' compares single states: expected memory 0"),
        ({"entropy_band": [1.0, 0.0]}, r"entropy_band: expected low <= high, got \[1.0, 0.0\]"),
        ({"reward_scale": "log"}, "reward_log: expected the folder of a run with reward_scale 'log'"),
    ):
        with pytest.raises(SpecError, match=f"train.toml: {message}"):
            convert(settings, Train, "train.toml")
