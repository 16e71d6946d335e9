"""Learning from a dataset and its model alone: the replay, the penalty, the choice of next states, and resuming."""

from __future__ import annotations

from dataclasses import replace as altered
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from pyembody.data import Dataset
from pyembody.data.gather import gather, uniform
from pyembody.envs import VectorEnv
from pyembody.learn import create_run, resume, train
from pyembody.learn.distributed import Group
from pyembody.learn.imagination import squashed_actor
from pyembody.learn.offline import OfflineLearner
from pyembody.spec import Offline, SpecError, load_offline, load_robot, load_task
from pyembody.world import Actor, FitSettings, Imagined, ModelState, fit_model, load_model
from pyembody.world.agreed import AgreedModel
from pyembody.world.credible import reward_model
from pyembody.world.predict import Predictor
from pyembody.world.rollout import EnsembleModel
from test_learn_run import arrays, without_times

SIGNALS = ("pole_angle", "cart_pos", "joint_torque", "cart_vel", "pole_vel")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`data`, 640 random steps of the cart and pole, and `model`, fitted to them, with a dynamics reward."""
    place = tmp_path_factory.mktemp("offline")
    env = VectorEnv(load_task("balance"), load_robot("cartpole"), 16, threads=1)
    gather(env, uniform(1, 0), place / "data", 640)
    settings = FitSettings(members=3, elites=2, hidden=(32, 32), epochs=30)
    model = fit_model(Dataset(place / "data"), place / "model", settings, SIGNALS)
    reward_model(Dataset(place / "data"), model, place / "model", updates=30, discriminators=2)
    return place


def settings(folder: Path, **changes: Any) -> Offline:
    small = {"dataset": str(folder / "data"), "model": str(folder / "model"), "num_envs": 8, "horizon": 4}
    small |= {"updates": 2, "minibatch": 64, "actor_hidden": (16, 16), "critic_hidden": (16, 16)}
    return Offline(**small | {"action_range": 3.0} | changes)


def learner(folder: Path, **changes: Any) -> OfflineLearner:
    env = VectorEnv(load_task("balance"), load_robot("cartpole"), 8, threads=1)
    env.reset()
    return OfflineLearner(env, env.task, settings(folder, **changes), 0, Group())


def test_the_replay_is_the_dataset_and_stays_it(folder: Path) -> None:
    own = learner(folder, real=1.0)
    rows = Dataset(folder / "data").transitions(SIGNALS)
    before = own.replay.arrays["states"].clone()
    own.iterate()
    torch.testing.assert_close(own.replay.arrays["states"], before)
    np.testing.assert_array_equal(before[:, 0], rows.state)
    np.testing.assert_allclose(own.replay.arrays["actions"][:, 0] * 3.0, rows.action, atol=1e-6)
    drawn = own.replay.take(torch.arange(len(rows)), 5, torch.tensor([0.9, 0.9]), torch.zeros(2))
    np.testing.assert_array_equal(drawn.rewards, rows.channels)
    np.testing.assert_array_equal(drawn.discount[:, 0] == 0, rows.terminated)
    seen = Dataset(folder / "data").transitions(observations=True)
    np.testing.assert_allclose(own.normaliser.mean, seen.state.mean(0), atol=1e-5)


def imagine(own: OfflineLearner) -> Imagined:
    states = own.replay.arrays["states"][:, 0].numpy()[:64]
    seen = own.replay.arrays["policy_observations"][:, 0]
    none, before = np.zeros((own.imagined + 1, 64, 0), np.float32), np.zeros((64, 1), np.float32)
    return own._rollout(states, none, before, actor_of(own, seen), 3)


def actor_of(own: OfflineLearner, seen: torch.Tensor) -> Actor:
    return squashed_actor(own.networks, own.normaliser, 10.0, float(own.action_scale), seen)


@pytest.mark.parametrize("kind", ["aleatoric", "disagreement"])
@pytest.mark.parametrize("choose", ["sampled", "agreed"])
def test_a_penalty_takes_its_weight_in_deviations_where_doubt_is_as_usual(folder: Path, kind: str, choose: str) -> None:
    free, taxed = learner(folder, choose=choose), learner(folder, choose=choose, penalty=kind, penalty_weight=0.5)
    plain, dear = imagine(free), imagine(taxed)
    deviation = taxed.replay.reward_moments()[1].numpy()
    cost = (plain.channels - dear.channels)[plain.valid] / deviation
    expected = 0.5 * dear.penalty[dear.valid][:, None] / taxed.usual
    np.testing.assert_allclose(cost, np.broadcast_to(expected, cost.shape), rtol=1e-2, atol=1e-3)
    assert 0.2 < expected[:32].mean() < 2.0


def test_a_program_pays_chosen_states_as_it_pays_sampled_ones(folder: Path) -> None:
    model, task = load_model(folder / "model"), load_task("balance")
    env = VectorEnv(task, load_robot("cartpole"), 1, threads=1)
    state = ModelState(tuple(env.signals[n] for n in model.names))
    own = learner(folder)
    actor = actor_of(own, own.replay.arrays["policy_observations"][:, 0])
    actor = altered(actor, action_std=np.zeros_like(actor.action_std))
    starts = own.replay.arrays["states"][:, 0].numpy()[:16]
    sure = np.full(5, -60.0, np.float32)  # the only candidate of the only elite is then its mean
    one = altered(model.ensemble, elites=model.ensemble.elites[:1], log_var_min=sure, log_var_max=sure)
    chosen = AgreedModel(Predictor(one), state, env.program, resamples=1).rollout(starts, 4, actor)
    usual = EnsembleModel(one, state, env.program).rollout(starts, 4, actor=actor, propagation="mean")
    assert chosen.valid.all() and usual.valid.all()
    for name in ("observations", "actions", "next_states", "channels", "final_observations"):
        np.testing.assert_allclose(getattr(chosen, name), getattr(usual, name), rtol=1e-4, atol=1e-5, err_msg=name)
    np.testing.assert_array_equal(chosen.terminated, usual.terminated)


def test_rows_that_are_not_credible_end_before_that_step(folder: Path) -> None:
    shut = learner(folder, choose="credible", threshold=99.0)
    assert imagine(learner(folder, choose="credible", threshold=-1.0)).valid[0].all()
    found = imagine(shut)
    assert not found.valid.any() and not found.channels.any()
    with pytest.raises(SpecError, match="every imagined row ended before its first step"):
        shut.iterate()


@pytest.mark.parametrize("changes", [{}, {"choose": "credible", "threshold": -1.0}])
def test_going_on_from_a_checkpoint_gives_the_same_bits(folder: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    task, robot = load_task("balance"), load_robot("cartpole")
    whole, parts = (create_run(task, robot, settings(folder, **changes), 1, (), tmp_path) for _ in range(2))
    train(whole, iterations=3, progress=False)
    train(parts, iterations=2, progress=False)
    resume(parts, iterations=3, progress=False)
    assert without_times(whole) == without_times(parts)
    first, second = arrays(whole), arrays(parts)
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_what_does_not_belong_together_is_refused(folder: Path, tmp_path: Path) -> None:
    env = VectorEnv(load_task("balance"), load_robot("cartpole"), 8, threads=1)
    env.reset()
    gather(env, uniform(1, 1), tmp_path / "other", 32)
    with pytest.raises(SpecError, match="expected a model that was fitted to"):
        learner(folder, dataset=str(tmp_path / "other"))
    changed = load_task("balance", changes={"channels": {"effort": {"weight": 0.5}}})
    other = VectorEnv(changed, load_robot("cartpole"), 8, threads=1)
    with pytest.raises(SpecError, match="hash of the task: expected"):
        OfflineLearner(other, changed, settings(folder), 0, Group())
    small = fit_model(Dataset(folder / "data"), tmp_path / "small", FitSettings(2, 1, (8,), epochs=1), SIGNALS[:2])
    assert small.names == SIGNALS[:2]
    with pytest.raises(SpecError, match="signals: expected 'joint_torque' among them, which the task reads"):
        learner(folder, model=str(tmp_path / "small"))


def test_its_settings_lie_over_those_of_sac(tmp_path: Path) -> None:
    (tmp_path / "task.toml").touch()
    (tmp_path / "train.toml").write_text("[sac]\npolyak = 0.5\nsteps = 7\nupdates = 9\n[offline]\nsteps = 2\n")
    found = load_offline(str(tmp_path), changes={"dataset": "d", "model": "m", "imagined": 3})
    assert replace(found, polyak=0.01) == Offline(dataset="d", model="m", steps=2, imagined=3)
    assert found.polyak == 0.5
    with pytest.raises(SpecError, match="choose"):
        load_offline(str(tmp_path), changes={"dataset": "d", "model": "m", "choose": "best"})
