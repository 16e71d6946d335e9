"""Distillation: what is taught, what the policy sees, how it is fitted, and that it goes on where it was stopped."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace as with_fields
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pyembody.envs import VectorEnv
from pyembody.learn import Interrupted, NotFiniteError, load_policy
from pyembody.learn.distill import Distill, Said, create_distillation, distil, load_pilot, read_settings, rounds
from pyembody.learn.distill.episodes import Episode, episode_path, episodes_left, read_episode, run_episode
from pyembody.learn.distill.expert import TURN_STEPS, Expert, Teaching
from pyembody.learn.distill.fit import fit
from pyembody.learn.distill.lessons import HELD_FROM, HELD_TO, load_student, taught
from pyembody.learn.distill.pilot import Observer, PolicyPilot, action_of, control_of
from pyembody.learn.distill.student import behaviour_params, reachable, student_robot, student_task
from pyembody.learn.run_folder import read_run
from pyembody.plan import Behaviour, Runner
from pyembody.plan.suite import behaviours, load_suite
from pyembody.plan.trial import Stage
from pyembody.spec import SpecError, Train, load_robot
from pyembody.spec.vocabulary import load_vocabulary

SUITE = load_suite("quadruped")
VOCABULARY = load_vocabulary("quadruped")
ROBOT = load_robot("go2", "planning")
STUDENT = load_student("quadruped")
TINY = Distill("quadruped", ("Q3", "Q6"), episodes=1, rounds=2, episodes_again=1, planners=1, steps=20, minibatch=8)


def quick_stage() -> Stage:
    """The suite with a planner that hardly looks and turns that hardly last."""
    planner = msgspec.structs.replace(SUITE.planners["steady"], candidates=6, horizon=8, rounds=1)
    tasks = {
        name: msgspec.structs.replace(
            task, turns=tuple(msgspec.structs.replace(turn, limit_s=0.1) for turn in task.turns)
        )
        for name, task in SUITE.tasks.items()
    }
    return Stage(msgspec.structs.replace(SUITE, planners={**SUITE.planners, "steady": planner}, tasks=tasks))


def still(observations: np.ndarray) -> np.ndarray:
    return np.zeros((len(observations), 12), np.float32)


# ---- what is taught ---------------------------------------------------------------------------------------------


def test_offsets_stay_out_of_the_part_that_is_held_back_and_tests_stay_in_it() -> None:
    low, high = STUDENT.spread["Q6"]["foot_height.FR.height"]
    rng = np.random.default_rng(0)
    for held in (False, True):
        heights = [
            taught(VOCABULARY, SUITE, STUDENT, "Q6", rng, held)[0].edits["foot_height.FR.height"] for _ in range(200)
        ]
        place = (np.array(heights) - 0.1 - low) / (high - low)
        inside = (place > HELD_FROM + 1e-9) & (place < HELD_TO - 1e-9)
        assert inside.all() == held
        assert inside.any() == held
        assert place.min() >= -1e-9
        assert place.max() <= 1 + 1e-9


def test_all_turns_of_a_task_are_offset_alike() -> None:
    before, after = (t.edits["foot_height.FR.height"] for t in taught(
        VOCABULARY, SUITE, STUDENT, "Q7", np.random.default_rng(1)))
    assert after - before == pytest.approx(0.05)


def test_the_policy_acts_more_from_round_to_round() -> None:
    assert [TINY.share(k) for k in range(3)] == [0.0, 0.5, 1.0]
    assert [Distill("quadruped", ("Q3",), rounds=1).share(k) for k in range(2)] == [0.0, 1.0]
    assert TINY.lessons() == [(part, task, 0) for part in range(3) for task in ("Q3", "Q6")]


# ---- what the policy sees ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SUITE.tasks)
def test_the_student_of_every_task_runs_as_an_environment(name: str) -> None:
    env = VectorEnv(student_task(VOCABULARY, SUITE, STUDENT, [name]), student_robot(ROBOT), 2, threads=1)
    observations, _ = env.reset(seed=0)
    assert np.isfinite(observations).all()
    _, rewards, _, _, _ = env.step(np.zeros((2, 12), np.float32))
    assert (rewards <= 0).all()
    assert not env.faults.first


def test_a_runner_and_an_environment_show_a_policy_the_same() -> None:
    task = student_task(VOCABULARY, SUITE, STUDENT, ["Q5", "Q6"])
    plain = msgspec.structs.replace(task, reset=type(task.reset)())
    env = VectorEnv(plain, student_robot(ROBOT), 1, threads=1)
    shown, _ = env.reset(seed=0)
    runner = Runner(VOCABULARY, ROBOT, SUITE.planners)
    runner.pilot = lambda r: r.control
    runner.say(behaviours(VOCABULARY, SUITE.tasks["Q5"])[0])
    observer = Observer(task, runner)
    assert observer(runner) == pytest.approx(shown, abs=1e-3)
    for _ in range(4):
        runner.step()
        seen = observer(runner)
        shown = env.step(still(shown))[0]
    layout = {b.name: b.columns for b in env.program.observation_layout["policy"]}
    for name in ("gait", "said_yaw_rate_speed", "asked_foot_height_fr", "up", "joint_pos"):
        assert seen[0, layout[name]] == pytest.approx(shown[0, layout[name]], abs=2e-2), name
    assert seen[0, layout["gait"]] == pytest.approx([np.sin(0.16 * 2 * np.pi), np.cos(0.16 * 2 * np.pi)], abs=1e-4)


def test_what_is_asked_for_is_seen_scaled_and_the_rest_is_off() -> None:
    params = behaviour_params(VOCABULARY, {"foot_height.FR.height": 0.1})
    assert params["foot_height_fr_height"] == 0.1
    assert params["asked_foot_height_fr"] == 1.0
    assert params["asked_foot_height_fl"] == params["asked_heading"] == params["foot_height_fl_height"] == 0.0
    assert params["torso_height_height"] == 0.288
    runner = Runner(VOCABULARY, ROBOT, SUITE.planners)
    runner.pilot = lambda r: r.control
    task = student_task(VOCABULARY, SUITE, STUDENT, ["Q6"])
    observer = Observer(task, runner)
    runner.say(Behaviour({"foot_height.FR.height": 0.1}))
    assert observer(runner)[0, -2:] == pytest.approx([1.0, 0.1 / 0.25 - 1])
    runner.say(Behaviour({"heading.angle": 0.1}))
    assert observer(runner)[0, -2:] == pytest.approx([0.0, -1.0])


def test_only_names_that_are_needed_are_kept() -> None:
    assert reachable({"a": "b + 1", "b": "2", "c": "a", "d": "c"}, ["max(a, 0)"]) == {"a": "b + 1", "b": "2"}


def test_actions_and_controls_are_each_others_inverse() -> None:
    runner = Runner(VOCABULARY, ROBOT, SUITE.planners)
    action = np.linspace(-1, 1, 12, dtype=np.float32)
    assert action_of(runner, control_of(runner, action)) == pytest.approx(action, abs=1e-6)


# ---- what is learnt ---------------------------------------------------------------------------------------------


def test_a_fit_whose_step_is_no_number_is_named() -> None:
    rng = np.random.default_rng(0)
    observations, actions = (rng.standard_normal((50, n)).astype(np.float32) for n in (4, 2))
    config = Train(actor_hidden=(8,), critic_hidden=(1,))
    wild = msgspec.structs.replace(TINY, rate=1e38)
    with pytest.raises(NotFiniteError, match=r"round 2, step 2 of 20: .* of the policy; lower rate \(1e\+38\)"):
        fit(observations, actions, config, wild, 2)
    actions[3, 1] = np.nan
    with pytest.raises(NotFiniteError, match="round 2: not finite: actions of the lessons"):
        fit(observations, actions, config, TINY, 2)


def test_a_fit_finds_a_function_of_the_observations_and_equal_data_give_equal_bits() -> None:
    rng = np.random.default_rng(0)
    observations = (5 + 3 * rng.standard_normal((600, 4))).astype(np.float32)
    actions = np.stack([np.tanh(observations[:, 0] - 5), 0.2 * observations[:, 1]], 1)
    config = Train(actor_hidden=(64, 64), critic_hidden=(1,))
    settings = Distill("quadruped", ("Q3",), steps=400, minibatch=64, rate=0.01, blur=0.0)
    first = fit(observations, actions, config, settings, 1)
    assert first.loss < 5e-3
    again = fit(observations, actions, config, settings, 1)
    assert all((first.arrays[k] == again.arrays[k]).all() for k in first.arrays)


def test_the_expert_is_the_mean_of_planners_that_go_on_from_it() -> None:
    stage = quick_stage()
    controls = []
    for count in (1, 1, 3):
        runner = Runner(VOCABULARY, ROBOT, stage.suite.planners)
        runner.pilot = Expert(count, seed=0 if count == 3 or not controls else 1)
        runner.say(Behaviour({"foot_height.FR.height": 0.1}))
        runner.step()
        controls.append(runner.trace.controls[0])
        assert runner.planner.plan.index == 4
    assert not np.array_equal(controls[0], controls[1])
    assert not np.array_equal(controls[0], controls[2])


def test_an_episode_writes_down_what_the_expert_says_whoever_acts() -> None:
    stage = quick_stage()
    task = student_task(VOCABULARY, SUITE, STUDENT, TINY.tasks)
    for part in (0, 2):
        episode = run_episode(stage, STUDENT, TINY, (part, "Q6", 0), PolicyPilot(task, still))
        assert episode.observations.shape[0] == len(episode.actions) == 5
        assert not episode.success
        assert episode.kept == (part > 0)
        assert np.abs(episode.actions).max() > 0.0


def test_the_policy_and_the_planner_take_turns() -> None:
    runner = Runner(VOCABULARY, ROBOT, quick_stage().suite.planners)
    task = student_task(VOCABULARY, SUITE, STUDENT, TINY.tasks)
    teaching = Teaching(Expert(1, 0), PolicyPilot(task, still), 0.5, np.random.default_rng(0))
    runner.pilot = teaching
    runner.say(behaviours(VOCABULARY, SUITE.tasks["Q6"])[0])
    runner.run(6 * TURN_STEPS * runner.control_dt)
    own = np.array([np.allclose(control, ROBOT.default_pose) for control in runner.trace.controls])
    turns = own.reshape(6, TURN_STEPS)
    assert (turns.all(axis=1) | ~turns.any(axis=1)).all()
    assert 0 < turns.all(axis=1).sum() < 6
    assert len(teaching.labels) == 6 * TURN_STEPS


def test_the_planner_goes_on_from_what_the_policy_did() -> None:
    runner = Runner(VOCABULARY, ROBOT, quick_stage().suite.planners)
    expert = Expert(1, 0)
    runner.pilot = lambda r: r.control
    runner.say(behaviours(VOCABULARY, SUITE.tasks["Q6"])[0])
    own = expert(runner)
    knots, done = runner.planner.plan.knots, own + np.linspace(-0.1, 0.1, 12)
    expert.go_on_from(runner, done)
    assert runner.planner.control(0.0) == pytest.approx(done)
    assert runner.planner.plan.knots - knots == pytest.approx(np.tile(done - own, (len(knots), 1)))


def test_the_policy_sees_what_was_done_last() -> None:
    task = student_task(VOCABULARY, SUITE, STUDENT, ["Q6"])
    runner = Runner(VOCABULARY, ROBOT, SUITE.planners)
    observer = Observer(task, runner)
    action = np.linspace(-0.2, 0.2, 12, dtype=np.float32)
    runner.pilot = lambda r: control_of(r, action)
    runner.say(behaviours(VOCABULARY, SUITE.tasks["Q6"])[0])
    observer(runner)
    runner.step()
    env = VectorEnv(task, student_robot(ROBOT), 1, threads=1)
    columns = next(b.columns for b in env.program.observation_layout["policy"] if b.name == "last")
    assert observer(runner)[0, columns] == pytest.approx(action, abs=1e-6)
    env.reset(seed=0)
    assert env.step(action[None])[0][0, columns] == pytest.approx(action, abs=1e-6)


# ---- the whole of it --------------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Episodes at once: the same actions whatever is seen, of a policy that is asked."""
    task = student_task(VOCABULARY, SUITE, STUDENT, TINY.tasks)
    width = VectorEnv(task, student_robot(ROBOT), 1, threads=1).observations.shape[1]

    def episode(_: Stage, __: object, settings: Distill, lesson: tuple[int, str, int], pilot: PolicyPilot) -> Episode:
        part, name, number = lesson
        rng = np.random.default_rng([settings.seed, part, number, len(name)])
        rows = rng.standard_normal((30, width)).astype(np.float32)
        actions = np.full((30, 12), 0.5, np.float32) if part == 0 else 0.5 * pilot.act(rows) + 0.25
        return Episode(part, name, part == 0, "", rows, actions.astype(np.float32))

    monkeypatch.setattr(rounds, "run_episode", episode)


