"""Arms of critics and rewards: what each of them pays, divides and normalises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from pyembody.learn import create_run, read_metrics, resume, train
from pyembody.learn.channels import SUM, Channels
from pyembody.learn.distributed import Group
from pyembody.learn.learner import Learner
from pyembody.learn.reward_scale import ReturnStd, reward_scale
from pyembody.spec import Channel, SpecError, Task, Term, Train
from test_learn_run import without_times
from test_learn_toy import PointMass, toy_robot, toy_task, toy_train

NAMES = ("goal", "effort")


def alike() -> Task:
    """The toy's task with one discount for both channels."""
    channels = {n: msgspec.structs.replace(c, gamma=0.97) for n, c in toy_task().channels.items()}
    return msgspec.structs.replace(toy_task(), channels=channels)


def learner(task: Task | None = None, scales: tuple[float, float] = (1.0, 1.0), **changes: Any) -> Learner:
    env = PointMass(32, scales=scales)
    env.reset(options={"stagger": True})
    return Learner(env, task or alike(), toy_train(num_envs=32, **changes), 0, Group())


def test_one_critic_is_paid_the_weighted_sum() -> None:
    channels = Channels(alike(), NAMES, Train(critics="single"))
    rewards = np.array([[[1.0, 10.0], [2.0, -10.0]]], np.float32)
    assert channels.pay(rewards).flatten().tolist() == pytest.approx([4.0, -1.0])
    assert (channels.names, channels.weights.tolist(), channels.gamma.tolist()) == ((SUM,), [1.0], [np.float32(0.97)])
    separate = Channels(alike(), NAMES, Train())
    assert separate.pay(rewards) is rewards and separate.names == NAMES


def test_one_critic_asks_for_one_discount() -> None:
    with pytest.raises(SpecError, match="critics 'single': expected one gamma .* got goal 0.97, effort 0.95"):
        Channels(toy_task(), NAMES, Train(critics="single"))


def test_a_reward_floor_is_no_floor_of_deviations() -> None:
    floored = Task("t", {"policy": {"x": "0"}}, {"goal": Channel({"near": Term("0")}, floor=-3.0)})
    assert Channels(floored, ("goal",), Train(std_floor=0.2)).std_floor.tolist() == [np.float32(0.2)]


@pytest.mark.parametrize(("critics", "names"), [("single", [SUM]), ("heads", list(NAMES)), ("separate", list(NAMES))])
def test_logs_name_the_critics(critics: str, names: list[str]) -> None:
    metrics = learner(critics=critics).iterate()
    for key in ("value_loss", "explained_variance", "advantage_std", "floor_active", "share"):
        assert list(metrics[key]) == names, key
    assert list(metrics["channels"]) == list(NAMES)
    assert sum(metrics["share"].values()) == pytest.approx(1.0)


def test_without_normalisation_shares_follow_the_scale_of_rewards() -> None:
    large = (1.0, 1e4)
    assert learner(scales=large).iterate()["share"]["effort"] == pytest.approx(0.3 / 1.3, rel=1e-3)
    assert learner(scales=large, normalise=False).iterate()["share"]["effort"] > 0.9


def test_a_floor_of_deviations_acts_when_a_channel_becomes_constant() -> None:
    moments = {}
    for floor in (0.0, 0.5):
        mine = learner(std_floor=floor)
        mine.iterate()
        mine.running_std[:] = 1e3
        moments[floor] = mine.iterate()["floor_active"]
    assert moments[0.0] == {"goal": 0.0, "effort": 0.0}
    assert moments[0.5] == {"goal": 1.0, "effort": 1.0}
    # what is not normalised is divided by 1, however small its deviation is
    assert learner(scales=(1e-3, 1e-3), normalise=False).iterate()["floor_active"] == {"goal": 0.0, "effort": 0.0}


def test_rewards_are_divided_by_the_deviation_of_returns() -> None:
    rng = np.random.default_rng(0)
    rewards = rng.normal(size=(50, 40, 2)).astype(np.float32) * np.array([1.0, 1e3], np.float32)
    ended = rng.random((50, 40)) < 0.1
    gamma = np.array([0.9, 0.5])
    running, seen = np.zeros((40, 2)), []
    for reward, end in zip(rewards, ended, strict=True):
        running = running * gamma + reward
        seen.append(running.copy())
        running[end] = 0.0
    divided = rewards.copy()
    scale = ReturnStd(2, 40, gamma)
    scale(divided[:20], ended[:20], 0, Group())
    first = scale.divisor.copy()
    scale(divided[20:], ended[20:], 1, Group())
    np.testing.assert_allclose(first, np.concatenate(seen[:20]).std(axis=0), rtol=1e-9)
    np.testing.assert_allclose(scale.divisor, np.concatenate(seen).std(axis=0), rtol=1e-9)
    np.testing.assert_allclose(divided[20:], rewards[20:] / scale.divisor.astype(np.float32), rtol=1e-6)


def make(_spec: Any, envs: int, _threads: int, first: int) -> PointMass:
    return PointMass(envs, seed=first, scales=(1.0, 1e3))


def run_of(tmp_path: Path, **changes: Any) -> Path:
    return create_run(alike(), toy_robot(), toy_train(num_envs=32, **changes), 1, (), tmp_path)


def test_one_critic_can_be_paid_by_the_log_of_another_run(tmp_path: Path) -> None:
    logged = train(run_of(tmp_path), iterations=2, progress=False, make_env=make)
    follower = run_of(tmp_path, critics="single", reward_scale="log", reward_log=str(logged))
    train(follower, iterations=3, progress=False, make_env=make)
    stds = [row["advantage_std"] for row in read_metrics(logged)]
    assert [row["reward_scale"] for row in read_metrics(follower)] == [*stds, stds[-1]]
    with pytest.raises(SpecError, match="reward_log: expected the folder of a run with a metrics.jsonl, got 'nowhere'"):
        reward_scale(Train(reward_scale="log", reward_log="nowhere"), NAMES, np.ones(2), 4)
    with pytest.raises(SpecError, match="expected an advantage_std of channel 'task', found none"):
        reward_scale(Train(reward_scale="log", reward_log=str(logged)), ("task",), np.ones(1), 4)


@pytest.mark.parametrize(
    "changes",
    [
        {"critics": "single", "reward_scale": "return_std"},
        {"memory": 8},
        {"advantage": "grpo", "horizon": 40, "group": 4},
    ],
    ids=lambda c: next(iter(c)),
)
def test_every_arm_goes_on_bit_for_bit(tmp_path: Path, changes: dict[str, Any]) -> None:
    whole, parts = run_of(tmp_path, **changes), run_of(tmp_path, **changes)
    train(whole, iterations=4, progress=False, make_env=make)
    train(parts, iterations=2, progress=False, make_env=make)
    resume(parts, iterations=4, progress=False, make_env=make)
    assert without_times(whole) == without_times(parts)
