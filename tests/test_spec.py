"""Specifications: what is accepted, what is refused, and how the refusal reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pyembody import spec
from pyembody.spec import Robot, SpecError, Task

Data = dict[str, Any]

TASK: Data = {
    "name": "toy",
    "observations": {"policy": {"angle": "joint_pos"}},
    "channels": {"task": {"terms": {"up": {"expr": "1", "weight": 2.0, "params": {"sigma": 0.5}}}}},
    "params": {"height": {"value": 0.3, "unit": "m", "low": 0.2, "high": 0.4}},
    "command": {"low": [-1, -1, -1], "high": [1, 1, 1]},
}
ROBOT: Data = {"name": "arm", "joints": ["a", "b"], "control": {"kp": 20.0}, "default_pose": [0.0, 0.0]}


def task_with(change: Callable[[Data], object]) -> Task:
    data = msgspec.json.decode(msgspec.json.encode(TASK))
    change(data)
    task = spec.convert(data, Task, "toy.toml")
    spec.load.check_task(task, "toy.toml")
    return task


def robot_with(**change: Any) -> Robot:
    robot = spec.convert({**ROBOT, **change}, Robot, "arm.toml")
    spec.load.check_robot(robot, "arm.toml")
    return robot


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(comand={}), r"toy.toml: unknown key 'comand', did you mean 'command'\?"),
        (lambda d: d["channels"]["task"]["terms"]["up"].update(wieght=1),
         r"channels.task.terms.up: unknown key 'wieght', did you mean 'weight'\?"),
        (lambda d: d["channels"]["task"]["terms"]["up"].update(weight="2"),
         r"channels.task.terms.up.weight: expected `float`, got `str`"),
        (lambda d: d["channels"]["task"]["terms"]["up"].update(scale="rat"),
         r"terms.up.scale: unknown value 'rat', did you mean 'rate'"),
        (lambda d: d["channels"]["task"].update(weight=-1.0), r"channels.task.weight: expected `float` >= 0.0"),
        (lambda d: d["params"]["height"].update(value=0.5),
         r"params.height: expected a value in \[0.2, 0.4\], got 0.5"),
        (lambda d: d["command"].update(low=[2, -1, -1]), r"command.low/high\[0\]: expected low <= high, got 2"),
        (lambda d: d["command"].update(resample_s=[0, 1]), r"command.resample_s"),
        (lambda d: d["observations"].update(polcy={}), r"unknown group 'polcy', did you mean 'policy'\?"),
        (lambda d: d.update(observations={}), r"observations.policy: expected at least one observation"),
        (lambda d: d.update(channels={}), r"channels: expected at least one term"),
        (lambda d: d.update(let={"Bad Name": "1"}), r"'Bad Name': expected a name of lower-case letters"),
        (lambda d: d.update(delay_steps=[2, 1]), r"delay_steps: expected low <= high"),
        (lambda d: d["channels"]["task"]["terms"]["up"]["params"].update(sigma=float("nan")), r"expected finite"),
    ],
)
def test_wrong_task_is_refused_with_place_and_nearest_name(change: Callable[[Data], object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        task_with(change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"default_pose": [0.0]}, r"default_pose: expected 2 entries, one per joint, got 1"),
        ({"joints": ["a", "a"]}, r"joints: 'a' appears 2 times"),
        ({"control": {"kp": [1.0, 2.0, 3.0]}}, r"control.kp: expected 2 entries"),
        ({"mirror": {"joints": ["a", "c"], "signs": [1, 1]}}, r"mirror.joints: unknown joint 'c'"),
        ({"signals": [{"name": "x", "unit": "m", "source": "a", "values": [1.0]}]}, r"signals.x: expected either"),
        ({"physics": {"timestep": -0.1}}, r"physics.timestep"),
    ],
)
def test_wrong_robot_is_refused(change: Data, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        robot_with(**change)


def test_equal_meaning_has_equal_hash_and_any_change_another() -> None:
    task = task_with(lambda d: None)
    reordered = spec.convert(dict(reversed(list(TASK.items()))), Task, "toy.toml")
    assert spec.spec_hash(task) == spec.spec_hash(reordered)
    assert spec.spec_hash(task) != spec.spec_hash(task_with(lambda d: d["params"]["height"].update(value=0.31)))


def test_canonical_form_reads_back_as_the_same_task() -> None:
    task = spec.load_task("velocity")
    again = spec.decode(Task, spec.canonical(task), "canonical")
    assert spec.canonical(again) == spec.canonical(task)
    assert list(again.observations["policy"]) == list(task.observations["policy"])


def test_variant_overlays_and_removes_keys() -> None:
    base, variant = spec.load_task("velocity"), spec.load_task("velocity", "deployable")
    assert "base_lin_vel" in base.observations["policy"]
    assert "base_lin_vel" not in variant.observations["policy"]
    assert "base_lin_vel" in variant.observations["critic"]
    assert variant.channels == base.channels


def test_unknown_names_say_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="unknown task 'velocty', did you mean 'velocity'?"):
        spec.load_task("velocty")
    with pytest.raises(SpecError, match="unknown variant 'ruff'.*rough"):
        spec.load_task("velocity", "ruff")
    with pytest.raises(SpecError, match="expected a folder with a robot.toml"):
        spec.load_robot(str(tmp_path))


@pytest.mark.parametrize("text", [b"name = ", b"\xff\xfe", b"a = 1\n" * 60_000, b"x = " + b"[" * 3000])
def test_broken_file_is_one_error_that_names_it(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "task.toml").write_bytes(text)
    with pytest.raises(SpecError, match="task.toml"):
        spec.load_task(str(tmp_path))
