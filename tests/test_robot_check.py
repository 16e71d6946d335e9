"""`pyembody robot check`: shipped robots pass, and each fault is found."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from pyembody import spec
from pyembody.cli import main
from pyembody.envs.robot_check import check_model
from pyembody.spec.robot import Robot


def wrong(robot: Robot) -> list[str]:
    return [check.what for check in check_model(robot, seconds=0.5) if not check.passed]


@pytest.mark.parametrize("robot", spec.list_robots())
def test_a_shipped_robot_is_as_expected(robot: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["robot", "check", robot]) == 0
    assert "wrong" not in capsys.readouterr().out


def test_a_sagging_variant_is_told_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["robot", "check", "go2", "--variant", "planning"]) == 1
    assert "base height" in capsys.readouterr().out


def test_a_wrong_mass_and_a_pose_out_of_range_are_found() -> None:
    robot = spec.load_robot("panda_trident")
    assert wrong(robot) == []
    assert wrong(replace(robot, nominal={"mass": 20.0})) == ["mass, kg"]
    bent = replace(robot, default_pose=(*robot.default_pose[:3], 0.5, *robot.default_pose[4:]))
    assert "joints out of range at the start" in wrong(bent)


def test_a_hand_that_meets_itself_is_found() -> None:
    robot = spec.load_robot("panda_trident")
    closed = (*robot.default_pose[:7], *(0.0, 1.2, 1.4) * 3)
    assert "bodies in contact at the start" in wrong(replace(robot, default_pose=closed))
