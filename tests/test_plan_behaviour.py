"""Behaviours: addresses, merging, presets, stages, and scores of traces."""

from __future__ import annotations

import json
from pathlib import Path

import mujoco
import numpy as np
import pytest
from rich.console import Console

from pyembody.cli import main
from pyembody.commands.l2r import l2r_table
from pyembody.envs.model import build_model
from pyembody.plan import Behaviour, BehaviourStage, merge, parameters
from pyembody.plan.results import TrialRow, read_results
from pyembody.plan.score import Scorer
from pyembody.plan.signals import FLAT
from pyembody.plan.staging import StageWatch
from pyembody.plan.suite import behaviours, load_suite
from pyembody.plan.trace import Trace
from pyembody.spec import load_robot
from pyembody.spec.errors import SpecError
from pyembody.spec.vocabulary import load_vocabulary

VOCABULARY = load_vocabulary("quadruped")
ROBOT = load_robot("go2", "planning")
BUILT = build_model(ROBOT, FLAT, execution=True)
SUITE = load_suite("quadruped")


def trace_of(height: float, seconds: float) -> Trace:
    """A robot that hangs still in its stance at a height."""
    data, trace = mujoco.MjData(BUILT.model), Trace()
    data.qpos[:] = BUILT.home_qpos
    data.qpos[2] = height
    mujoco.mj_forward(BUILT.model, data)
    for _ in range(round(seconds / 0.02)):
        trace.add(BUILT, data, np.array(ROBOT.default_pose), np.zeros(4), 0)
    return trace


def scorer(name: str) -> Scorer:
    return Scorer(SUITE, name, VOCABULARY, ROBOT, BUILT)


def test_an_unknown_address_names_the_nearest() -> None:
    with pytest.raises(SpecError, match="'hight', did you mean 'height'"):
        merge(VOCABULARY, {}, {"torso_height.hight": 0.3})


def test_a_value_out_of_range_is_refused_with_the_range() -> None:
    with pytest.raises(SpecError, match=r"expected 0\.05 to 0\.8 m, got 2"):
        merge(VOCABULARY, {}, {"torso_height.height": 2.0})


def test_merging_keeps_what_was_said_before_and_none_clears() -> None:
    first = merge(VOCABULARY, {}, {"foot_height.FL.height": 0.1, "torso_height.height": 0.2})
    assert merge(VOCABULARY, first, {"foot_height.RR.height": 0.1}) == {**first, "foot_height.RR.height": 0.1}
    assert merge(VOCABULARY, first, {"torso_height.height": None}) == {"foot_height.FL.height": 0.1}


def test_the_order_of_edits_does_not_matter_and_twice_is_once() -> None:
    edits = {"heading.angle": 1.0, "foot_height.FL.height": 0.1}
    once = merge(VOCABULARY, {}, edits)
    assert list(once.items()) == list(merge(VOCABULARY, {}, dict(reversed(edits.items()))).items())
    assert merge(VOCABULARY, once, edits) == once


def test_turning_and_heading_exclude_each_other() -> None:
    facing = merge(VOCABULARY, {}, {"heading.angle": 1.0})
    assert merge(VOCABULARY, facing, {"yaw_rate.speed": 2.0}) == {"yaw_rate.speed": 2.0}
    with pytest.raises(SpecError, match="turning"):
        merge(VOCABULARY, {}, {"heading.angle": 1.0, "yaw_rate.speed": 2.0})


def test_an_edited_template_counts_with_its_own_weight() -> None:
    values = parameters(VOCABULARY, {"yaw_rate.speed": 2.0, "torso_height.weight": 3.0})
    assert values["cost.yaw_rate.weight"] == 0.6
    assert values["cost.torso_height.weight"] == 3.0
    assert values["cost.heading.weight"] == 0.0


def test_each_turn_of_the_suite_adds_to_those_before() -> None:
    spinning = behaviours(VOCABULARY, SUITE.tasks["Q8"])[-1]
    assert set(spinning.edits) >= {"foot_height.FL.height", "foot_height.RR.height", "yaw_rate.speed"}


def test_a_still_and_low_robot_sits() -> None:
    assert scorer("Q3").score(trace_of(0.15, 1.2), [0]).success
    high = scorer("Q3").score(trace_of(0.29, 1.2), [0])
    assert not high.success
    assert high.reason == "low 0 %"


def test_a_window_must_be_whole() -> None:
    assert scorer("Q3").score(trace_of(0.15, 0.9), [0]).reason == "shorter than 1 s"


def test_a_trunk_on_the_floor_is_a_fall_unless_the_task_asks_for_it() -> None:
    assert scorer("Q1").score(trace_of(0.04, 1.2), [0]).reason == "fell"
    assert scorer("Q3").fell(trace_of(0.04, 1.2)) == ""


def test_stages_follow_one_another_when_their_condition_has_held() -> None:
    behaviour = Behaviour(stages=(
        BehaviourStage("low", {"torso_height.height": 0.2}, "time_in_stage > 0.05", hold_s=0.04),
        BehaviourStage("high", {"torso_height.height": 0.3}),
    ))
    watch = StageWatch(VOCABULARY, ROBOT, BUILT, behaviour, 0.02)
    assert watch.edits()["torso_height.height"] == 0.2
    changed = [watch.step({}) for _ in range(6)]
    assert changed.count(True) == 1
    assert watch.edits()["torso_height.height"] == 0.3


