"""`pyembody do`: what is understood is done, told in words and written; what is not is refused with the nearest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pyembody.cli import main
from pyembody.commands import do
from pyembody.commands.planning import camera_azimuth
from pyembody.commands.watch import Watch, targets
from pyembody.plan import Behaviour, Runner
from pyembody.plan.suite import Suite, load_suite
from pyembody.spec import load_robot
from pyembody.spec.vocabulary import load_vocabulary
from pyembody.viz.camera import AZIMUTH
from pyembody.viz.rerun_log import curves

SUITE = load_suite("quadruped")
VOCABULARY = load_vocabulary("quadruped")
ROBOT = load_robot("go2", "planning")


def still_runner(suite: Suite = SUITE, **_: object) -> Runner:
    """A go2 that holds its stance, whatever is asked for."""
    runner = Runner(VOCABULARY, ROBOT, suite.planners)
    runner.pilot = lambda r: r.control
    return runner


def watched(edits: dict[str, float], seconds: float = 0.3) -> Watch:
    watch = Watch(still_runner(), seconds)
    watch.runner.say(Behaviour(edits))
    watch.run()
    return watch


def test_the_camera_stands_where_it_sees_the_named_feet() -> None:
    runner = still_runner()
    left, right = (camera_azimuth(runner, [foot]) for foot in ("FL", "FR"))
    assert 20 < left < 70
    assert right == pytest.approx(-left, abs=1)
    assert 110 < camera_azimuth(runner, ["RL"]) < 160
    assert camera_azimuth(runner, ["FL", "FR"]) == pytest.approx(0, abs=1)
    assert camera_azimuth(runner, ["FL", "RR"]) == camera_azimuth(runner, []) == AZIMUTH


def test_what_is_not_understood_is_refused_with_the_nearest_intents(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["do", "fetch the newspaper", "--out", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "not understood; nearest: 'sit down'" in told
    assert list(tmp_path.iterdir()) == []


def test_a_robot_that_nothing_plans_for_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["do", "sit down", "--robot", "go3"]) == 2
    assert "unknown robot that plans 'go3', did you mean 'go2'?" in capsys.readouterr().err


def test_terms_are_watched_at_every_control_step() -> None:
    watch = watched({"foot_height.FR.height": 0.1})
    assert len(watch.rows) == len(watch.runner.trace) == 15
    lifted = next(t for t in watch.rows[-1] if t.term == "foot_height.FR")
    assert lifted.off == pytest.approx(0.1, abs=0.01)
    assert lifted.cost == pytest.approx(2.0 * (np.hypot(lifted.off, 0.1) - 0.1), rel=1e-3)
    assert not lifted.reached
    assert watch.units["foot_height.FR"] == "m"
    assert watch.time() == pytest.approx(0.3)


def test_the_live_table_holds_each_term_and_their_sum() -> None:
    watch = watched({"foot_height.FR.height": 0.1}, 0.1)
    table = watch.table()
    assert next(iter(table.columns[0].cells)) == "foot_height.FR"
    total = float(list(table.columns[2].cells)[-1])
    assert total == pytest.approx(sum(t.cost for t in watch.rows[-1]), abs=1e-3)


def test_targets_say_what_was_reached_and_what_was_not() -> None:
    watch = watched({"foot_height.FR.height": 0.1, "torso_pitch.angle": 0.0})
    level, lifted = targets(watch, ["torso_pitch", "foot_height.FR"])
    assert level.since_s == 0.0
    assert lifted.since_s is None
    assert str(lifted).startswith("foot_height.FR: not held within its tolerance, 0.101 m off")
    assert do.judge(watch, [level, lifted]) == ("partly done: 1 of 2 targets reached", 1)
    assert do.judge(watch, [lifted]) == ("not done: 0 of 1 targets reached", 1)
    assert do.judge(watch, [level]) == ("done: 1 of 1 targets reached", 0)


def test_a_sentence_of_the_suite_is_judged_by_the_suite() -> None:
    task = SUITE.tasks["Q3"]
    watch = watched({**VOCABULARY.presets[task.turns[0].preset], **task.turns[0].edits}, 1.1)
    said = do.judge_task(watch, SUITE)
    assert said is not None
    assert said[1] == 1
    assert said[0].startswith("not done: sit down (Q3)")
    assert do.judge_task(watched({"torso_height.height": 0.3}, 0.1), SUITE) is None


def test_each_instance_of_a_task_is_judged_by_the_suite() -> None:
    suite = load_suite("manipulation")
    runner = Runner(load_vocabulary("manipulation"), load_robot(suite.robot, "planning"), suite.planners)
    runner.pilot = lambda r: r.control
    runner.say(Behaviour({"height.box.z": 0.5, "distance.palm-box.d": 0.0, "grasp.box.weight": 3.0}))
    watch = Watch(runner, 1.2, whole=True)
    watch.run()
    assert watch.time() == pytest.approx(1.2)
    said = do.judge_task(watch, suite)
    assert said is not None
    assert said[0].startswith("not done: lift object (M2)")


def test_a_sentence_ends_in_words_and_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(do, "make_runner", still_runner)
    code = main(["do", "lift the front right paw", "--seconds", "0.2", "--no-video", "--out", str(tmp_path)])
    shown = capsys.readouterr().out
    assert code == 1
    assert "foot_height.FR.height" in shown and "understood: lift paw" in shown
    assert "not done: lift one paw (Q6)" in shown
    (folder,) = (tmp_path / "do").iterdir()
    outcome = json.loads((folder / "outcome.json").read_text())
    assert outcome["edits"] == {"foot_height.FR.height": 0.1}
    assert [t["since_s"] for t in outcome["targets"]] == [None]


def test_the_recording_holds_what_each_term_cost() -> None:
    watch = watched({"foot_height.FR.height": 0.1}, 0.1)
    recording = do.recording_of_watch(watch)
    found = curves(recording)
    assert found["terms/foot_height/FR"] == pytest.approx(
        [t.cost for row in watch.rows for t in row if t.term == "foot_height.FR"], rel=1e-6
    )
    assert found["joint_pos/FL_hip_joint"].shape == (5,)


def test_a_live_view_sends_poses_and_numbers(tmp_path: Path) -> None:
    rerun = pytest.importorskip("rerun")
    from pyembody.commands.planning import motion_model
    from pyembody.viz.live import LiveView

    stream = rerun.RecordingStream("test")
    stream.save(tmp_path / "a.rrd")
    runner = still_runner()
    view = LiveView(motion_model(ROBOT), stream)
    view.show(0.0, runner.data.qpos, {"terms/foot_height/FR": 1.0})
    stream.flush()
    stream.disconnect()
    data = (tmp_path / "a.rrd").read_bytes()
    assert b"world/base" in data
    assert b"terms/foot_height/FR" in data


def test_a_live_view_without_a_display_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rerun")
    from pyembody.commands.planning import motion_model
    from pyembody.viz.live import LiveView

    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(ValueError, match="expected a display"):
        LiveView.spawn(motion_model(ROBOT))
