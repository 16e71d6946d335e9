"""Soft actor-critic: replay, targets, engines, and small problems with known answers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

from pyembody.learn import NotFiniteError, checkpoint, create_run, load_policy, read_metrics, read_run, resume, train
from pyembody.learn.buffers import Rollout
from pyembody.learn.distributed import Group
from pyembody.learn.replay import Replay
from pyembody.learn.sac import SacLearner
from pyembody.learn.sac_core_engine import CoreSacEngine
from pyembody.learn.sac_engine import TorchSacEngine
from pyembody.learn.sac_losses import least, raw_spread, spread, squash
from pyembody.learn.sac_networks import SacNetworks
from pyembody.learn.snapshot import load_learner
from pyembody.spec import Sac, SpecError, Train, load_learning, load_sac, load_train
from test_learn_run import Poisoned, arrays, toy, without_times
from test_learn_toy import DT, PointMass, toy_robot, toy_task

SOLVED = 3.3
"""Reward of 40 steps from random starts: 4.0 at rest in the middle, 0.9 for doing nothing."""


def sac(**changes: Any) -> Sac:
    """Small settings that solve the toy in a few seconds."""
    small: dict[str, Any] = {
        "num_envs": 16, "horizon": 8, "iterations": 60, "updates": 16, "minibatch": 128, "warmup": 256,
        "actor_hidden": (32, 32), "critic_hidden": (32, 32), "action_range": 2.0, "checkpoint_every": 1000,
    }  # fmt: skip
    return Sac(**small | changes)


def new_run(out: Path, **changes: Any) -> Path:
    return create_run(toy_task(), toy_robot(), sac(**changes), 1, (), out)


def rollout_of(t: int, envs: int, rewards: list[list[float]], ends: dict[tuple[int, int], str]) -> Rollout:
    """Observation of step s is s; a truncated row ends at 100 + s, the next episode begins at 1000."""
    rollout = Rollout(t, envs, 1, None, 1, 1, None)
    rollout.policy.raw[:, :, 0] = np.arange(t + 1)[:, None]
    rollout.rewards[:, :, 0] = rewards
    for (step, env), kind in sorted(ends.items()):
        getattr(rollout, kind)[step, env] = True
        rollout.policy.raw[step + 1, env] = 1000.0
        if kind == "truncated":
            rollout.policy.store_finals(np.full((1, 1), 100.0 + step, np.float32), None)
    return rollout


def drawn_by_start(replay: Replay, steps: int, dead: float = 0.0) -> dict[float, tuple[float, float, float]]:
    """(reward, discount, successor) by observation."""
    drawn = replay.sample(400, steps, torch.tensor([0.5]), torch.Generator().manual_seed(0), torch.tensor([dead]))
    columns = (drawn.observations, drawn.rewards, drawn.discount, drawn.successors)
    return {row[0]: (row[1], row[2], row[3]) for row in torch.cat(columns, 1).tolist()}


def test_n_step_targets_stop_at_the_end_of_an_episode_and_of_the_replay() -> None:
    rollout = rollout_of(4, 1, [[1.0], [2.0], [4.0], [8.0]], {})
    replay = Replay(4, rollout)
    replay.add(rollout)
    assert drawn_by_start(replay, 3) == {
        0.0: (1 + 2 / 2 + 4 / 4, 0.125, 3.0),
        1.0: (2 + 4 / 2 + 8 / 4, 0.125, 4.0),
        2.0: (4 + 8 / 2, 0.25, 4.0),
        3.0: (8.0, 0.5, 4.0),
    }


def test_truncated_steps_bootstrap_from_the_true_successor_and_terminated_ones_not_at_all() -> None:
    rollout = rollout_of(4, 1, [[1.0], [2.0], [4.0], [8.0]], {(1, 0): "truncated", (3, 0): "terminated"})
    rollout.policy.raw[2, 0] = 2.0
    replay = Replay(4, rollout)
    replay.add(rollout)
    drawn = drawn_by_start(replay, 3)
    assert drawn[0.0] == (1 + 2 / 2, 0.25, 101.0)
    assert drawn[1.0] == (2.0, 0.5, 101.0)
    assert drawn[2.0][:2] == (4 + 8 / 2, 0.0) and drawn[3.0][:2] == (8.0, 0.0)


def test_what_comes_after_a_termination_is_worth_what_being_dead_is() -> None:
    rollout = rollout_of(4, 1, [[1.0], [2.0], [4.0], [8.0]], {(1, 0): "truncated", (3, 0): "terminated"})
    replay = Replay(4, rollout)
    replay.add(rollout)
    drawn = drawn_by_start(replay, 3, dead=-16.0)
    assert drawn[0.0][:2] == (1 + 2 / 2, 0.25)
    assert drawn[3.0][:2] == (8 - 16 / 2, 0.0)
    mean, std = replay.reward_moments()[:, 0].tolist()
    assert mean == pytest.approx(7 / 3) and std == pytest.approx(math.sqrt(21 / 3 - 49 / 9))


def test_a_full_replay_forgets_the_oldest_iteration() -> None:
    replay = Replay(4, rollout_of(2, 2, [[0, 0]] * 2, {}))
    for k in range(3):
        rollout = rollout_of(2, 2, [[float(k), float(k)]] * 2, {})
        rollout.policy.raw += 10.0 * k
        replay.add(rollout)
    assert replay.capacity == 2 and replay.filled == 2
    assert set(drawn_by_start(replay, 2)) == {20.0, 21.0}


def test_n_steps_go_on_across_the_seam_of_the_ring() -> None:
    replay = Replay(4, rollout_of(2, 1, [[0.0]] * 2, {}))
    for k in range(3):
        rollout = rollout_of(2, 1, [[2.0 * k], [2.0 * k + 1]], {})
        rollout.policy.raw += 2.0 * k
        replay.add(rollout)
    assert drawn_by_start(replay, 2)[3.0] == (3 + 4 / 2, 0.25, 5.0)


def test_squashed_log_density_is_that_of_torch() -> None:
    g = torch.Generator().manual_seed(0)
    outputs, noise = torch.randn(64, 6, generator=g).double(), torch.randn(64, 3, generator=g).double()
    mean, log_std = outputs[:, :3], spread(outputs[:, 3:])
    actions, log_probs = squash(outputs, noise)
    reference = TransformedDistribution(Normal(mean, log_std.exp()), [TanhTransform(cache_size=1)])
    known = reference.transforms[0](mean + log_std.exp() * noise)  # remembers its argument: no inverse of a 1.0
    torch.testing.assert_close(actions, known)
    torch.testing.assert_close(log_probs, reference.log_prob(known).sum(1))
    assert spread(torch.tensor(raw_spread(math.log(0.3)))).exp().item() == pytest.approx(0.3, rel=1e-5)


@given(
    st.integers(1, 3), st.integers(1, 9), st.integers(1, 4), st.integers(1, 70), st.booleans(), st.integers(0, 99)
)
@settings(max_examples=8, deadline=None)
def test_core_and_torch_agree(channels: int, width: int, actions: int, rows: int, norm: bool, seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    names = [f"c{i}" for i in range(channels)]
    networks = SacNetworks(sac(layer_norm=norm), width, width + 1, actions, names, seed)
    networks.critic_flat += 0.1 * torch.randn(networks.critic_flat.shape, generator=g)
    networks.target_flat += 0.1 * torch.randn(networks.target_flat.shape, generator=g)
    seen, critic_seen = torch.randn(rows, width, generator=g), torch.randn(rows, width + 1, generator=g)
    noise, rewards = torch.randn(rows, actions, generator=g), torch.randn(rows, channels, generator=g)
    weights = torch.rand(channels, generator=g)
    found = []
    for engine in (TorchSacEngine(networks), CoreSacEngine(networks, 2)):
        targets = engine.targets(seen, critic_seen, noise, rewards, rewards.abs())
        engine.critic_gradients(critic_seen, torch.tanh(noise), targets)
        engine.actor_gradients(seen, critic_seen, noise, weights)
        found.append((targets, networks.critic_message.clone(), networks.actor_message.clone()))
    for reference, core in zip(*found, strict=True):
        torch.testing.assert_close(core, reference, rtol=1e-4, atol=2e-5 * float(reference.abs().max()))


def test_values_stay_what_they_were_when_their_units_change() -> None:
    networks = SacNetworks(sac(), 2, 2, 1, ("a", "b"), 0)
    inputs = torch.randn(5, 3)
    before = [n(inputs)[:, :, 0].clone() for n in (networks.critic, networks.target)]
    networks.rescale_values(torch.tensor([2.0, 0.5]).double(), torch.tensor([1.0, -3.0]).double())
    for network, old in zip((networks.critic, networks.target), before, strict=True):
        ratio, shift = torch.tensor([[2.0], [2.0], [0.5], [0.5]]), torch.tensor([[1.0], [1.0], [-3.0], [-3.0]])
        torch.testing.assert_close(network(inputs)[:, :, 0], old * ratio + shift)


def test_values_weigh_relative_to_their_size_not_their_spread() -> None:
    """A channel that always costs 2, give or take 0.1, gains no more from dying than its weight."""
    env = PointMass(16)
    learner = SacLearner(env, toy_task(), sac(), 0, Group())
    normaliser = learner.value_normaliser
    mean, square = torch.tensor([1.0, -2.0]), torch.tensor([2.0, 4.01])
    normaliser.load({"count": torch.tensor(9.0), "mean": mean, "square": square})
    ended = normaliser.normalise(torch.zeros(2))  # what the critics say of a state without a future
    usual = normaliser.normalise(normaliser.mean)
    gain = learner._weights() * (ended - usual)
    torch.testing.assert_close(gain, torch.tensor([-1.0 / 2.0**0.5, 0.3 * 2.0 / 4.01**0.5]), rtol=1e-4, atol=1e-5)


def test_being_dead_is_as_bad_as_bad_living_whatever_living_costs() -> None:
    """Steps that cost 1 to 3, then a termination that costs 9: `death` deviations below the mean of the former."""
    learner = SacLearner(PointMass(1), toy_task(), sac(num_envs=1, horizon=5, death=2.0), 0, Group())
    learner.rollout.rewards[:, 0, 0] = (-1.0, -3.0, -1.0, -3.0, -9.0)
    learner.rollout.rewards[:, 0, 1] = (-5.0, -6.0, -5.0, -6.0, -9.0)
    learner.rollout.terminated[4] = True
    learner.replay.add(learner.rollout)
    torch.testing.assert_close(learner._dead(), torch.tensor([-4.0 / 0.03, -6.5 / 0.05]))


def test_a_gamma_of_the_settings_is_that_of_all_channels() -> None:
    gammas = [SacLearner(PointMass(1), toy_task(), sac(gamma=g), 0, Group()).gamma.tolist() for g in (None, 0.5)]
    assert gammas == [pytest.approx([0.97, 0.95]), [0.5, 0.5]]


def deaths_of_tenants(out: Path, death: float | None) -> float:
    """Share of episodes that a policy ends itself where every place costs more than it pays."""
    run = new_run(out, death=death, iterations=40)
    train(run, progress=False, make_env=lambda _s, n, _t, f: Tenants(n, seed=f))
    env, policy = Tenants(256, seed=9), load_policy(run)
    observations, _ = env.reset()
    died = np.zeros(env.num_envs, np.bool_)
    for _ in range(env.max_steps - 1):
        observations, _, terminated, _, _ = env.step(policy(observations))
        died |= terminated
    return float(died.mean())


class Tenants(PointMass):
    """The point mass pays rent."""

    def step(self, actions: np.ndarray) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step, and charge 20 times what the best place pays."""
        *found, info = super().step(actions)
        info["channels"][:, 0] -= 20.0 * DT
        return *found, info  # type: ignore[return-value]


