"""Reward programs in Gymnasium's and Stable-Baselines3's environments, and made of reward-term dictionaries."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
import pytest

from pyembody import RewardProgram
from pyembody.adapters.gymnasium_env import ProgramReward
from pyembody.adapters.manager_terms import convert_terms

PENDULUM = """
dt = 0.05
[signals]
angle = { unit = "rad" }
spin = { unit = "rad/s" }
torque = { kind = "vector", width = 1 }
[terminations]
wild = "abs(spin) > 4"
[channels.task.terms]
angle = { expr = "square(wrap_pi(angle))", weight = -1.0, scale = "none" }
spin = { expr = "square(spin)", weight = -0.1, scale = "none" }
torque = { expr = "normsq(clip(torque, -2, 2))", weight = -1e-3, scale = "none" }
smooth = { expr = "normsq(delta(torque))", weight = 0.0 }
"""


def pendulum_signals(env: Any, _observation: Any, action: Any) -> dict[str, Any]:
    """The state that the pendulum's own reward is paid for is the one before the step."""
    angle, spin = getattr(env, "before", env.state)
    env.before = env.state.copy()
    return {"angle": angle, "spin": spin, "torque": action}


def test_a_gymnasium_environment_pays_the_program() -> None:
    env = ProgramReward(gymnasium.make("Pendulum-v1"), RewardProgram(PENDULUM), pendulum_signals)
    env.reset(seed=3)
    env.action_space.seed(3)
    for _ in range(50):
        _, reward, terminated, _, info = env.step(env.action_space.sample())
        assert reward == pytest.approx(info["env_reward"], rel=1e-5, abs=1e-6)
        assert sum(info["reward_terms"].values()) == pytest.approx(reward, rel=1e-5)
        assert not terminated
    assert list(info["reward_terms"]) == ["task.angle", "task.spin", "task.torque", "task.smooth"]


def test_the_programs_terminations_may_end_the_episode() -> None:
    env = ProgramReward(gymnasium.make("Pendulum-v1"), RewardProgram(PENDULUM), pendulum_signals, terminate=True)
    env.reset(seed=0)
    spins = []
    for _ in range(200):
        _, _, terminated, truncated, _ = env.step(np.array([2.0], np.float32))
        spins.append(abs(env.unwrapped.before[1]))
        if terminated or truncated:
            break
    assert terminated and max(spins) > 4


def test_memory_begins_anew_with_each_episode() -> None:
    program = RewardProgram(PENDULUM)
    program.set("smooth.weight", 1.0)
    env = ProgramReward(gymnasium.make("Pendulum-v1"), program, pendulum_signals)
    for _ in range(2):
        env.reset(seed=1)
        first = env.step(np.array([1.5], np.float32))[4]["reward_terms"]["task.smooth"]
        again = env.step(np.array([1.5], np.float32))[4]["reward_terms"]["task.smooth"]
        assert first == pytest.approx(0.05 * 1.5**2) and again == 0.0


def test_a_missing_signal_is_named() -> None:
    program = RewardProgram(PENDULUM)
    env = ProgramReward(gymnasium.make("Pendulum-v1"), program, lambda *_: {"angle": 0.0, "spin": 0.0})
    with pytest.raises(ValueError, match="'torque' is missing"):
        env.reset()


# --- Stable-Baselines3 --------------------------------------------------------------------------

COUNTER = """
dt = 1.0
[signals]
position = {}
action = { kind = "vector", width = 1 }
[channels.task.terms]
position = { expr = "position" }
change = { expr = "delta(position)", weight = 100.0 }
action = { expr = "action[0]", weight = 0.01 }
"""


class Counters:
    """The interface of Stable-Baselines3's vector environments: rows count up, each ending at its own length."""

    num_envs = 3
    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    render_mode = None

    def reset(self) -> Any:
        self.position = np.array([[10.0], [20.0], [30.0]], np.float32)
        self.left = np.array([2, 3, 4])
        return self.position.copy()

    def get_attr(self, _name: str, _indices: Any = None) -> list[None]:
        return [None] * 3

    def step_async(self, actions: Any) -> None:
        self.actions = actions

    def step_wait(self) -> tuple[Any, Any, Any, list[dict[str, Any]]]:
        self.position += 1
        self.left -= 1
        dones = self.left == 0
        infos = [{"terminal_observation": self.position[i].copy()} if d else {} for i, d in enumerate(dones)]
        self.position[dones] = 0
        self.left[dones] = 3
        return self.position.copy(), np.full(3, -7.0, np.float32), dones, infos


