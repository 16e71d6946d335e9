"""What the commands that only look print."""

from __future__ import annotations

import pytest

from pyembody.cli import main


def printed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_list_names_robots_tasks_and_variants(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(["list"], capsys)
    for name in ("go2", "velocity", "deployable", "rough"):
        assert name in shown


def test_list_of_one_kind_leaves_out_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(["list", "robots"], capsys)
    assert "go2" in shown
    assert "velocity" not in shown


def test_robot_show_names_joints_gains_and_signals(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(["robot", "show", "go2"], capsys)
    for name in ("FL_hip_joint", "RR_calf_joint", "base_lin_vel", "m/s"):
        assert name in shown


def test_reward_explain_prints_each_term_with_unit_and_weight(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = printed(["reward", "explain", "velocity", "--robot", "go2"], capsys)
    torque = next(line for line in shown.splitlines() if line.split()[:1] == ["torque"])
    assert torque.split()[1:3] == ["-0.0002", "rate"]
    assert "m^4/s^4" in torque
    assert "normsq(joint_torque)" in torque
    for channel in ("task", "style", "safety"):
        assert f"channel {channel}" in shown


def test_reward_check_of_a_legal_pair_says_that_nothing_was_found_and_in_what(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = printed(["reward", "check", "velocity", "--variant", "deployable"], capsys)
    first, second = shown.splitlines()
    assert first == "no faults found"
    assert "velocity on go2" in second


def test_reward_check_of_an_illegal_pair_names_what_is_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["reward", "check", "velocity", "--robot", "cartpole"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_doctor_finds_the_core_and_steps(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(["doctor"], capsys)
    assert "SIMD level" in shown
    assert "env-steps/s" in shown
