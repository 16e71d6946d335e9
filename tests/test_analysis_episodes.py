"""Recordings and evaluations on a scripted environment, whose figures are known beforehand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mujoco
import numpy as np
import pytest
from safetensors.numpy import save_file

from pyembody.analysis import Recording, evaluate, gait, record
from pyembody.analysis.held import hold
from pyembody.spec import SpecError
from pyembody.spec.task import Command

DT = 0.1
MAX_STEPS = 10
FEET = ("L", "R")
HEIGHT = 0.3
SWING = (0.0, 0.02, 0.05, 0.02)  # height of a foot over four steps: one down, three up
MODEL = """<mujoco><worldbody><geom type="plane" size="1 1 1"/><body name="base">
<freejoint/>
<geom name="trunk" type="box" size=".1 .1 .1"/><geom name="L" type="sphere" size=".02"/>
<geom name="R" type="sphere" size=".02"/></body></worldbody></mujoco>"""


class ScriptedEnv:
    """N rows that walk by the script above. A row whose action sums above 1 falls at step 3."""

    def __init__(self, n: int = 4, success: str = "yes") -> None:
        self.num_envs, self.control_dt, self.max_steps = n, DT, MAX_STEPS
        self.model = mujoco.MjModel.from_xml_string(MODEL)
        terrain = SimpleNamespace(kind="flat")
        self.task = SimpleNamespace(name="walk", success=success, terrain=terrain, command=Command((-1,) * 3, (1,) * 3))
        self.robot = SimpleNamespace(
            name="toy",
            joints=("a", "b"),
            feet=FEET,
            nominal={"base_height": 0.25},
            base_height=0.25,
        )
        self.single_action_space = SimpleNamespace(shape=(2,))
        self.term_names, self.channel_names, self.metric_names = (
            ("task.go", "safety.torque"),
            ("task", "safety"),
            ("error",),
        )
        self.command, self.held = np.zeros((n, 3), np.float32), None
        self.raw, self.weighted = np.zeros((n, 2), np.float32), np.zeros((n, 2), np.float32)
        self.channels, self.metrics = np.zeros((n, 2), np.float32), np.zeros((n, 1), np.float32)
        self.success = np.zeros(n, bool)
        self.steps = np.zeros(n, int)
        self.line_names, self.weighted_of_step = (), [0.3, -0.1]
        self.lines = np.zeros((n, 0), np.float32)
        self.fields = {"qpos": np.tile([0.0, 0, HEIGHT, 1, 0, 0, 0], (n, 1))}
        self.batch = SimpleNamespace(bind=lambda name: self.fields[name])
        self.seeds: list[int | None] = []

    def signal(self, name: str) -> np.ndarray[Any, Any]:
        n, quat = self.num_envs, np.tile([1.0, 0, 0, 0], (self.num_envs, 1))
        phase = np.stack([self.steps % 4, (self.steps + 2) % 4], axis=1)
        foot = np.zeros((n, 2, 3))
        foot[:, :, 2] = np.array(SWING)[phase]
        table = {
            "base_pos": np.tile([0, 0, HEIGHT], (n, 1)),
            "base_quat": quat,
            "base_lin_vel_world": np.tile([1.0, 0, 0], (n, 1)),
            "base_ang_vel": np.zeros((n, 3)),
            "joint_torque": np.full((n, 2), 3.0),
            "joint_vel": np.full((n, 2), -2.0),
            "foot_pos": foot.reshape(n, -1),
            "foot_force": np.where(phase == 0, 50.0, 0.0),
        }
        if name not in table:
            raise SpecError(f"unknown signal '{name}'")
        return table[name]

    def set_command(self, command: Any) -> None:
        self.held = command
        self.command[:] = 0 if command is None else command

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.seeds.append(seed)
        self.rng = np.random.default_rng(seed)
        self.steps[:] = 0
        self.set_command((options or {}).get("command", [1.0, 0, 0]))
        return np.zeros((self.num_envs, 3), np.float32), {}

    def step(self, actions: np.ndarray[Any, Any]) -> tuple[Any, ...]:
        self.steps += 1
        self.fields["qpos"][:, 0] = self.steps
        self.raw[:] = [1.0, 4.0]
        self.weighted[:] = self.weighted_of_step
        self.channels[:] = self.weighted
        self.metrics[:, 0] = self.rng.uniform(0, 1, self.num_envs)
        terminated = (self.steps >= 3) & (actions.sum(axis=1) > 1)
        truncated = (self.steps >= MAX_STEPS) & ~terminated
        success = ~terminated & (self.steps >= MAX_STEPS)
        info: dict[str, Any] = {
            "success": success,
            "metrics": self.metrics.copy(),
            "channels": self.channels,
        }
        done = terminated | truncated
        if done.any():
            info["final_info"] = {"success": success.copy(), "metrics": self.metrics.copy()}
            self.steps[done] = 0
        return (
            np.zeros((self.num_envs, 3), np.float32),
            self.channels.sum(axis=1),
            terminated,
            truncated,
            info,
        )


@pytest.fixture(autouse=True)
def _toy_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the gait's geometry be that of the toy above."""
    whole = SimpleNamespace(model=mujoco.MjModel.from_xml_string(MODEL))
    monkeypatch.setattr(gait, "build_model", lambda *_args, **_settings: whole)


