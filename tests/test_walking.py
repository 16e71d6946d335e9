"""The whole path, whole: from nothing to a robot that walks. Minutes long: `pytest -m long`."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyembody import spec
from pyembody.analysis import evaluate
from pyembody.envs import make_vec
from pyembody.learn import create_run, load_policy, train


@pytest.mark.long
def test_go2_learns_to_follow_commands_on_lifted_feet(tmp_path: Path) -> None:
    run = create_run(
        spec.load_task("velocity"), spec.load_robot("go2"), spec.load_train("velocity"), seed=0, out=tmp_path
    )
    train(run, progress=False)
    found = evaluate(make_vec(num_envs=200), load_policy(run), 200, (1000,), controls=False)
    assert found.metrics["linear_velocity_error"].mean <= 0.10
    assert found.metrics["yaw_rate_error"].mean <= 0.10
    assert found.fall_rate.rate <= 0.02
    assert found.gait is not None and found.gait.clear_swings.rate >= 0.8


def test_the_small_robot_learns_to_balance(tmp_path: Path) -> None:
    run = create_run(
        spec.load_task("balance"), spec.load_robot("cartpole"), spec.load_train("balance"), seed=0, out=tmp_path
    )
    train(run, progress=False)
    found = evaluate(make_vec("balance", "cartpole", 50), load_policy(run), 50, (1000,))
    assert found.success.rate >= 0.95
    assert found.controls["zero"].success.rate <= 0.2