@pytest.mark.usefixtures("quick")
def test_a_stopped_distillation_goes_on_to_the_same_policy(tmp_path: Path) -> None:
    runs = [create_distillation(TINY, tmp_path / name) for name in ("a", "b")]
    told: list[Said] = []
    distil(runs[0], told.append)
    assert [s.part for s in told if s.episode] == [0, 0, 1, 1, 2, 2]
    assert [s.done for s in told if s.episode and s.part == 2] in ([5, 6], [6, 6])
    assert [s.rows for s in told if s.episode is None] == [60, 120, 180]
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted, match="pyembody resume"):
        distil(runs[1], told.append, stop)
    for number in (1, 3):  # episodes end in any order
        episode_path(runs[1], number).unlink(missing_ok=True)
    while episodes_left(runs[1], len(TINY.lessons())):
        with suppress(Interrupted):
            distil(runs[1], told.append, stop)
    distil(runs[1], told.append)
    rows = np.zeros((3, load_policy(runs[0]).observation_size), np.float32)
    assert (load_policy(runs[0])(rows) == load_policy(runs[1])(rows)).all()
    assert read_settings(runs[1]) == TINY


@pytest.mark.usefixtures("quick")
def test_the_policy_is_a_run_that_drops_into_evaluation_and_into_the_planners_place(tmp_path: Path) -> None:
    run = create_distillation(TINY, tmp_path)
    distil(run, lambda _: None)
    spec = read_run(run)
    env = VectorEnv(spec.task, spec.robot, 2, threads=1)
    observations, _ = env.reset(seed=0)
    policy = load_policy(run)
    assert policy(observations).shape == (2, 12)
    assert (policy.values(observations, observations) == 0).all()
    runner = Runner(VOCABULARY, ROBOT, SUITE.planners)
    runner.pilot = load_pilot(run)
    runner.say(behaviours(VOCABULARY, SUITE.tasks["Q3"])[0])
    runner.run(0.1)
    assert len(runner.trace) == 5
    assert not np.array_equal(runner.trace.controls[0], np.array(ROBOT.default_pose))


@pytest.mark.usefixtures("quick")
def test_tasks_that_the_planner_never_does_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    episode = rounds.run_episode
    monkeypatch.setattr(rounds, "run_episode", lambda *a: with_fields(episode(*a), success=False, reason="fell"))
    run = create_distillation(TINY, tmp_path)
    with pytest.raises(SpecError, match=r"none of Q3, Q6 \(fell\)"):
        distil(run, lambda _: None)


def test_a_damaged_episode_is_named(tmp_path: Path) -> None:
    (tmp_path / "dataset").mkdir()
    path = tmp_path / "dataset" / "000000.safetensors"
    path.write_bytes(b"not an episode")
    with pytest.raises(SpecError, match=r"000000\.safetensors: expected an episode"):
        read_episode(tmp_path, 0)


def test_an_unknown_task_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="unknown task 'Q33', did you mean 'Q3'"):
        create_distillation(msgspec.structs.replace(TINY, tasks=("Q33",)), tmp_path)
