"""What the commands that only look print."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from pyembody.analysis import Mean
from pyembody.analysis.audit import Audit, TermAudit
from pyembody.cli import main
from pyembody.commands.reward_tables import audit_tables, short


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


def test_the_audit_of_a_task_with_many_terms_fits_80_columns_and_cuts_nothing() -> None:
    names = ("style.roll_pitch_rate", "style.stand_quiet", "safety.joint_acc", "task.near")
    widest = Mean(-9.999e-8, -1.5e-7, -0.5e-7, 48)
    term = TermAudit(widest, -1.0, 0.0, 0.5, 1.0, math.nan)
    joined = replace(term, per_second=Mean(math.nan, math.nan, math.nan, 0), share=math.nan)
    terms = {p: {**dict.fromkeys(names, term), "task.near": joined} for p in ("hold", "zero", "random", "frozen")}
    console = Console(width=80, file=io.StringIO())
    console.print(*audit_tables(Audit(terms, names, np.eye(4), totals=dict.fromkeys(terms, widest))), sep="\n")
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown
    rows = {line.split()[0]: line.split()[1:] for line in shown.split("audit: share")[0].splitlines() if line.split()}
    assert rows["roll_pitch_rate"] == rows["joint_acc"] == ["-1.0e-7±5e-8"] * 4
    assert rows["near"] == ["-"] * 4 and "100%" in shown


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.0925, "-0.0925"), (-7.341e-4, "-7.3e-4"), (1234.5, "1.2e3"), (999.4, "999"), (1e-12, "1.0e-12")],
)
def test_numbers_of_the_audit_are_short(value: float, text: str) -> None:
    assert short(value, 3) == text


def test_reward_check_of_an_illegal_pair_names_what_is_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["reward", "check", "velocity", "--robot", "cartpole"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_doctor_finds_the_core_and_steps(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(["doctor"], capsys)
    assert "SIMD level" in shown
    assert "env-steps/s" in shown