def test_a_policy_flees_into_death_where_living_costs_unless_being_dead_costs_too(tmp_path: Path) -> None:
    assert deaths_of_tenants(tmp_path, None) > 0.3
    assert deaths_of_tenants(tmp_path, 1.0) < 0.05


def test_the_toy_is_solved_whatever_the_scale_of_its_rewards(tmp_path: Path) -> None:
    scales = (1000.0, 0.01)
    task = toy_task()
    run = create_run(task, toy_robot(), sac(), 3, (), tmp_path)
    train(run, progress=False, make_env=lambda _s, n, _t, f: PointMass(n, seed=f, scales=scales))
    assert score(load_policy(run)) > SOLVED


def score(policy: Any) -> float:
    env = PointMass(256, seed=9)
    observations, _ = env.reset()
    paid = np.zeros(env.num_envs)
    for _ in range(env.max_steps):
        observations, _, _, _, info = env.step(policy(observations))
        paid += info["channels"][:, 0]
    return float(paid.mean())


def test_going_on_from_a_checkpoint_gives_the_same_bits(tmp_path: Path) -> None:
    whole, parts = new_run(tmp_path, replay=512), new_run(tmp_path, replay=512)
    train(whole, iterations=8, progress=False, make_env=toy)
    train(parts, iterations=3, progress=False, make_env=toy)
    resume(parts, iterations=8, progress=False, make_env=toy)
    assert without_times(whole) == without_times(parts)
    first, second = arrays(whole), arrays(parts)
    assert first.keys() == second.keys() and "replay.rewards" in first
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