def still(observations: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.zeros((len(observations), 2), np.float32)


def half_fall(observations: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Actions with which every other row falls."""
    return np.where(np.arange(len(observations))[:, None] % 2 == 0, 1.0, 0.0) * np.ones(2, np.float32)


def test_every_row_is_judged_by_its_first_episode_only() -> None:
    env: Any = ScriptedEnv()
    found = evaluate(env, half_fall, episodes=8, seeds=(3, 4), controls=False)
    # rows 0 and 2 of both seeds fall at step 3 and start again, which must not count
    assert found.episodes == 8
    assert (found.success.rate, found.success.n) == (0.5, 8)
    assert found.fall_rate.rate == 0.5
    assert found.episode_length.mean == pytest.approx((3 + 10) / 2 * DT)


def test_seeds_share_the_episodes_evenly() -> None:
    env: Any = ScriptedEnv()
    found = evaluate(env, still, episodes=5, seeds=(1, 2), controls=False)
    assert found.episodes == 5
    assert env.seeds[:2] == [1, 2]


def test_the_same_seeds_give_the_same_figures() -> None:
    first = evaluate(ScriptedEnv(), half_fall, episodes=8, seeds=(0, 1))  # type: ignore[arg-type]
    second = evaluate(ScriptedEnv(), half_fall, episodes=8, seeds=(0, 1))  # type: ignore[arg-type]
    assert json.dumps(first.to_json()) == json.dumps(second.to_json())


def test_controls_are_judged_on_the_same_seeds() -> None:
    env: Any = ScriptedEnv()
    found = evaluate(env, still, episodes=4, seeds=(5,))
    assert set(found.controls) == {"zero", "random"}
    assert found.controls["zero"].success == found.success
    # the run, standing at a zero command, and both controls start from the same seed
    assert env.seeds == [5, 5, 5, 5]


def test_terms_say_what_they_pay_per_second_and_their_share() -> None:
    terms = evaluate(ScriptedEnv(), still, 4, controls=False).terms  # type: ignore[arg-type]
    assert terms["task.go"].raw == pytest.approx(1.0)
    assert terms["task.go"].per_second == pytest.approx(0.3 / DT)
    assert terms["task.go"].share == pytest.approx(0.75)
    assert terms["safety.torque"].per_second == pytest.approx(-0.1 / DT)


def test_power_and_cost_of_transport_follow_from_torques_and_speeds() -> None:
    env: Any = ScriptedEnv()
    found = evaluate(env, still, 4, controls=False)
    assert found.power is not None
    assert found.power.mean == pytest.approx(2 * 3.0 * 2.0)
    assert found.cost_of_transport is not None
    mass = env.model.body_mass.sum()
    assert found.cost_of_transport.mean == pytest.approx(12.0 / (mass * 9.81 * 1.0), rel=1e-6)


def test_gait_counts_swings_and_heights() -> None:
    facts = evaluate(ScriptedEnv(), still, 4, controls=False).gait  # type: ignore[arg-type]
    assert facts is not None
    assert facts.clear_swings.rate == 1.0
    assert facts.swing_peak.mean == pytest.approx(0.05)
    # of nine judged steps the left foot is down at 4 and 8, the right one at 2 and 6
    assert facts.clear_swings.n == 4 * (2 + 1)
    assert facts.foot_peaks == pytest.approx({"L": 0.05, "R": 0.05})
    assert facts.duty["L"] == pytest.approx(2 / 9)
    assert facts.base_height == pytest.approx(HEIGHT)
    assert facts.height_ratio == pytest.approx(HEIGHT / 0.25)
    assert facts.only_feet == 1.0


def test_standing_is_judged_only_where_a_zero_command_is_trained() -> None:
    for low, resets in ((0.0, 2), (0.5, 1)):  # one for the episodes, one for standing
        env: Any = ScriptedEnv()
        env.task.command = Command((low, 0.0, 0.0), (0.5, 0.0, 0.0))
        evaluate(env, still, 4, controls=False)
        assert len(env.seeds) == resets


def test_a_trunk_on_the_floor_is_seen() -> None:
    env: Any = ScriptedEnv()
    env.fields["qpos"][:, 2] = 0.1  # the trunk's half height
    facts = evaluate(env, still, 4, controls=False).gait
    assert facts is not None
    assert facts.only_feet == 0.0


@pytest.mark.parametrize(
    ("shape", "size", "reach"),
    [
        ("sphere", ".1", 0.1),
        ("capsule", ".1 .2", 0.1 + 0.2 * math.cos(0.5)),
        ("cylinder", ".1 .2", 0.1 * math.sin(0.5) + 0.2 * math.cos(0.5)),
        ("box", ".1 .3 .2", 0.1 * math.sin(0.5) + 0.2 * math.cos(0.5)),
        ("ellipsoid", ".1 .3 .2", math.hypot(0.1 * math.sin(0.5), 0.2 * math.cos(0.5))),
    ],
)
def test_the_lowest_point_of_a_tilted_shape_is_exact(shape: str, size: str, reach: float) -> None:
    model = mujoco.MjModel.from_xml_string(
        f'''<mujoco><worldbody><geom type="plane" size="1 1 1" pos="0 0 .5"/><body><freejoint/>
        <geom type="{shape}" size="{size}"/></body></worldbody></mujoco>'''
    )
    tilted = [0, 0, 2.0, math.cos(0.25), 0, math.sin(0.25), 0]  # 0.5 rad about y
    lowest = gait.Shapes(model, (), 2).lowest(np.tile(tilted, (2, 1)))
    assert lowest.tolist() == pytest.approx([1.5 - reach] * 2)


def test_without_a_success_expression_an_episode_has_to_last() -> None:
    found = evaluate(ScriptedEnv(success=""), half_fall, 4, controls=False)  # type: ignore[arg-type]
    assert found.success.rate == 0.5


def test_evaluation_refuses_impossible_requests() -> None:
    env: Any = ScriptedEnv()
    with pytest.raises(ValueError, match="env: expected num_envs of at least 5"):
        evaluate(env, still, episodes=5, seeds=(0,))
    with pytest.raises(ValueError, match="seeds: expected distinct seeds"):
        evaluate(env, still, episodes=2, seeds=(0, 0))
    with pytest.raises(ValueError, match="episodes: expected at least one a seed"):
        evaluate(env, still, episodes=1, seeds=(0, 1))


def test_json_holds_metrics_by_name_and_no_nan() -> None:
    found = evaluate(ScriptedEnv(), still, 4).to_json()  # type: ignore[arg-type]
    text = json.dumps(found, allow_nan=False)
    assert set(json.loads(text)["error"]) == {"mean", "low", "high", "n"}
    assert set(found["success"]) == {"rate", "low", "high", "n"}
    figures = {"raw", "per_step", "per_second", "per_episode", "share"}
    assert set(found["controls"]["zero"]["terms"]["task.go"]) == figures


def test_joined_terms_have_no_pay_of_their_own_and_lines_are_paid_for_by_name() -> None:
    env: Any = ScriptedEnv()
    env.line_names = ("safety.product", "task.floor")
    env.lines = np.tile(np.float32([0.5, 0.1]), (4, 1))
    env.weighted_of_step = [0.3, 0.0]
    terms = evaluate(env, still, 4, controls=False).terms
    assert list(terms) == ["task.go", "safety.torque", "safety.product", "task.floor"]
    joined, line = terms["safety.torque"], terms["safety.product"]
    assert joined.raw == 4.0 and np.isnan([joined.per_step, joined.per_second, joined.per_episode, joined.share]).all()
    assert math.isnan(line.raw)
    assert [line.per_step, line.per_second, line.per_episode] == pytest.approx([0.5, 0.5 / DT, 0.5 * MAX_STEPS])
    assert line.share == pytest.approx(0.5 / 0.9) and terms["task.floor"].share == pytest.approx(0.1 / 0.9)


def test_a_held_command_tells_the_velocities_that_are_reached() -> None:
    env: Any = ScriptedEnv()
    found = evaluate(env, still, 4, controls=False, held=(0.7, 0.0, 0.2)).held
    assert found is not None and found.command == pytest.approx((0.7, 0.0, 0.2))
    assert [m.mean for m in (found.forward, found.lateral, found.turn)] == pytest.approx([1.0, 0.0, 0.0])
    assert [m.n for m in (found.forward, found.lateral, found.turn)] == [4, 4, 4]
    assert env.held is None
    fallen = hold(env, half_fall, 0, (0.7, 0.0, 0.2))
    assert fallen is not None and fallen.forward.n == 2  # the others fell before they settled


def test_progress_ends_at_one() -> None:
    told: list[tuple[str, float]] = []
    evaluate(ScriptedEnv(), still, 4, progress=lambda *a: told.append(a))  # type: ignore[arg-type]
    assert {label for label, _ in told} == {"policy", "standing", "zero", "random"}
    assert told[-1] == ("random", 1.0)


def test_a_recording_holds_the_state_before_each_action() -> None:
    env: Any = ScriptedEnv()
    recording = record(env, still, seconds=0.5, row=1, command=[0.5, 0, 0])
    assert len(recording) == 5
    assert recording.time.tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert recording.qpos[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert recording.command[:, 0].tolist() == [0.5] * 5
    measured = recording.measured()
    assert measured is not None
    assert measured[0].tolist() == [1.0, 0.0, 0.0]
    assert recording.foot_contact() is not None
    assert env.held is None  # released for whoever uses the environment next


def test_a_schedule_of_commands_takes_effect_in_time() -> None:
    recording = record(
        ScriptedEnv(),
        still,
        seconds=0.6,
        command=[(0.3, [0, 0, 1.0]), (0.0, [1.0, 0, 0])],  # type: ignore[arg-type]
    )
    assert recording.command[:, 0].tolist() == [1, 1, 1, 0, 0, 0]
    assert recording.command[:, 2].tolist() == [0, 0, 0, 1, 1, 1]


def test_a_saved_recording_is_the_same_recording(tmp_path: Path) -> None:
    recording = record(ScriptedEnv(), still, seconds=1.2)  # type: ignore[arg-type]
    again = Recording.load(recording.save(tmp_path / "a.safetensors"))
    assert again.term_names == recording.term_names
    assert again.control_dt == recording.control_dt
    assert again.truncated.tolist() == [False] * 9 + [True] + [False] * 2
    for name, values in recording.signals.items():
        np.testing.assert_array_equal(again.signals[name], values)
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


def test_loading_something_else_is_one_clear_error(tmp_path: Path) -> None:
    text, other = tmp_path / "text", tmp_path / "other.safetensors"
    text.write_text("no recording")
    save_file({"x": np.zeros(3)}, other)
    with pytest.raises(SpecError, match="text: expected a recording"):
        Recording.load(text)
    with pytest.raises(SpecError, match="expected a recording of format"):
        Recording.load(other)


def test_recording_refuses_what_the_environment_does_not_have() -> None:
    env: Any = ScriptedEnv()
    with pytest.raises(ValueError, match="row: expected 0 to 3, got 4"):
        record(env, still, seconds=1, row=4)
    with pytest.raises(ValueError, match="seconds: expected a positive duration"):
        record(env, still, seconds=0)
    with pytest.raises(ValueError, match="command: expected 3 numbers"):
        record(env, still, seconds=1, command=[1.0, 0.0])
    env.command = np.zeros((4, 0), np.float32)
    with pytest.raises(ValueError, match="this task has no command"):
        record(env, still, seconds=1, command=[1.0, 0, 0])
