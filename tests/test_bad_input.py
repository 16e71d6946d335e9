"""What a user can get wrong in files, arrays and words: one clear error each, and nothing half-done."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from pyembody import _core
from pyembody.cli import main
from pyembody.envs import VectorEnv, make_vec
from pyembody.spec import SpecError, find_folder, load_robot, load_task

TASK_FAULTS = [
    ("unknown key", "[episode]\nlength_s", "[episode]\nlenght_s", "length_s"),
    ("unit that does not fit", 'value = 0.31, unit = "m"', 'value = 0.31, unit = "s"', "height"),
    ("metres and seconds added", "square(height - body_height)", "height + number(1, 's')", "height"),
    ("gamma out of range", "[channels.task]\n", "[channels.task]\ngamma = 1.5\n", "gamma"),
    ("not TOML", "[episode]", "[episode", "not TOML"),
    ("unknown signal", '"square(base_lin_vel[2])"', '"square(base_lin_vle[2])"', "base_lin_vel"),
    ("unknown function", '"gauss(turn_error', '"gaus(turn_error', "gauss"),
    ("an import", '"square(base_lin_vel[2])"', '"__import__(0)"', "bounce"),
    ("an attribute", '"square(base_lin_vel[2])"', '"base_lin_vel.__class__"', "bounce"),
    ("a lambda", '"square(base_lin_vel[2])"', '"(lambda: 1)()"', "bounce"),
    ("a vector as a term", '"square(base_lin_vel[2])"', '"base_lin_vel"', "a scalar"),
    ("a huge expression", '"square(base_lin_vel[2])"', '"' + "1+" * 50_000 + '1"', "bounce"),
    ("a deep expression", '"square(base_lin_vel[2])"', '"' + "(" * 500 + "1" + ")" * 500 + '"', ""),
    ("an infinite weight", "weight = 1.5\nexpr", "weight = inf\nexpr", "finite"),
    ("low above high", "low = [-1.0, -0.5, -1.0]", "low = [2.0, -0.5, -1.0]", "low <= high"),
]


@pytest.mark.parametrize(("old", "new", "words"), [f[1:] for f in TASK_FAULTS], ids=[f[0] for f in TASK_FAULTS])
def test_a_fault_in_a_task_file_is_one_line_that_names_it(
    old: str, new: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(find_folder("task", "velocity"), folder)
    file = folder / "task.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    out = tmp_path / "runs"
    assert main(["train", str(folder), "--iterations", "1", "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert len(error) < 1000
    assert words in error
    assert not out.exists()


@pytest.mark.parametrize("text", ["x = 1\n" * 100_000, "x = " + "[" * 5000 + "]" * 5000])
def test_a_task_file_that_is_too_big_or_too_deep_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=r"task\.toml"):
        load_task(str(tmp_path))


ROBOT_FAULTS = [
    ("a joint twice", '"FL_hip_joint", "FL_thigh_joint"', '"FL_hip_joint", "FL_hip_joint"', "2 times"),
    ("a joint that the model lacks", '"FL_hip_joint", "FL', '"FL_hib_joint", "FL', "FL_hip_joint"),
    ("a foot that the model lacks", 'feet = ["FL"', 'feet = ["FX"', "FX"),
    ("a missing model file", 'model = "model.xml"', 'model = "other.xml"', "other.xml"),
]


@pytest.mark.parametrize(("old", "new", "words"), [f[1:] for f in ROBOT_FAULTS], ids=[f[0] for f in ROBOT_FAULTS])
def test_a_fault_in_a_robot_file_names_it(old: str, new: str, words: str, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(find_folder("robot", "go2"), folder)
    file = folder / "robot.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SpecError, match=words):
        VectorEnv(load_task("velocity"), load_robot(str(folder)), 1)


def test_a_broken_model_file_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(find_folder("robot", "go2"), folder)
    (folder / "model.xml").write_text("<mujoco><worldbody></mujoco>", encoding="utf-8")
    with pytest.raises(SpecError, match=r"model\.xml"):
        VectorEnv(load_task("velocity"), load_robot(str(folder)), 1)


def test_an_illegal_pair_lists_everything_that_is_missing() -> None:
    with pytest.raises(SpecError) as caught:
        make_vec("velocity", "cartpole", 1)
    assert "foot_force" in str(caught.value) or "feet" in str(caught.value)


@pytest.fixture(scope="module")
def env() -> VectorEnv:
    made = make_vec("velocity", "go2", num_envs=3, threads=1)
    made.reset(seed=0)
    return made


def _nan() -> np.ndarray:
    actions = np.zeros((3, 12), np.float32)
    actions[1, 4] = np.nan
    return actions


BAD_ACTIONS = [
    (np.zeros((3, 11), np.float32), r"\(3, 12\), got \(3, 11\)"),
    (np.zeros(12, np.float32), r"\(3, 12\), got \(12,\)"),
    (np.full((3, 12), "go"), "dtype"),
    (np.zeros((3, 12), complex), "dtype"),
    (np.zeros((3, 12), object), "dtype"),
    (_nan(), "row 1, column 4"),
]


@pytest.mark.parametrize(("actions", "words"), BAD_ACTIONS, ids=[w for _, w in BAD_ACTIONS])
def test_bad_actions_are_named_and_step_nothing(env: VectorEnv, actions: np.ndarray, words: str) -> None:
    before = env.batch.state.copy()
    with pytest.raises(ValueError, match=f"actions: .*{words}"):
        env.step(actions)
    np.testing.assert_array_equal(env.batch.state, before)


def test_step_before_reset_is_an_error() -> None:
    fresh = make_vec("velocity", "go2", num_envs=1)
    with pytest.raises(RuntimeError, match="reset first"):
        fresh.step(np.zeros((1, 12), np.float32))


def test_no_environments_is_an_error() -> None:
    with pytest.raises(ValueError, match="num_envs: expected at least 1, got 0"):
        make_vec("velocity", "go2", num_envs=0)


@pytest.mark.parametrize("mask", [np.ones(3), np.ones(2, bool), np.zeros(3, bool), [True] * 3])
def test_a_bad_reset_mask_is_named(env: VectorEnv, mask: object) -> None:
    with pytest.raises(ValueError, match="reset_mask"):
        env.reset(options={"reset_mask": mask})


@pytest.mark.parametrize("command", [[np.nan, 0, 0], [1, 0], np.zeros((2, 3))])
def test_a_bad_command_is_named(env: VectorEnv, command: object) -> None:
    with pytest.raises(ValueError, match="command"):
        env.set_command(command)


def test_one_bad_parameter_changes_none(env: VectorEnv) -> None:
    before = env.params.copy()
    with pytest.raises(SpecError, match="foot_clearance"):
        env.set_params({"body_height": 0.3, "foot_clearanse": 0.1})
    with pytest.raises(SpecError, match="expected a value in"):
        env.set_params({"body_height": 0.3, "foot_clearance": 9.0})
    np.testing.assert_array_equal(env.params, before)


def test_a_state_of_another_size_is_refused_and_changes_nothing(env: VectorEnv) -> None:
    other = make_vec("velocity", "go2", num_envs=2)
    other.reset(seed=1)
    before = env.batch.state.copy()
    with pytest.raises(SpecError, match="expected"):
        env.load_state_dict(other.state_dict())
    np.testing.assert_array_equal(env.batch.state, before)


def _evaluator(env: VectorEnv, outputs: list[np.ndarray], params: np.ndarray) -> object:
    program = env.program.build()
    inputs = [env.signal(s.name) for s in env.program.inputs]
    flags, bad = np.zeros(3, np.uint32), np.full(3, -1, np.int32)
    return _core.Evaluator(program, _core.State(program, 3), inputs, outputs, params, flags, bad, 1)


def test_the_core_names_an_output_that_is_wrong_or_read_only(env: VectorEnv) -> None:
    right = [a.copy() for a in env.outputs.values()]
    _evaluator(env, right, env.params)
    for wrong in (right[0].astype(np.int64), np.zeros((2, 9), np.uint8)):
        with pytest.raises((ValueError, TypeError), match="expected"):
            _evaluator(env, [wrong, *right[1:]], env.params)
    frozen = right[0].copy()
    frozen.flags.writeable = False
    with pytest.raises((ValueError, TypeError)):
        _evaluator(env, [frozen, *right[1:]], env.params)
    with pytest.raises((ValueError, TypeError), match="expected"):
        _evaluator(env, right, env.params.astype(np.float64))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_the_core_refuses_to_work_after_fork(env: VectorEnv) -> None:
    env.step(np.zeros((3, 12), np.float32))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            env.running.evaluator.step()
            os.write(writer, b"worked")
        except RuntimeError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    assert "fork" in said, said


WORDS = [
    ("do a triple somersault", "somersault"),
    ("run at 90 m/s", "m/s"),
    ("run " * 200, "400"),
    ("don't walk", "not"),
    ("walk at 3", "unit"),
]


@pytest.mark.parametrize(("sentence", "words"), WORDS, ids=[w for _, w in WORDS])
def test_a_sentence_that_is_not_understood_starts_nothing(
    sentence: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "runs"
    assert main(["train", "velocity", "--say", sentence, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert words in error
    assert not out.exists()
