"""Policies with memory: the same states whether stepped or learnt from, ended with episodes, saved and loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from pyembody.analysis import evaluate
from pyembody.envs import VectorEnv
from pyembody.learn import checkpoint, create_run, load_policy, train
from pyembody.learn.distributed import Group
from pyembody.learn.engine import make_engine
from pyembody.learn.gru import Gru
from pyembody.learn.learner import Learner
from pyembody.learn.recurrent import GroupedGRU
from pyembody.learn.recurrent_engine import RecurrentEngine
from pyembody.spec import SpecError, load_robot, load_task, load_train
from test_learn_toy import PointMass, toy_robot, toy_task, toy_train


class Hidden(PointMass):
    """The point mass without its velocity."""

    def __init__(self, num_envs: int = 64, seed: int = 0) -> None:
        super().__init__(num_envs, seed)
        self.places = np.zeros((num_envs, 1), np.float32)
        self.observations, self.full = self.places, self.observations
        self.critic_observations = self.observations
        self.final_observations = self.final_critic_observations = np.zeros_like(self.places)

    def step(self, actions: np.ndarray) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """As the point mass does, with the place alone to see."""
        self.observations, self.final_observations = self.full, np.zeros_like(self.full)
        _, rewards, terminated, truncated, info = super().step(actions)
        finals, self.final_observations = self.final_observations, self.final_critic_observations
        self.final_observations[:] = finals[:, :1]
        self.places[:] = self.full[:, :1]
        self.observations = self.places
        return self.observations.copy(), rewards, terminated, truncated, info

    def _start(self, rows: np.ndarray) -> None:
        shown, self.observations = self.observations, getattr(self, "full", self.observations)
        super()._start(rows)
        self.observations = shown
        self.places[:] = self.full[:, :1]


def hidden(_spec: Any, envs: int, _threads: int, first: int) -> Hidden:
    return Hidden(envs, seed=first)


def learner(envs: int = 12, **changes: Any) -> Learner:
    env = Hidden(envs)
    env.reset(options={"stagger": True})
    settings = {"num_envs": envs, "memory": 8, "horizon": 24} | changes
    return Learner(env, toy_task(), toy_train(**settings), 0, Group())


def test_the_unit_is_torchs_and_its_numpy_twin_agrees() -> None:
    mine = GroupedGRU(2, 3, 5, torch.Generator().manual_seed(0))
    with torch.no_grad():
        mine.input_biases.normal_()
        mine.hidden_biases.normal_()
    rows = torch.randn(6, 4, 3)
    states = mine(rows, torch.zeros(2, 4, 5), torch.zeros(6, 4, dtype=torch.bool))
    arrays = {f"memory.{n}": p.detach().numpy() for n, p in mine.named_parameters()}
    twin = Gru(arrays, "memory", "here")
    for group in range(2):
        cell = torch.nn.GRUCell(3, 5)
        with torch.no_grad():
            for theirs, name in (("ih", "input"), ("hh", "hidden")):
                getattr(cell, f"weight_{theirs}").copy_(getattr(mine, f"{name}_weights")[group].t())
                getattr(cell, f"bias_{theirs}").copy_(getattr(mine, f"{name}_biases")[group, 0])
        state = torch.zeros(4, 5)
        for t in range(6):
            state = cell(rows[t], state)
            torch.testing.assert_close(states[t, group], state, rtol=1e-5, atol=1e-6)
    for t in range(6):
        found = twin(rows[t].numpy())
        np.testing.assert_allclose(found[..., :5], states[t].detach(), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(found[1, :, 5:], rows[t])
    with pytest.raises(SpecError, match="here: expected an array 'memory.hidden_weights', found none"):
        Gru({k: v for k, v in arrays.items() if k != "memory.hidden_weights"}, "memory", "here")


def test_a_horizon_is_learnt_from_with_the_states_it_was_collected_with() -> None:
    mine = learner()
    mine.iterate()  # from here on episodes go on from one horizon into the next
    mine.collector.collect(mine.engine, mine.normaliser, mine.generator)
    assert 0 < mine.rollout.truncated.sum() < 12 * 24
    mine._targets()
    batch = mine._batch()
    for index in mine.engine.minibatches(batch, mine.config, mine.generator):
        mine.engine.gradients(batch, index, mine.config)
        # the same means: neither KL nor, with the normalised advantages' mean, a ratio other than 1
        assert mine.networks.statistics[0].item() == pytest.approx(0.0, abs=1e-7)
        expected = -batch.advantages[index].mean().item()
        assert mine.networks.statistics[1].item() == pytest.approx(expected, abs=1e-5)
    assert mine.networks.actor_grads.abs().sum() > 0 and (mine.networks.critic_grads.abs().sum(1) > 0).all()


def test_values_remember_their_own_episode_and_true_successors_the_one_that_ended() -> None:
    mine = learner()
    mine.iterate()
    engine, rollout, networks = mine.engine, mine.rollout, mine.networks
    assert isinstance(engine, RecurrentEngine) and networks.critic_memory is not None
    state = engine.state()["critic_state"].clone()
    mine.collector.collect(engine, mine.normaliser, mine.generator)
    with torch.inference_mode():
        mine._evaluate_critics()
        rows = rollout.critic.normalised
        ended = torch.from_numpy(rollout.terminated | rollout.truncated)
        bootstrapped, finals = rollout.bootstrapped, iter(np.concatenate(rollout.critic.finals))
        for t in range(rollout.horizon):
            seen = networks.critic_memory(rows[t : t + 1], state, torch.zeros(1, 12, dtype=torch.bool))[0]
            values = networks.by_channel(networks.critic(torch.cat([seen, rows[t].expand(2, -1, -1)], -1)))
            np.testing.assert_allclose(mine.value_normaliser.denormalise(values), rollout.values[t], atol=1e-5)
            for n in np.flatnonzero(bootstrapped[t]):
                final = torch.from_numpy(next(finals)).view(1, 1, -1)
                final = mine.normaliser(final, out=torch.empty_like(final))
                after = networks.critic_memory(final, seen[:, n : n + 1], torch.zeros(1, 1, dtype=torch.bool))[0]
                value = networks.by_channel(networks.critic(torch.cat([after, final[0].expand(2, -1, -1)], -1)))
                expected = mine.value_normaliser.denormalise(value)[0]
                np.testing.assert_allclose(rollout.next_values[t, n], expected, atol=1e-5)
            state = seen * (~ended[t]).unsqueeze(-1)
    torch.testing.assert_close(engine.state()["critic_state"], state, rtol=1e-5, atol=1e-6)


def test_a_loaded_policy_acts_as_the_one_in_training_did(tmp_path: Path) -> None:
    run = create_run(toy_task(), toy_robot(), toy_train(num_envs=12, memory=8), 0, (), tmp_path)
    train(run, iterations=2, progress=False, make_env=hidden)
    policy, env = load_policy(run), Hidden(12, seed=5)
    env.reset(options={"stagger": True})
    mine = learner()
    arrays = {k: torch.from_numpy(v.copy()) for k, v in checkpoint.load(checkpoint.latest(run), 0)[1].items()}
    for name, parameter in mine.networks.parameters().items():
        parameter.copy_(arrays[name])
    mine.normaliser.load({k: arrays[f"observations.{k}"] for k in ("count", "mean", "var")})
    for _ in range(30):
        rows = torch.from_numpy(env.observations.copy())
        with torch.inference_mode():
            expected = mine.engine.mean(mine.normaliser(rows, out=torch.empty_like(rows)))
        actions = policy(env.observations)
        np.testing.assert_allclose(actions, expected, atol=1e-5)
        _, _, terminated, truncated, _ = env.step(actions)
        mine.engine.forget(terminated | truncated)
        policy.forget(terminated | truncated)
    with pytest.raises(ValueError, match="without memory"):
        policy.to_torch()
    fresh = load_policy(run)
    policy.forget()
    np.testing.assert_array_equal(policy(env.observations), fresh(env.observations))


def test_memory_is_torchs_alone() -> None:
    networks = learner().networks
    config = toy_train(memory=8)
    assert isinstance(make_engine(config, networks, 1, 12), RecurrentEngine)
    with pytest.raises(SpecError, match="engine: 'core' does not have memory = 8: expected engine 'torch' or 'auto'"):
        make_engine(msgspec.structs.replace(config, engine="core"), networks, 1, 12)


def earned(tmp_path: Path, **changes: Any) -> float:
    """Reward of 40 steps from random starts, of which the velocity cannot be seen."""
    settings = {"iterations": 30, "horizon": 40, "minibatches": 2} | changes
    run = create_run(toy_task(), toy_robot(), toy_train(**settings), 0, (), tmp_path)
    train(run, progress=False, make_env=hidden)
    policy, env = load_policy(run), Hidden(256, seed=9)
    env.reset()
    return sum(float(env.step(policy(env.observations))[1].mean()) for _ in range(40))


def test_memory_finds_a_velocity_that_cannot_be_seen(tmp_path: Path) -> None:
    # 0.9 for doing nothing, 4.0 at rest in the middle
    assert earned(tmp_path, memory=32) > 1.5 and earned(tmp_path) < 1.2


@pytest.mark.long
def test_the_pole_is_balanced_from_positions_alone_with_memory_only(tmp_path: Path) -> None:
    found = {}
    task, robot = load_task("balance", "hidden"), load_robot("cartpole")
    for memory in (32, 0):
        config = msgspec.structs.replace(load_train("balance", "hidden"), memory=memory)
        run = create_run(task, robot, config, 0, out=tmp_path)
        train(run, progress=False)
        found[memory] = evaluate(VectorEnv(task, robot, 64), load_policy(run), 64, controls=False)
    assert found[32].episode_length.mean > 9.5 and found[0].episode_length.mean < 8.5
    assert found[32].success.rate > 0.2 and found[0].success.rate < 0.05
