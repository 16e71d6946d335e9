"""Advantages from groups of episodes: the kernel's definition, and a learner that uses it."""

from __future__ import annotations

from itertools import combinations_with_replacement, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyembody.envs import VectorEnv
from pyembody.learn.distributed import Group
from pyembody.learn.learner import Learner
from pyembody.learn.returns_reference import group_advantages
from pyembody.spec import SpecError, load_robot, load_task
from test_learn_ppo import SOLVED, solve
from test_learn_toy import HORIZON_STEPS, PointMass, toy_task, toy_train

ONES = np.ones(2, np.float32)


@pytest.mark.parametrize(
    ("group", "channels", "count", "sums", "normals"),
    [(2, 2, 10, 2, 3), (4, 2, 35, 7, 14), (8, 2, 165, 29, 81), (4, 3, 330, 14, 45)],
)
def test_normalising_first_tells_more_groups_apart(
    group: int, channels: int, count: int, sums: int, normals: int
) -> None:
    # distinct advantages over all multisets of binary rewards
    multisets = np.array(list(combinations_with_replacement(product((0, 1), repeat=channels), group)), float)
    assert len(multisets) == count
    for order, expected in (("sum_then_normalise", sums), ("normalise_then_sum", normals)):
        found = group_advantages(multisets, np.ones(channels, np.float32), order)
        assert len({tuple(row) for row in np.sort(found, axis=1).round(6) + 0.0}) == expected


def test_orders_of_one_group_by_hand() -> None:
    rewards = np.array([[[0.0, 0.0], [1.0, 0.0], [0.0, 4.0], [1.0, 4.0]]])
    weights = np.array([2.0, 1.0], np.float32)
    # both channels have deviations of 1/2 and 2: +-1 each
    assert group_advantages(rewards, weights).tolist() == [[-3.0, 1.0, -1.0, 3.0]]
    # sums 0, 2, 4, 6: mean 3, deviation sqrt(5)
    expected = np.array([[-3.0, -1.0, 1.0, 3.0]]) / np.sqrt(5.0)
    np.testing.assert_allclose(group_advantages(rewards, weights, "sum_then_normalise"), expected)


@pytest.mark.parametrize("order", ["normalise_then_sum", "sum_then_normalise"])
def test_leaving_one_out_compares_with_the_mean_of_the_others(order: str) -> None:
    rewards = np.random.default_rng(0).normal(size=(3, 5, 2))
    others = [[np.delete(total, i).mean() for i in range(5)] for total in rewards.sum(-1)]
    np.testing.assert_allclose(group_advantages(rewards, ONES, order, "rloo"), rewards.sum(-1) - others, atol=1e-12)


def test_a_channel_that_does_not_apply_is_left_out() -> None:
    rewards = np.array([[[1.0, np.nan], [3.0, 5.0], [5.0, 5.0]]])
    alone = group_advantages(rewards[..., :1], ONES[:1])
    np.testing.assert_allclose(group_advantages(rewards, ONES), alone)
    assert np.isfinite(group_advantages(rewards, ONES, "sum_then_normalise")).all()


@pytest.mark.parametrize("changes", [{"advantage": "grpo"}, {"advantage": "rloo", "group_order": "sum_then_normalise"}])
def test_episodes_compared_with_each_other_solve_the_point_mass(tmp_path: Path, changes: dict[str, Any]) -> None:
    settings = {"horizon": HORIZON_STEPS, "iterations": 25, "value_weight": 0.0, "learning_rate": 3e-3}
    assert solve(tmp_path, (1.0, 1.0), **settings, **changes) > SOLVED


class Falls(PointMass):
    """Every third environment fails after five steps; the next episode pays a lot and must not count."""

    def step(self, actions: np.ndarray) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """As the point mass, but for these rows."""
        observations, rewards, _, truncated, info = super().step(actions)
        terminated = (self.age == 5) & (np.arange(self.num_envs) % 3 == 0)
        info["channels"][(self.age > 5) & (np.arange(self.num_envs) % 3 == 0)] = 1e6
        return observations, rewards, terminated, truncated & ~terminated, info


def test_only_the_first_episode_of_an_iteration_counts() -> None:
    env = Falls(12)
    env.reset()
    config = toy_train(num_envs=12, advantage="grpo", group=4, horizon=HORIZON_STEPS, minibatches=1, epochs=1)
    learner = Learner(env, toy_task(), config, 0, Group())
    assert learner.advantages.begin(env)
    starts = env.state.reshape(3, 4, 2)
    assert (starts == starts[:, :1]).all() and len(np.unique(starts[:, 0, 0])) == 3
    learner.collector.collect(learner.engine, learner.normaliser, learner.generator)
    learner._targets()
    batch = learner._batch()
    assert batch.chosen is not None
    seen = np.zeros((HORIZON_STEPS, 12), bool)
    seen.reshape(-1)[batch.chosen.numpy()] = True
    assert seen[:5].all() and seen[5:].any(axis=0).tolist() == [n % 3 != 0 for n in range(12)]
    combined = learner.rollout.combined.numpy()
    assert not combined[~seen].any() and (combined[:5] == combined[0]).all()
    assert combined[seen].mean() == pytest.approx(0.0, abs=1e-5)
    assert combined[seen].std() == pytest.approx(1.0, abs=1e-5)


def test_groups_need_whole_episodes_and_a_divisor() -> None:
    env = PointMass(12)
    with pytest.raises(SpecError, match="advantage 'grpo' compares whole episodes: expected at least 40 steps, got 16"):
        Learner(env, toy_task(), toy_train(num_envs=12, advantage="grpo", group=4), 0, Group())
    with pytest.raises(SpecError, match="group: expected a divisor of 12 environments, got 8"):
        Learner(env, toy_task(), toy_train(num_envs=12, advantage="grpo", horizon=40), 0, Group())


def test_a_group_of_environments_starts_in_one_state() -> None:
    env = VectorEnv(load_task("velocity", "deployable"), load_robot("go2"), 6, seed=3, threads=1)
    observations, _ = env.reset(options={"group": 3})
    state = env.state_dict()
    for name in ("physics", "command.target", "delay.steps", "push.timer"):
        first = state[name].reshape(2, 3, -1)
        assert (first == first[:, :1]).all(), name
    assert (observations[0] == observations[2]).all() and (observations[0] != observations[3]).any()
    with pytest.raises(ValueError, match="group: expected a divisor of the 6 rows that are reset, got 4"):
        env.reset(options={"group": 4})
