"""`pyembody reward explain`: channels' rules, gates, stages and parameters in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyembody.cli import main

TASK = """
name = "staged"
robot = "cartpole"
[observations.policy]
angle = "pole_angle"
[terminations]
drop = "abs(pole_angle) > 0.8"
[channels.main]
gate = { level = 0, threshold = 0.2, agg = "sum", compare = ">" }
[channels.main.terms]
up = { expr = "laplace(pole_angle, w)", params = { w = { value = 0.3, low = 0.05, high = 1.0 } } }
wide = { expr = "laplace(cart_pos, w)", params = { w = { value = 0.3, high = 1.0 } } }
[channels.extra]
combine = "product"
gain = 2.0
gate = { level = 1, when = "abs(pole_angle) < 0.3", cap = 5.0 }
[channels.extra.terms]
a = { expr = "tolerance(pole_angle, 0, 0, 0.1)" }
b = { expr = "tolerance(cart_vel, 0, 0, 0.1)" }
[[stages]]
name = "reach"
until = "abs(pole_angle) < 0.02"
hold_s = 0.1
reward = 1.0
timeout_s = 2.0
[[stages]]
name = "done"
terminal = true
[staging]
channel = "main"
shaping = true
"""


@pytest.fixture
def shown(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines printed about the task, runs of blanks as one."""
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "task.toml").write_text(TASK)
    assert main(["reward", "explain", str(tmp_path)]) == 0
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_channel_names_its_rule_and_gain(shown: list[str]) -> None:
    assert "channel main: sum, weight 1, gamma 0.99, lambda 0.95" in shown
    assert "channel extra: product, gain 2, scale rate, weight 1, gamma 0.99, lambda 0.95" in shown


def test_a_gate_is_a_line_with_all_that_it_waits_for(shown: list[str]) -> None:
    where = "; scope episode, place steps"
    assert f"gate of main: level 0, threshold: sum reward > 0.2{where}" in shown
    waits = "waits for the threshold of main, waits until abs(pole_angle) < 0.3, cap 5 an episode"
    assert f"gate of extra: level 1, {waits}{where}" in shown


def test_stages_are_a_table_and_their_two_terms_differ(shown: list[str]) -> None:
    assert "reach 0.1 s - 1 done abs(pole_angle) < 0.02" in shown
    assert "reach - 2 s 0 failed -" in shown
    assert "done - - - ends: success -" in shown and "failed - - - ends: failed -" in shown
    paid, shaping = (next(x for x in shown if x.startswith(f"{n} 1 event")) for n in ("stages", "stage_shaping"))
    assert paid.split("event 1")[1] != shaping.split("event 1")[1]


def test_a_parameter_shows_the_range_that_it_declares(shown: list[str]) -> None:
    assert "main.up.w 0.3 rad 0.05 .. 1" in shown
    assert "main.wide.w 0.3 m above 0, to 1" in shown


def test_the_size_of_a_program_is_grammatical(shown: list[str]) -> None:
    assert shown[-1].endswith("6 terms in 2 channels, 1 observation, 3 signals read, a step of 0.02 s")


def test_success_by_stages_is_said(shown: list[str]) -> None:
    assert "success: a stage that ends as a success" in shown
