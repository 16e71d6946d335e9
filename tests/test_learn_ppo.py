"""The learner on small problems with known answers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pyembody import _core
from pyembody.learn import NotFiniteError, create_run, load_policy, train
from pyembody.learn.buffers import Rollout
from pyembody.learn.collect import Collector
from pyembody.learn.distributed import Group, worker_count
from pyembody.learn.learner import Learner
from pyembody.learn.networks import ActorCritic
from pyembody.learn.normaliser import ObservationNormaliser
from pyembody.learn.ppo import step, update
from pyembody.learn.symmetry import mirror_rows
from pyembody.learn.torch_engine import TorchEngine
from test_learn_toy import PointMass, toy_robot, toy_task, toy_train

FAR = 1000.0
SOLVED = 3.3
"""Reward of 40 steps from random starts: 4.0 at rest in the middle, 0.9 for doing nothing."""


class Countdown:
    """One environment of three-step episodes; observation 1, 2, 3, then a next episode that starts at FAR."""

    num_envs = 1
    channel_names = term_names = ("pay",)
    metric_names: tuple[str, ...] = ()
    control_dt = 1.0
    mirror = None
    single_action_space = SimpleNamespace(shape=(1,))

    def __init__(self) -> None:
        self.observations = np.zeros((1, 1), np.float32)
        self.critic_observations = self.observations
        self.final_observations = np.zeros((1, 1), np.float32)
        self.weighted = np.ones((1, 1), np.float32)
        self.age = 0

    def step(self, _: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        self.age += 1
        ended = self.age == 3
        self.observations[:] = self.age
        if ended:
            self.final_observations[:] = self.observations
            self.observations[:] = FAR
        info = {
            "channels": np.ones((1, 1), np.float32),
            "metrics": np.zeros((1, 0)),
            "success": np.zeros(1, np.bool_),
        }
        return self.observations, np.ones(1), np.zeros(1, np.bool_), np.array([ended]), info


def test_truncation_bootstraps_the_true_next_value() -> None:
    env = Countdown()
    rollout = Rollout(3, 1, 1, None, 1, 1, None)
    engine = TorchEngine(ActorCritic(toy_train(), 1, 1, 1, env.channel_names, 0))
    Collector(env, rollout, None).collect(engine, ObservationNormaliser(1, 10.0), torch.Generator())
    # the value of a state is ten times its observation: 10 and 20 inside, 30 at the end, never 10 000
    rollout.values.copy_(torch.from_numpy(rollout.policy.raw) * 10.0)
    rollout.fill_next_values(np.concatenate(rollout.policy.finals) * 10.0)
    assert rollout.next_values[:, 0, 0].tolist() == [10.0, 20.0, 30.0]
    half = np.array([0.5], np.float32)
    _core.gae(
        rollout.rewards,
        rollout.values[:-1].numpy(),
        rollout.next_values,
        rollout.terminated,
        rollout.truncated,
        half,
        half,
        rollout.advantages,
        rollout.returns,
    )
    # delta = 1 + V'/2 - V: 6, 1, -4; A = delta + A'/4
    assert rollout.advantages[:, 0, 0].tolist() == [6.0, 0.0, -4.0]


def solve(tmp_path: Path, scales: tuple[float, float], **changes: Any) -> float:
    run = create_run(toy_task(), toy_robot(), toy_train(**changes), 0, (), tmp_path)
    train(
        run,
        progress=False,
        make_env=lambda _s, n, _t, first: PointMass(n, seed=first, scales=scales),
    )
    policy = load_policy(run)
    env = PointMass(256, seed=9)
    env.reset()
    return sum(float(env.step(policy(env.observations))[1].mean()) for _ in range(40))


@pytest.mark.parametrize("critics", ["separate", "heads"])
def test_ppo_solves_the_point_mass(tmp_path: Path, critics: str) -> None:
    assert solve(tmp_path, (1.0, 1.0), critics=critics) > SOLVED


def test_the_scale_of_a_channel_does_not_matter(tmp_path: Path) -> None:
    assert solve(tmp_path, (1e-3, 1e3)) > SOLVED


@pytest.mark.parametrize("engine", ["core", "torch"])
def test_a_loss_that_is_not_finite_is_named_and_leaves_the_parameters(engine: str) -> None:
    env = PointMass(16)
    env.reset()
    learner = Learner(env, toy_task(), toy_train(num_envs=16, engine=engine), 0, Group())
    learner.collector.collect(learner.engine, learner.normaliser, learner.generator)
    learner._targets()
    batch = learner._batch()
    batch.targets[3, 1] = np.inf
    before = learner.networks.flat.clone()
    rows = torch.arange(len(batch.observations))
    with pytest.raises(
        NotFiniteError, match="value loss of channel 'effort', gradient of the critic of effort;"
    ):
        step(learner.engine, learner.optimiser, batch, rows, learner.config, learner.group)
    torch.testing.assert_close(learner.networks.flat, before, rtol=0, atol=0)


@pytest.mark.parametrize("engine", ["core", "torch"])
def test_the_minibatch_of_a_loss_that_is_not_finite_is_named(engine: str) -> None:
    env = PointMass(16)
    env.reset()
    config = toy_train(num_envs=16, engine=engine, epochs=1, minibatches=4)
    learner = Learner(env, toy_task(), config, 0, Group())
    learner.collector.collect(learner.engine, learner.normaliser, learner.generator)
    learner._targets()
    batch = learner._batch()
    order = torch.randperm(len(batch.observations), generator=torch.Generator().manual_seed(3))
    batch.targets[order.tensor_split(4)[2][0], 0] = np.nan
    generator = torch.Generator().manual_seed(3)
    wanted = r"minibatch 3 of 4, epoch 1 of 1: not finite: value loss of channel '\w+', gradient of the critic of"
    with pytest.raises(NotFiniteError, match=wanted):
        update(learner.engine, learner.optimiser, batch, config, generator, learner.group)
    assert torch.isfinite(learner.networks.flat).all()
    assert all(torch.isfinite(x).all() for x in learner.optimiser.state().values())


def test_weight_decay_shrinks_the_parameters() -> None:
    sizes = []
    for decay in (0.0, 5.0):
        env = PointMass(16)
        env.reset()
        config = toy_train(num_envs=16, weight_decay=decay, kl_target=0.0)
        learner = Learner(env, toy_task(), config, 0, Group())
        for _ in range(3):
            learner.iterate()
        sizes.append(float(learner.networks.flat.norm()))
    steps = 3 * config.epochs * config.minibatches
    assert sizes[1] / sizes[0] == pytest.approx((1 - 5.0 * config.learning_rate) ** steps, rel=0.05)


def test_environments_are_shared_out_evenly() -> None:
    assert worker_count(256, 2) == 2
    assert worker_count(256, 64) == 8
    assert worker_count(33, 2) == 1
    assert worker_count(90, 2, 3) == 3
    with pytest.raises(ValueError, match="workers: expected a divisor of num_envs = 256, got 3"):
        worker_count(256, 2, 3)


class Mirrored(PointMass):
    """The same point mass, whose left half is only ever seen as the right half."""

    mirror = SimpleNamespace(
        obs_index=np.array([0, 1]),
        obs_sign=np.array([-1, -1], np.float32),
        critic_index=np.array([0, 1]),
        critic_sign=np.array([-1, -1], np.float32),
        action_index=np.array([0]),
        action_sign=np.array([-1], np.float32),
        clock=0,
        flag=lambda obs: obs[:, 0] < 0,
    )


def test_policy_and_critics_only_see_canonical_states(tmp_path: Path) -> None:
    env = Mirrored(16)
    env.reset()
    learner = Learner(env, toy_task(), toy_train(num_envs=16), 0, Group())
    learner.iterate()
    raw = learner.rollout.policy.raw
    assert (raw[..., 0] >= 0).all() and (env.observations[:, 0] < 0).any()
    run = create_run(toy_task(), toy_robot(), toy_train(iterations=2), 0, (), tmp_path)
    train(run, progress=False, make_env=lambda _s, n, _t, first: Mirrored(n, seed=first))
    rows = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    policy = load_policy(run)
    np.testing.assert_array_equal(policy(rows), -policy(-rows))


def test_mirroring_twice_is_nothing() -> None:
    rows = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    index, sign = np.array([1, 0, 2]), np.array([1, 1, -1], np.float32)
    twice = rows.copy()
    flags = np.array([True, False, True, True, False])
    mirror_rows(twice, flags, index, sign)
    assert not np.array_equal(twice, rows)
    mirror_rows(twice, flags, index, sign)
    np.testing.assert_array_equal(twice, rows)


class Privileged(PointMass):
    """Critics see one number more than the policy."""

    def __init__(self, num_envs: int, seed: int = 0) -> None:
        super().__init__(num_envs, seed)
        self.critic_observations = np.zeros((num_envs, 3), np.float32)
        self.final_critic_observations = np.zeros((num_envs, 3), np.float32)

    def step(self, actions: np.ndarray) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        result = super().step(actions)
        self.critic_observations[:, :2] = self.observations
        self.final_critic_observations[:, :2] = self.final_observations
        return result


def test_critics_may_see_more_than_the_policy(tmp_path: Path) -> None:
    run = create_run(toy_task(), toy_robot(), toy_train(), 0, (), tmp_path)
    train(run, progress=False, make_env=lambda _s, n, _t, first: Privileged(n, seed=first))
    assert load_policy(run).observation_size == 2