@pytest.mark.parametrize("layer_norm", [True, False])
def test_a_loaded_policy_acts_as_the_learner_does_and_knows_its_values(tmp_path: Path, layer_norm: bool) -> None:
    run = new_run(tmp_path, layer_norm=layer_norm)
    train(run, iterations=6, progress=False, make_env=toy)
    spec, policy = read_run(run), load_policy(run)
    env = toy(spec, 16, 1, 0)
    learner = SacLearner(env, spec.task, spec.train, spec.seed, Group())
    load_learner(run, spec, learner)
    seen = torch.from_numpy(env.observations.copy())
    learner.normaliser(seen, out=seen)
    actions = learner.engine.act(seen, torch.zeros(16, 1))
    np.testing.assert_allclose(policy(env.observations), 2.0 * actions.numpy(), rtol=1e-5, atol=1e-6)
    module = policy.to_torch()(torch.from_numpy(env.observations))
    np.testing.assert_allclose(module.detach(), 2.0 * actions.numpy(), rtol=1e-5, atol=1e-6)
    outputs = least(learner.networks.critic(torch.cat([seen, actions], 1))[:, :, 0])
    expected = learner.value_normaliser.denormalise(outputs).detach().numpy()
    values = policy.values(env.observations, env.critic_observations)
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)
    assert values.shape == (16, 2) and values.any()