class StandIn:
    """What Stable-Baselines3's VecEnvWrapper does."""

    def __init__(self, venv: Any) -> None:
        self.venv, self.num_envs, self.action_space = venv, venv.num_envs, venv.action_space

    def step(self, actions: Any) -> Any:
        self.step_async(actions)
        return self.step_wait()


@pytest.fixture
def vec_env(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The adapter with Stable-Baselines3's wrapper, or with a stand-in where it is not installed."""
    if importlib.util.find_spec("stable_baselines3") is None:
        names = ("stable_baselines3", "stable_baselines3.common", "stable_baselines3.common.vec_env")
        for name in names:
            monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        sys.modules[names[-1]].VecEnvWrapper = StandIn
    yield importlib.import_module("pyembody.adapters.vec_env")
    sys.modules.pop("pyembody.adapters.vec_env", None)


def test_a_vector_environment_pays_the_true_successor(vec_env: Any) -> None:
    program = RewardProgram(COUNTER)
    env = vec_env.ProgramVecReward(Counters(), program, lambda obs, actions: {"position": obs, "action": actions})
    np.testing.assert_array_equal(env.reset()[:, 0], [10, 20, 30])
    expected = [[111, 121, 131], [112, 122, 132], [101, 123, 133], [102, 101, 134]]
    for step, paid in enumerate(expected):
        observations, rewards, dones, _ = env.step(np.full((3, 1), step, np.float32))
        np.testing.assert_allclose(rewards, np.array(paid) + 0.01 * step, rtol=1e-6)
        np.testing.assert_array_equal(dones, [step == 1, step == 2, step == 3])
        assert rewards.dtype == np.float32
    assert observations[2, 0] == 0
    np.testing.assert_allclose(env.rewards.raw[:, 1], 1.0)


def test_a_finished_row_without_its_last_observation_is_named(vec_env: Any) -> None:
    with pytest.raises(ValueError, match="row 1: expected 'terminal_observation'"):
        vec_env.true_successors(np.zeros((2, 1)), np.array([False, True]), [{}, {}])
    given = {"a": np.zeros((2, 1)), "b": np.zeros(2)}
    final = [{}, {"terminal_observation": {"a": np.array([5.0]), "b": 6.0}}]
    true = vec_env.true_successors(given, np.array([False, True]), final)
    assert true["a"].tolist() == [[0.0], [5.0]] and true["b"].tolist() == [0.0, 6.0]
    assert given["b"].tolist() == [0.0, 0.0]


# --- reward-term dictionaries -------------------------------------------------------------------


@dataclass
class Entity:
    """As Isaac Lab's SceneEntityCfg."""

    name: str
    joint_names: Any = None
    body_names: Any = None


@dataclass
class Term:
    """As Isaac Lab's RewardTermCfg."""

    func: Any
    weight: float
    params: dict[str, Any] = field(default_factory=dict)


def track_lin_vel_xy_exp() -> None:
    """A function of this name, as a manager's configuration holds it."""


JOINTS = ("fl_hip", "fl_knee", "fr_hip", "fr_knee")
BODIES = ("base", "fl_thigh", "fl_foot", "fr_thigh", "fr_foot")
TERMS: dict[str, Any] = {
    "track": Term(track_lin_vel_xy_exp, 1.5, {"command_name": "base_velocity", "std": 0.5}),
    "hips": Term("isaaclab.envs.mdp:joint_deviation_l1", -0.2, {"asset_cfg": Entity("robot", [".*_hip"])}),
    "thighs": {
        "func": "mdp.undesired_contacts", "weight": -1,
        "params": {"sensor_cfg": Entity("contacts", body_names=".*thigh"), "threshold": 1.0},
    },
    "slide": {"func": "feet_slide", "weight": -0.1, "params": {
        "sensor_cfg": Entity("contacts", body_names=".*foot"), "asset_cfg": Entity("robot", body_names=".*foot")}},
    "rate": Term("action_rate_l2", -0.01),
    "torques": Term("joint_torques_l2", 0.0),
    "air": None,
}


def test_a_term_dictionary_becomes_the_same_rewards() -> None:
    conversion = convert_terms(TERMS, dt=0.02, joints=JOINTS, bodies=BODIES)
    assert conversion.refused == {}
    program = RewardProgram(conversion.text)
    assert program.term_names == tuple(f"task.{name}" for name in TERMS if TERMS[name] is not None)
    rng = np.random.default_rng(0)
    first, s = ({p.name: rng.standard_normal((50, p.lanes)) for p in program.signals} for _ in range(2))
    program.reset(first)
    out = program.step(s)
    error = ((s["base_velocity"] - s["root_lin_vel_b"])[:, :2] ** 2).sum(axis=1)
    force, speed = s["contact_force"], np.linalg.norm(s["body_lin_vel_w"].reshape(50, 5, 3)[:, :, :2], axis=2)
    expected = {
        "track": 1.5 * np.exp(-error / 0.25),
        "hips": -0.2 * np.abs(s["joint_pos"] - s["default_joint_pos"])[:, [0, 2]].sum(axis=1),
        "thighs": -1.0 * (force[:, [1, 3]] > 1).sum(axis=1),
        "slide": -0.1 * (speed * (force > 1))[:, [2, 4]].sum(axis=1),
        "rate": -0.01 * ((s["action"] - first["action"]) ** 2).sum(axis=1),
        "torques": np.zeros(50),
    }
    np.testing.assert_allclose(out.weighted, 0.02 * np.stack(list(expected.values()), axis=1), rtol=1e-5, atol=1e-8)
    program.set("track.width", 1.0)
    np.testing.assert_allclose(program.step(s).raw[:, 0], np.exp(-error), rtol=1e-5)


@pytest.mark.parametrize(
    ("term", "message"),
    [
        (Term("action_l1", 1.0), "unknown function 'action_l1', did you mean 'action_l2'"),
        (Term("track_lin_vel_xy_exp", 1.0, {"command_name": "v"}), "expected the parameter 'std'"),
        (Term("action_l2", 1.0, {"threshold": 1}), "unknown parameter 'threshold'"),
        (Term("contact_forces", 1.0, {"threshold": "1"}), "threshold: expected a finite number, got '1'"),
        (Term("action_l2", float("nan")), "weight: expected a finite number, got nan"),
        (Term("joint_vel_l2", 1.0, {"asset_cfg": Entity("r", "x.*")}), "joint_names: .* matches none of fl_hip"),
        (Term("joint_vel_l2", 1.0, {"asset_cfg": Entity("r", "(")}), "expected a regular expression"),
        (Term("track_ang_vel_z_exp", 1.0, {"std": 1.0}), "command_name: expected the name of a signal, got ''"),
        ({"weight": 1.0}, "expected 'func'"),
    ],
)
def test_what_cannot_be_converted_is_named(term: Any, message: str) -> None:
    terms = {"good": Term("action_l2", -1.0), "odd": term}
    conversion = convert_terms(terms, dt=0.02, joints=JOINTS, bodies=BODIES)
    assert list(conversion.refused) == ["odd"]
    assert re.search(message, conversion.refused["odd"])
    assert RewardProgram(conversion.text).term_names == ("task.good",)


def test_every_known_function_compiles() -> None:
    from pyembody.adapters.manager_terms import known_functions

    for function, required in known_functions().items():
        params = dict.fromkeys(required, 0.5) | {"command_name": "base_velocity"}
        conversion = convert_terms({"term": Term(function, 1.0, params)}, dt=0.02, joints=JOINTS, bodies=BODIES)
        assert conversion.refused == {}
        assert RewardProgram(conversion.text).term_names == ("task.term",)


@pytest.mark.parametrize("entity", [{"body_names": ".*thigh"}, {}])
def test_a_term_over_bodies_says_to_pass_their_names(entity: dict[str, str]) -> None:
    term = Term("undesired_contacts", -1.0, {"sensor_cfg": Entity("contacts", **entity), "threshold": 1.0})
    assert "pass bodies=(...) to convert_terms" in convert_terms({"bump": term}, dt=0.02).refused["bump"]