def watched(*stages: BehaviourStage, max_retries: int = 3) -> StageWatch:
    return StageWatch(VOCABULARY, ROBOT, BUILT, Behaviour(stages=stages, max_retries=max_retries), 0.02)


def course(watch: StageWatch, steps: int) -> list[int]:
    """The stage after each of some steps."""
    found = []
    for _ in range(steps):
        watch.step({})
        found.append(watch.index)
    return found


def test_a_stage_that_times_out_without_a_way_on_fails() -> None:
    watch = watched(BehaviourStage("never", until="time_in_stage > 100", timeout_s=0.1), BehaviourStage("end"))
    course(watch, 4)
    assert not watch.failed
    course(watch, 1)
    assert watch.failed
    assert course(watch, 3) == [0, 0, 0]


def test_a_stage_goes_on_to_the_next_where_it_is_told_to() -> None:
    watch = watched(
        BehaviourStage("never", until="time_in_stage > 100", timeout_s=0.04, on_fail="next"), BehaviourStage("end")
    )
    assert course(watch, 3) == [0, 1, 1]
    assert not watch.failed


def test_stages_are_retried_so_often_and_then_have_failed() -> None:
    stages = (
        BehaviourStage("first", until="time_in_stage > 0.01", hold_s=0.0),
        BehaviourStage("second", until="time_in_stage > 100", timeout_s=0.04, on_fail="retry:first"),
        BehaviourStage("end"),
    )
    watch = watched(*stages, max_retries=2)
    assert course(watch, 8) == [1, 1, 0, 1, 1, 0, 1, 1]
    assert not watch.failed
    course(watch, 1)
    assert watch.failed


def test_a_stage_may_begin_itself_again() -> None:
    again = BehaviourStage("again", until="time_in_stage > 100", timeout_s=0.04, on_fail="retry:again")
    watch = watched(again, BehaviourStage("end"), max_retries=1)
    begun = [watch.step({}) for _ in range(4)]
    assert begun == [False, True, False, False]
    assert watch.failed


def test_a_broken_invariant_fails_a_stage_at_once_even_the_last() -> None:
    stages = (
        BehaviourStage("rise", until="time_in_stage > 0.01", hold_s=0.0),
        BehaviourStage("hold", invariant="gait_cycles['FL'] > 0", on_fail="retry:rise"),
    )
    watch = watched(*stages)
    held = {"gait_cycles": np.ones((1, 4))}
    for _ in range(5):
        watch.step(held)
    assert watch.index == 1
    assert watch.step({"gait_cycles": np.zeros((1, 4))})
    assert watch.index == 0


@pytest.mark.parametrize(("change", "message"), [
    ({"on_fail": "retry:end"}, "unknown stage so far 'end'"),
    ({"on_fail": "nxt"}, "did you mean 'next'"),
    ({"until": ""}, "until: expected an expression"),
    ({"until": "no_such_signal > 1"}, "no_such_signal"),
])
def test_stages_that_lead_nowhere_are_refused(change: dict[str, str], message: str) -> None:
    first = BehaviourStage(**{"name": "first", "until": "time_in_stage > 1", **change})  # type: ignore[arg-type]
    with pytest.raises(SpecError, match=message):
        watched(first, BehaviourStage("end"))


def test_the_last_stage_has_no_end() -> None:
    first = BehaviourStage("first", until="time_in_stage > 1")
    with pytest.raises(SpecError, match="expected none, as it is the last"):
        watched(first, BehaviourStage("end", until="time_in_stage > 1"))
    with pytest.raises(SpecError, match="as it is the last stage, got 'next'"):
        watched(first, BehaviourStage("end", invariant="time_in_stage < 1", on_fail="next"))


def test_l2r_run_scores_writes_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "results.json"
    arguments = ["l2r", "run", "--tasks", "Q4", "--seeds", "1", "--json", str(file), "--least", "1.0"]
    arguments += ["--first-seed", "3", "--table", str(tmp_path / "table.json")]
    assert main(arguments) == 0
    assert "Q4 seed 3: success" in capsys.readouterr().out
    (row,) = read_results(file).rows
    assert row.success
    (shown,) = json.loads((tmp_path / "table.json").read_bytes())["rows"]
    assert (shown["successes"], shown["seeds"], shown["published"]) == (1, 1, 0.9)
    assert shown["low"] == pytest.approx(0.2065, abs=1e-4)
    assert main(arguments) == 0
    assert "seed 3" not in capsys.readouterr().out
    assert read_results(file).rows == (row,)


def test_the_table_of_the_suite_fits_a_terminal_of_80_columns() -> None:
    rows = [TrialRow(name, 0, False, 0.0, "fell", 60.0, 3.0, 3.0, 0.1234, 0.1234) for name in SUITE.tasks]
    with (console := Console(width=80)).capture() as captured:
        console.print(l2r_table(SUITE, rows))
    assert "Q8 spin with two lifted" in captured.get()
    assert "\u2026" not in captured.get()


def test_l2r_run_names_the_nearest_task(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["l2r", "run", "--tasks", "Q33"]) == 2
    assert "Q3" in capsys.readouterr().err