def test_nothing_is_learnt_before_the_warmup(tmp_path: Path) -> None:
    run = new_run(tmp_path, warmup=10**6)
    train(run, iterations=2, progress=False, make_env=toy)
    rows = read_metrics(run)
    assert [row["policy_loss"] for row in rows] == [0.0, 0.0]
    assert [row["warmup"] for row in rows] == [10**6 - row["steps"] for row in rows]


def test_rates_settle_over_the_last_share_of_the_iterations_and_stay_low(tmp_path: Path) -> None:
    run = new_run(tmp_path, iterations=10, settle=0.5, critic_rate=1e-2)
    train(run, iterations=12, progress=False, make_env=toy)
    rates = [row["learning_rate"] for row in read_metrics(run)]
    np.testing.assert_allclose(rates[:6], 1e-2)
    np.testing.assert_allclose(rates[6:], [8.2e-3, 6.4e-3, 4.6e-3, 2.8e-3, 1e-3, 1e-3])
    flat = new_run(tmp_path, iterations=10)
    train(flat, iterations=2, progress=False, make_env=toy)
    assert read_metrics(flat)[-1]["learning_rate"] == 1e-3


def test_not_a_number_is_traced_to_its_channel(tmp_path: Path) -> None:
    run = new_run(tmp_path, checkpoint_every=1)
    with pytest.raises(NotFiniteError, match="rewards of channel 'effort'"):
        train(run, progress=False, make_env=lambda _s, n, _t, _f: Poisoned(n))
    assert checkpoint.find(run)


def test_a_critic_that_is_not_finite_is_named_and_changes_nothing() -> None:
    env = PointMass(16)
    env.reset()
    learner = SacLearner(env, toy_task(), sac(), 0, Group())
    learner.networks.critic.weights[0].data[2] = math.nan  # the first critic of `effort`
    before = learner.networks.critic_flat.clone()
    learner.iterate()  # the first that learns is the second
    with pytest.raises(NotFiniteError, match=r"update 1 of 16: .* critic of channel 'effort'; that step was not taken"):
        learner.iterate()
    torch.testing.assert_close(learner.networks.critic_flat, before, equal_nan=True)


@pytest.mark.parametrize("engine", ["core", "torch"])
def test_an_actor_that_is_not_finite_is_named_with_its_update_and_is_not_moved(engine: str) -> None:
    env = PointMass(16)
    env.reset()
    learner = SacLearner(env, toy_task(), sac(engine=engine), 0, Group())
    learner.iterate()
    weights, calls = learner._weights(), []

    def broken() -> torch.Tensor:
        calls.append(0)
        return weights * (math.nan if len(calls) == 3 else 1.0)

    learner._weights = broken
    moved = []
    learner.optimisers["actor_optimiser"].step = lambda grads: moved.append(grads)
    critics = learner.networks.critic_flat.clone()
    with pytest.raises(NotFiniteError, match="update 3 of 16: not finite: loss or gradient of actor; that step was"):
        learner.iterate()
    assert len(moved) == 2
    assert not torch.equal(learner.networks.critic_flat, critics)


def test_a_replay_of_another_size_is_refused() -> None:
    replay = Replay(4, rollout_of(2, 1, [[0.0]] * 2, {}))
    with pytest.raises(SpecError, match=r"replay.counts: expected .* within 4, got \[0, 6\]"):
        replay.expect({"replay.counts": np.array([0, 6])})


def test_settings_of_both_algorithms_stand_in_one_file(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "task.toml").touch()
    (folder / "train.toml").write_text('algorithm = "sac"\nepochs = 3\n[sac]\nupdates = 5\n')
    assert load_learning(str(folder)) == load_sac(str(folder)) == Sac(updates=5)
    assert load_learning(str(folder), algorithm="ppo") == load_train(str(folder)) == Train(epochs=3)
    (folder / "train.toml").write_text('algorithm = "sak"\n')
    with pytest.raises(SpecError, match="unknown algorithm 'sak', did you mean 'sac'"):
        load_learning(str(folder))
    (folder / "train.toml").write_text("[sac]\nupdats = 5\n")
    with pytest.raises(SpecError, match="sac: unknown key 'updats', did you mean 'updates'"):
        load_sac(str(folder))
