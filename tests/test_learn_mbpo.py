"""MBPO: states along a rollout, imagined transitions, and a learner that goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pyembody.data import Recorder
from pyembody.envs import VectorEnv
from pyembody.envs.watcher import Watcher
from pyembody.learn import checkpoint, create_run, read_metrics, resume, train
from pyembody.learn.distributed import Group
from pyembody.learn.imagination import imagined_replay, squashed_actor
from pyembody.learn.mbpo import MbpoLearner
from pyembody.learn.model_rows import ModelRows
from pyembody.spec import Mbpo, SpecError, load_learning, load_mbpo, load_robot, load_task
from pyembody.world import Imagined
from pyembody.world.task_state import TaskState
from test_learn_run import arrays, toy, without_times
from test_learn_toy import toy_robot, toy_task

SMALL: dict[str, Any] = {
    "num_envs": 16, "horizon": 8, "iterations": 4, "updates": 4, "minibatch": 64, "warmup": 128,
    "actor_hidden": (16, 16), "critic_hidden": (16, 16), "action_range": 3.0, "members": 3, "elites": 2,
    "model_hidden": (32, 32), "model_epochs": 20, "replay": 512,
}  # fmt: skip


def mbpo(**changes: Any) -> Mbpo:
    return Mbpo(**SMALL | changes)


def balance(envs: int = 16) -> VectorEnv:
    env = VectorEnv(load_task("balance"), load_robot("cartpole"), envs, seed=1)
    env.reset(options={"stagger": True})
    return env


def new_run(out: Path, **changes: Any) -> Path:
    return create_run(load_task("balance"), load_robot("cartpole"), mbpo(**changes), 1, (), out)


def new_walk(out: Path) -> Path:
    """With critics that see more than the policy, mirrored rows, commands and a clock."""
    own = mbpo(signals=load_mbpo("velocity").signals, imagined=2, real=0.5, model_epochs=3, precision="bfloat16",
               propagation="mean")
    return create_run(load_task("velocity", "deployable"), load_robot("go2"), own, 1, (), out)


def test_states_before_a_step_are_those_after_the_one_before_unless_an_episode_ended() -> None:
    env = balance()
    watched = ModelRows(env, 64, TaskState(env, (), "mbpo: signals"))
    rng = np.random.default_rng(0)
    ended = np.stack([np.logical_or(*env.step(rng.uniform(-3, 3, (16, 1)))[2:4]) for _ in range(64)])
    states, successors = watched.arrays["states"], watched.arrays["successor_states"]
    same = (successors[:-1] == states[1:]).all(2)
    assert ended.any() and (same == ~ended[:-1]).all()
    angle, rail = (watched.task.state.columns[name].start for name in ("pole_angle", "cart_pos"))
    fallen = (np.abs(successors[..., angle]) > 0.8) | (np.abs(successors[..., rail]) > 1.7)
    assert fallen.any() and ended[fallen].all()


def imagined(valid: list[list[int]], terminated: list[list[int]]) -> Imagined:
    """Observation and action of step t are t, a reward is 1, and the last observation of row b is 100 + b."""
    there, over = np.array(valid, np.bool_), np.array(terminated, np.bool_)
    steps, rows = there.shape
    number = np.broadcast_to(np.arange(steps, dtype=np.float32)[:, None, None], (steps, rows, 1)).copy()
    final = 100.0 + np.arange(rows, dtype=np.float32)[:, None]
    return Imagined(
        number, number, number, np.ones((steps, rows, 1), np.float32), over, there, np.zeros((steps, rows), np.float32),
        np.zeros((steps, rows), np.int8), np.zeros((steps, rows), np.float32), np.zeros(rows, np.bool_), final,
        np.zeros((steps, rows, 0), np.float32), final[:, :0],
    )  # fmt: skip


def test_imagined_steps_go_on_to_the_end_of_their_rollout_and_not_beyond_a_termination() -> None:
    # row 0 runs through, row 1 terminates in its second step, row 2 leaves the finite numbers in its third
    found = imagined([[1, 1, 1], [1, 1, 1], [1, 0, 0]], [[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    replay, there = imagined_replay(found, 2.0)
    assert there.tolist() == [0, 1, 2, 3, 4, 5, 6]
    rows = replay.take(torch.tensor([0, 1, 2, 3, 6]), 2, torch.tensor([0.5]), torch.zeros(1))
    assert rows.observations.flatten().tolist() == [0, 0, 0, 1, 2]
    assert rows.actions.flatten().tolist() == [0, 0, 0, 0.5, 1]
    assert rows.rewards.flatten().tolist() == [1.5, 1.5, 1.5, 1.5, 1]
    assert rows.discount.flatten().tolist() == [0.25, 0, 0.25, 0.25, 0.5]
    assert rows.successors.flatten().tolist() == [2, 101, 102, 100, 100]


def test_the_model_is_acted_in_and_paid_as_the_simulator_is() -> None:
    env = balance()
    learner = MbpoLearner(env, env.task, mbpo(updates=16, model_epochs=60), 0, Group())
    for _ in range(4):
        learner.iterate()
    env.watcher = Watcher()  # what follows is not part of a rollout
    states = np.concatenate([env.signal(name).reshape(16, -1) for name in learner.task_state.names], axis=1)
    seen = torch.from_numpy(env.observations.copy())
    actor = squashed_actor(learner.networks, learner.normaliser, 10.0, 3.0, seen)
    model = learner.model
    none = np.zeros((6, 16, 0), np.float32)
    found = model.imagine(states.astype(np.float32), none, env.action, actor, env.params, 0)
    np.testing.assert_allclose(found.observations[0], env.observations, atol=1e-5)
    env.step(found.actions[0])
    assert found.valid[0].all()
    error = np.abs(found.channels[0] - env.channels).mean(0)
    assert (error < 0.2 * np.abs(env.channels).mean(0)).all(), error
    rows = learner.normaliser(seen, out=seen)
    expected = 3.0 * learner.engine.act(rows, torch.zeros(16, 1)).numpy()
    assert actor.action_std is not None
    assert np.abs(found.actions[0] - expected).max() < 3.0 * 5 * actor.action_std.max()


def test_a_model_is_fitted_to_what_was_done_not_to_its_mirror_image(monkeypatch: pytest.MonkeyPatch) -> None:
    env = VectorEnv(load_task("velocity"), load_robot("go2"), 16, threads=1, seed=1)
    env.reset(options={"stagger": True})
    learner = MbpoLearner(env, env.task, mbpo(signals=load_mbpo("velocity").signals, real=0.5), 0, Group())
    seen: list[Any] = []
    monkeypatch.setattr(learner.model, "fit", lambda *rows: seen.append([x.copy() for x in rows[:3]]))
    monkeypatch.setattr(learner, "_imagine", lambda count: learner.replay.sample(count, 1, learner.gamma,
                                                                                 learner.generator, learner.dead))
    for _ in range(4):
        learner.iterate()
    replay = {name: x.numpy() for name, x in learner.replay.arrays.items()}
    goes_on = ~learner.replay.ended[:-1].numpy()
    np.testing.assert_array_equal(replay["acted"][:-1][goes_on], replay["before"][1:][goes_on])
    canonical = replay["actions"] * learner.action_scale
    turned = (np.abs(replay["acted"] - canonical) > 1e-5).any(2)
    assert 0.05 < turned.mean() < 0.95 and env.mirror is not None
    image = canonical[turned][:, env.mirror.action_index] * env.mirror.action_sign
    np.testing.assert_allclose(replay["acted"][turned], image, atol=1e-5)
    np.testing.assert_array_equal(seen[-1][1], replay["acted"].reshape(-1, 12))


def test_a_model_is_fitted_anew_though_a_full_replay_grows_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    env = balance()
    learner = MbpoLearner(env, env.task, mbpo(growth=0.5, model_epochs=1), 0, Group())
    fits: list[tuple[int, int]] = []
    fit = learner.model.fit
    monkeypatch.setattr(learner.model, "fit", lambda *a: (fits.append((len(a[0]), a[3])), fit(*a)))
    for _ in range(9):
        learner.iterate()
    assert fits == [(128, 128), (256, 256), (384, 384), (512, 640), (512, 1024)]


@pytest.mark.parametrize("new", [new_run, new_walk])
def test_going_on_from_a_checkpoint_gives_the_same_bits(tmp_path: Path, new: Callable[[Path], Path]) -> None:
    whole, parts = new(tmp_path), new(tmp_path)
    train(whole, iterations=5, progress=False)
    train(parts, iterations=3, progress=False)
    resume(parts, iterations=5, progress=False)
    rows = without_times(whole)
    assert rows == without_times(parts)
    assert [row["model"]["rows"] for row in rows] == [128, 256, 384, 512, 512]
    first, second = arrays(whole), arrays(parts)
    assert first.keys() == second.keys() and "model.weights.0" in first and "replay.states" in first
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_with_real_rows_alone_no_model_is_fitted(tmp_path: Path) -> None:
    run = new_run(tmp_path, real=1.0)
    train(run, iterations=2, progress=False)
    assert [row["model"]["rows"] for row in read_metrics(run)] == [0, 0]
    assert checkpoint.find(run)


def test_what_no_model_can_imagine_is_refused(tmp_path: Path) -> None:
    env, group = balance(), Group()
    with pytest.raises(SpecError, match="mbpo: signals: unknown signal or let 'pole_angel', did you mean 'pole_angle'"):
        MbpoLearner(env, env.task, mbpo(signals=("pole_angel",)), 0, group)
    with pytest.raises(SpecError, match="expected 'pole_angle' among them, which the task reads"):
        MbpoLearner(env, env.task, mbpo(signals=("cart_pos",)), 0, group)
    with Recorder(env, tmp_path / "data"), pytest.raises(SpecError, match="train without --record"):
        MbpoLearner(env, env.task, mbpo(), 0, group)
    run = create_run(toy_task(), toy_robot(), mbpo(), 1, (), tmp_path)
    with pytest.raises(SpecError, match="expected environments of a task and a robot, got PointMass"):
        train(run, progress=False, make_env=toy)


def test_its_settings_stand_in_a_table_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "task.toml").touch()
    (tmp_path / "train.toml").write_text('algorithm = "mbpo"\nepochs = 3\n[mbpo]\nimagined = 7\n')
    assert load_learning(str(tmp_path)) == load_mbpo(str(tmp_path)) == Mbpo(imagined=7)
    (tmp_path / "train.toml").write_text("[mbpo]\nelites = 9\n")
    with pytest.raises(SpecError, match="elites: expected at most the 5 members, got 9"):
        load_mbpo(str(tmp_path))
