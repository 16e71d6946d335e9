"""A whole task in a world model: a model that knows the simulator's next states gives the simulator's rows."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from pyembody.envs import VectorEnv
from pyembody.envs.given import GIVEN, Given
from pyembody.envs.running import Running
from pyembody.learn.buffers import Rollout
from pyembody.learn.imagination import canonical, imagined_replay
from pyembody.learn.model_rows import ModelRows
from pyembody.program.named import VALUES
from pyembody.spec import SpecError, load_mbpo, load_robot, load_task
from pyembody.world import Ensemble, EnsembleModel, Imagined
from pyembody.world.task_state import TaskState
from pyembody.world.told import before_told, changing_as_told

ROWS, STEPS, WARM = 48, 6, 40
SIGNALS = load_mbpo("velocity").signals
Array = np.ndarray


def walker(variant: str = "", rows: int = ROWS, seed: int = 3) -> VectorEnv:
    env = VectorEnv(load_task("velocity", variant), load_robot("go2"), rows, threads=1, seed=seed)
    env.reset()
    return env


def blank(states: int, actions: int) -> Ensemble:
    sizes, zero = (states + actions, 2 * states), np.zeros
    layers = [zero((1, a, b), np.float32) for a, b in pairwise(sizes)]
    vectors = [zero(n, np.float32) for n in (states, states, states, states, actions, actions)]
    return Ensemble(layers, [zero((1, 1, 2 * states), np.float32)], *vectors, "relu", (0,))


class Recorded:
    """What the simulator showed and paid along `STEPS` steps after `WARM` wild ones, some rows falling."""

    def __init__(self, env: VectorEnv) -> None:
        rng = np.random.default_rng(0)
        env.set_command(rng.uniform(-1, 1, (env.num_envs, 3)).astype(np.float32))
        for _ in range(WARM):
            env.step(rng.normal(0, 2.5, env.action.shape))
        self.task = TaskState(env, SIGNALS, "mbpo: signals")
        self.rows = ModelRows(env, STEPS, self.task)
        self.shown: dict[str, list[Array]] = {n: [] for n in ("policy", "critic", "channels", "terminated", "ended")}
        self.actions = []
        critic = "critic" if "critic" in env.outputs else "policy"
        for _ in range(STEPS):
            self.shown["policy"].append(env.outputs["policy"].copy())
            self.shown["critic"].append(env.outputs[critic].copy())
            action = np.clip(rng.normal(0, 2.5, env.action.shape), -6, 6).astype(np.float32)
            _, _, terminated, truncated, info = env.step(action)
            self.actions.append(action)
            over = {"channels": info["channels"], "terminated": terminated, "ended": terminated | truncated}
            for name, value in over.items():
                self.shown[name].append(value.copy())
        self.arrays = {name: np.stack(parts) for name, parts in self.shown.items()}

    def imagined(self, threads: int = 1) -> Imagined:
        """The same rows by a model that is told every next state."""
        states, after = self.rows.arrays["states"], self.rows.arrays["successor_states"]
        actions = np.stack(self.actions)
        ensemble = changing_as_told(blank(states.shape[2], actions.shape[2]))
        model = EnsembleModel(ensemble, self.task.state, self.task.program, critic=self.task.critic, threads=threads)
        names = [s.name for s in self.task.state.carried]
        carried = self.rows.given.unroll(self.rows.arrays["given"][0], STEPS, names, np.random.default_rng(0))
        told = np.concatenate([actions, after - states], axis=2).transpose(1, 0, 2)
        found = model.rollout(
            states[0], STEPS, actions=np.ascontiguousarray(told), carried=carried, propagation="mean",
            before=before_told(ensemble, self.rows.arrays["before"][0]),
        )  # fmt: skip
        return replace(found, actions=found.actions[..., : actions.shape[2]].copy())

    @property
    def running(self) -> Array:
        """Whether the first episode of a row still runs `[T, N]`."""
        ended = np.cumsum(self.arrays["ended"], axis=0)
        return np.concatenate([np.ones_like(ended[:1]), ended[:-1] == 0]).astype(np.bool_)


@pytest.fixture(scope="module", params=["", "deployable"])
def recorded(request: pytest.FixtureRequest) -> Recorded:
    return Recorded(walker(request.param))


def near(got: Array, wanted: Array, name: str) -> None:
    np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-5, err_msg=name)


def test_a_perfect_model_shows_pays_and_ends_what_the_simulator_does(recorded: Recorded) -> None:
    found, there = recorded.imagined(), recorded.running
    assert recorded.arrays["terminated"].any() and there[-1].any()
    np.testing.assert_array_equal(found.valid, there)
    np.testing.assert_array_equal(found.terminated[there], recorded.arrays["terminated"][there])
    env = recorded.task._env
    noise = np.concatenate([np.full(b.width, b.noise) for b in env.program.observation_layout["policy"]])
    seen = recorded.arrays["policy"][there]
    assert (np.abs(found.observations[there] - seen) <= noise + 2e-5 + 2e-5 * np.abs(seen)).all()
    if recorded.task.critic:
        near(found.critic_observations[there], recorded.arrays["critic"][there], "critic")
    for c, name in enumerate(env.channel_names):
        near(found.channels[there][:, c], recorded.arrays["channels"][there][:, c], name)


def test_threads_change_no_bit_of_a_whole_task(recorded: Recorded) -> None:
    one, three = recorded.imagined(1), recorded.imagined(3)
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, three.arrays[name], err_msg=name)


def test_canonical_rows_are_those_that_a_collector_keeps(recorded: Recorded) -> None:
    env, found = recorded.task._env, recorded.imagined()
    mirror = env.mirror
    assert mirror is not None
    wide = None if not recorded.task.critic else found.critic_observations.shape[2]
    rollout = Rollout(STEPS, ROWS, found.observations.shape[2], wide, 12, found.channels.shape[2], mirror)
    for t in range(STEPS):
        flags = mirror.flag(found.observations[t])
        rollout.policy.store(t, found.observations[t], flags)
        if wide:
            rollout.critic.store(t, found.critic_observations[t], flags)
    turned = mirror.flag(found.observations)[found.valid]
    assert 0.2 < turned.mean() < 0.8
    replay, there = imagined_replay(canonical(found, mirror), 2.0)
    flat = {name: x.flatten(0, 1).numpy() for name, x in replay.arrays.items()}
    for name, views in (("policy", rollout.policy), ("critic", rollout.critic)):
        if f"{name}_observations" in flat:
            kept = views.raw[:-1].reshape(len(flat["rewards"]), -1)
            np.testing.assert_array_equal(flat[f"{name}_observations"][there], kept[there])
    # mirrored back they are the actions of the robot
    acted = 2.0 * flat["actions"][there]
    acted[turned] = acted[turned][:, mirror.action_index] * mirror.action_sign
    np.testing.assert_array_equal(acted, found.actions[found.valid])


def test_commands_and_clocks_go_on_as_an_environments() -> None:
    env = walker(rows=6)
    given = Given(env)
    rows, rng = given.look(6), copy.deepcopy(env._rng)
    wanted = []
    for _ in range(250):
        wanted.append(np.concatenate([env.bindings.array(n).reshape(6, -1) for n in GIVEN], axis=1, dtype=np.float32))
        assert not env.step(np.zeros((6, 12)))[2].any()
    got = given.unroll(rows, 249, GIVEN, rng)
    np.testing.assert_array_equal(got, np.stack(wanted))
    assert (np.abs(np.diff(got[..., :3], axis=0)).max((0, 2)) > 0).all()


def test_of_known_signals_alone_commands_stay_and_the_clock_goes_on() -> None:
    env = walker(rows=6)
    for _ in range(30):
        env.step(np.zeros((6, 12)))
    signals = {n: env.bindings.array(n).reshape(6, -1).astype(np.float32) for n in GIVEN}
    given = Given(env)
    rows = given.staying(6, {name: signals[name] for name in given.names})
    got = given.unroll(rows, 30, GIVEN, np.random.default_rng(0))
    np.testing.assert_allclose(got[0], np.concatenate([signals[n] for n in GIVEN], axis=1), atol=1e-5)
    np.testing.assert_array_equal(got[..., :3], np.broadcast_to(got[0, :, :3], got[..., :3].shape))
    moving = signals["moving"][:, 0] > 0
    assert moving.any() and (got[1, moving, 4:] != got[0, moving, 4:]).any(1).all()


def test_values_of_a_state_are_the_programs_own() -> None:
    env = walker(rows=4)
    task = TaskState(env, SIGNALS, "x")
    shown = Running(task.shown, env.bindings, 4, 1)
    env.step(np.full((4, 12), 0.3))
    shown.evaluator.step()
    values = {n: shown.outputs.groups[VALUES][:, columns] for n, columns in task.state.columns.items()}
    metrics = dict(zip(env.metric_names, env.metrics.T, strict=True))
    np.testing.assert_array_equal(values["height"][:, 0], metrics["height"])
    np.testing.assert_array_equal(values["contact"], env.signal("foot_force") > 1.0)
    blocks = {b.name: b.columns for b in env.program.observation_layout["policy"]}
    np.testing.assert_array_equal(values["base_lin_vel"], env.observations[:, blocks["base_lin_vel"]])
    assert [task.state.predicted[i].kind for i in (3, 6)] == ["scalar", "bool"] and len(task.state.truths) == 4


@pytest.mark.parametrize(
    ("names", "variant", "message"),
    [
        (SIGNALS[:-1], "", "expected 'joint_torque' among them, which the task reads; got"),
        ((*SIGNALS, "swing"), "", "'swing' reads 'leg_phase', which is given from outside, not predicted"),
        ((*SIGNALS, "command"), "", "mbpo: signals: 'command' is given from outside, not predicted"),
        ((*SIGNALS, "velocity_slack"), "", "expected a value of present signals, got one with parameters"),
        ((*SIGNALS, "hight"), "", "unknown signal or let 'hight', did you mean 'height'"),
        ((), "rough", "expected a task that reads what a model predicts, got one that reads 'foot_ground'"),
    ],
)
def test_what_no_model_predicts_is_refused(names: tuple[str, ...], variant: str, message: str) -> None:
    env = walker(variant, rows=2)
    with pytest.raises(SpecError, match=message):
        TaskState(env, names, "mbpo: signals")


def test_a_history_of_observations_is_refused() -> None:
    task = load_task("velocity", changes={"history": 3})
    with pytest.raises(SpecError, match="history: expected observations of one moment, got 3"):
        TaskState(VectorEnv(task, load_robot("go2"), 2, threads=1), SIGNALS, "mbpo: signals")


def test_a_text_of_the_state_cannot_be_swapped_but_others_pay_at_once() -> None:
    env = walker(rows=2)
    task = TaskState(env, SIGNALS, "mbpo: signals")
    before = task.program
    changes: dict[str, Any] = {"channels": {"style": {"terms": {"bounce": {"expr": "abs(base_lin_vel[2]) * 2"}}}}}
    env.swap_program(load_task("velocity", changes=changes, check=False))
    assert task.program is not before
    env.swap_program(load_task("velocity", changes={"let": {"height": "base_pos[2] - ground_height + 0"}}))
    with pytest.raises(SpecError, match="let.height is part of the model's state: expected 'base_pos"):
        _ = task.program
