"""Learning offline what a walker is paid for: states of a task's values, mirrored rows, critics that see more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyembody.data.gather import gather, uniform
from pyembody.envs import VectorEnv
from pyembody.envs.running import Running
from pyembody.learn.distributed import Group
from pyembody.learn.offline import OfflineLearner
from pyembody.learn.symmetry import mirrored
from pyembody.program.named import VALUES
from pyembody.spec import Offline, load_mbpo, load_robot, load_task
from pyembody.world import FitSettings, fit_model
from pyembody.world.task_dataset import TaskDataset, open_dataset

SIGNALS, ROWS, STEPS = load_mbpo("velocity").signals, 16, 480


def walker(rows: int = ROWS) -> VectorEnv:
    env = VectorEnv(load_task("velocity", "deployable"), load_robot("go2"), rows, threads=1)
    env.reset(seed=0)
    return env


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`data`, random steps of the walker, some of them falls, and `model`, fitted to them."""
    place = tmp_path_factory.mktemp("walker")
    act = uniform(12, 0)
    gather(walker(), lambda rows: 2.5 * act(rows), place / "data", STEPS)
    settings = FitSettings(members=2, elites=2, hidden=(16,), epochs=3)
    fit_model(open_dataset(place / "data", SIGNALS), place / "model", settings, SIGNALS)
    return place


def learner(folder: Path, **changes: object) -> OfflineLearner:
    small: dict[str, object] = {"dataset": str(folder / "data"), "model": str(folder / "model"), "num_envs": 4}
    small |= {"horizon": 2, "updates": 2, "minibatch": 64, "actor_hidden": (16,), "critic_hidden": (16,), "imagined": 2}
    env = walker(4)
    return OfflineLearner(env, env.task, Offline(**small | changes), 0, Group())  # type: ignore[arg-type]


def test_values_of_recorded_states_are_those_of_the_running_task(tmp_path: Path) -> None:
    env = walker()
    shown, wanted = Running(env.program.showing(SIGNALS, "x"), env.bindings, ROWS, 1), []

    def act(rows: np.ndarray) -> np.ndarray:
        shown.evaluator.step()
        wanted.append(shown.outputs.groups[VALUES].copy())
        return np.zeros((len(rows), 12))

    gather(env, act, tmp_path / "data", 160)
    dataset = open_dataset(tmp_path / "data", SIGNALS)
    assert isinstance(dataset, TaskDataset)
    rows = dataset.transitions(SIGNALS)
    np.testing.assert_allclose(rows.state, np.concatenate(wanted), rtol=1e-4, atol=1e-4)
    assert [f.name for f in dataset.state_fields(SIGNALS)] == list(SIGNALS)
    assert type(open_dataset(tmp_path / "data", ("joint_pos",))) is not TaskDataset


def test_recorded_rows_are_kept_as_a_collector_would_keep_them(folder: Path) -> None:
    own = learner(folder)
    arrays, mirror = {name: x[:, 0].numpy() for name, x in own.replay.arrays.items()}, own.mirror
    assert mirror is not None
    raw, steps = own.dataset.transitions(observations=True), own.dataset.transitions(("joint_pos",))
    flags = mirror.flag(raw.state)
    assert 0.2 < flags.mean() < 0.8
    kept = mirrored(raw.state, flags, mirror.obs_index, mirror.obs_sign)
    np.testing.assert_array_equal(arrays["policy_observations"], kept)
    acted = mirrored(arrays["actions"] * own.action_scale, flags, mirror.action_index, mirror.action_sign)
    np.testing.assert_allclose(acted, steps.action, atol=1e-5)
    critic = mirrored(arrays["critic_observations"], flags, mirror.critic_index, mirror.critic_sign)
    blocks = {b.name: b.columns for b in own.env.program.observation_layout["critic"]}
    height = arrays["states"][:, own.task_state.state.columns["height"]]
    np.testing.assert_allclose(critic[:, blocks["height"]], height, atol=1e-5)
    np.testing.assert_array_equal(critic[:, blocks["prev_action"]], arrays["before"])


@pytest.mark.parametrize("choose", ["sampled", "agreed"])
def test_a_walker_is_learnt_offline(folder: Path, choose: str) -> None:
    own = learner(folder, choose=choose, penalty_weight=0.5, precision="bfloat16" if choose == "sampled" else "float32")
    before = own.networks.actor_flat.clone()
    assert 1.0 <= own.iterate()["model"]["imagined_length"] <= 2.0
    assert not before.equal(own.networks.actor_flat)
