"""A run from its first iteration to its report, by the commands that a person would type."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pyembody.cli import main
from pyembody.commands import outcome
from pyembody.commands.locate import Located, locate
from pyembody.commands.view import View
from pyembody.spec.task import Command

TRAIN = ["train", "velocity", "--robot", "go2", "--num-envs", "32", "--workers", "1"]
QUICK = ["--no-video", "--no-report"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with one of two iterations in it."""
    out = tmp_path_factory.mktemp("runs")
    assert main([*TRAIN, "--iterations", "2", "--out", str(out), *QUICK]) == 0
    return out


@pytest.fixture(scope="module")
def run(runs: Path) -> Path:
    return next((runs / "velocity").iterdir())


def test_a_run_holds_spec_metrics_and_checkpoint(run: Path) -> None:
    assert json.loads((run / "spec.json").read_text())["task"]["name"] == "velocity"
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 2
    assert (run / "checkpoints" / "000002" / "model.safetensors").is_file()


def test_training_says_where_the_run_is_and_what_is_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TRAIN, "--iterations", "1", "--out", str(tmp_path), *QUICK]) == 0
    shown = capsys.readouterr().out
    assert f"run: {tmp_path}" in shown
    assert "next: pyembody eval" in shown


def test_the_engine_is_chosen_and_kept_in_the_run(tmp_path: Path) -> None:
    assert main([*TRAIN, "--engine", "torch", "--iterations", "1", "--out", str(tmp_path), *QUICK]) == 0
    spec = json.loads(next(tmp_path.glob("velocity/*/spec.json")).read_text())
    assert spec["train"]["engine"] == "torch"


def test_sac_is_chosen_trains_goes_on_and_is_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = ["train", "balance", "--algorithm", "sac", "--iterations", "6", "--out", str(tmp_path), *QUICK]
    assert main(train) == 0
    run = next(tmp_path.glob("balance/*"))
    assert json.loads((run / "spec.json").read_text())["train"]["algorithm"] == "sac"
    assert main(["resume", str(run), "--iterations", "7", *QUICK]) == 0
    assert main(["eval", str(run), "--episodes", "8"]) == 0
    assert "fall rate" in capsys.readouterr().out
    assert [json.loads(line)["iteration"] for line in (run / "metrics.jsonl").read_text().splitlines()][-1] == 7


def test_a_sentence_is_shown_as_edits_and_kept_in_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    say = ["--say", "lift your feet 10 cm"]
    assert main([*TRAIN, *say, "--iterations", "1", "--out", str(tmp_path), *QUICK]) == 0
    assert "foot_clearance" in capsys.readouterr().out
    spec = json.loads(next(tmp_path.glob("velocity/*/spec.json")).read_text())
    assert spec["edits"] == [{"parameter": "foot_clearance", "value": 0.1, "unit": "m", "exact": False}]
    assert spec["task"]["params"]["foot_clearance"]["value"] == 0.1


def test_a_dry_run_shows_edits_and_every_place_that_changes_and_makes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "runs"
    assert main([*TRAIN, "--say", "trot forward at 1 m/s", "--dry-run", "--out", str(out)]) == 0
    words = capsys.readouterr().out.split()
    assert "forward_speed" in words and "nothing was trained" in " ".join(words)
    place = words.index("command.high")
    assert words[place + 1 : place + 7] == ["[1.0,", "0.5,", "1.0]", "[1.0,", "0.0,", "0.0]"]
    assert not out.exists()
    assert main([*TRAIN, "--say", "trott forward", "--dry-run"]) == 2


def test_latest_says_which_run_it_is_and_whether_that_is_unfinished(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "velocity" / "copy"
    shutil.copytree(run, copy)
    locate("latest", tmp_path)
    assert capsys.readouterr().out == f"latest: {copy}\n"
    shutil.rmtree(copy / "checkpoints" / "000002")
    locate("latest", tmp_path)
    assert capsys.readouterr().out == f"latest: {copy} (unfinished: 0 of 2 iterations are saved)\n"
    locate(str(copy), tmp_path)
    assert capsys.readouterr().out == ""


def test_eval_writes_the_figures(runs: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    arguments = ["eval", "latest", "--out", str(runs), "--episodes", "4", "--json", str(file)]
    assert main(arguments) == 0
    figures = json.loads(file.read_text())
    assert figures["success"]["n"] == 4
    assert set(figures["controls"]) == {"zero", "random"}
    assert figures == json.loads((run / "evaluation.json").read_text())
    shown = capsys.readouterr().out
    assert "linear_velocity_error" in shown
    assert "task.track_lin_vel" in shown


def test_eval_of_a_variant_with_other_observations_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(run), "--variant", "deployable", "--episodes", "2"]) == 2
    assert "deployable" in capsys.readouterr().err


def test_resume_goes_on_to_the_iterations_asked_for_and_drops_older_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*TRAIN, "--iterations", "1", "--out", str(tmp_path), *QUICK]) == 0
    folder = next((tmp_path / "velocity").iterdir())
    (folder / "evaluation.json").write_text("{}")
    assert main(["resume", str(folder), "--iterations", "2", *QUICK]) == 0
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 2
    assert not (folder / "evaluation.json").exists()
    assert "it judged the policy of iteration 1" in capsys.readouterr().out
    (folder / "evaluation.json").write_text("{}")
    assert main(["resume", str(folder), "--iterations", "2", *QUICK]) == 2
    assert "iterations" in capsys.readouterr().err
    assert (folder / "evaluation.json").exists()


@pytest.mark.parametrize(
    ("low", "high", "tour"),
    [
        ((0.0, 0.0, 0.0), (0.5, 0.0, 0.0), [(0.0, 0.0, 0.0), (0.5, 0.0, 0.0), (0.0, 0.0, 0.0)]),
        ((1.0, 0.0, 0.0), (1.0, 0.0, 0.0), [(1.0, 0.0, 0.0)]),
        ((0.9, 0.0, 0.0), (0.9, 0.0, 0.5), [(0.9, 0.0, 0.0), (0.9, 0.0, 0.5), (0.9, 0.0, 0.0)]),
    ],
)
def test_the_shown_tour_stays_inside_the_commands_that_are_trained(
    low: tuple[float, float, float], high: tuple[float, float, float], tour: list[tuple[float, ...]]
) -> None:
    shown = [command for _, command in outcome.tour(Command(low, high)) or []]
    assert [c for k, c in enumerate(shown) if k == 0 or c != shown[k - 1]] == tour


def test_view_writes_video_and_recording_of_a_checkpoint(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("av")
    video = tmp_path / "clip.mp4"
    checkpoint = run / "checkpoints" / "000002"
    command = ["--command", "2 0 0", "--seconds", "0.2", "--out", str(video)]
    assert main(["view", str(checkpoint), *command]) == 0
    assert "note: outside what was trained: forward 2 (trained: -1 to 1)" in capsys.readouterr().out
    assert video.stat().st_size > 0
    assert video.with_suffix(".rrd").stat().st_size > 0


@pytest.mark.parametrize(
    ("options", "video"),
    [
        ({}, "video.mp4"),
        ({"command": "0.5 0, -1"}, "command_0.5_0_-1.mp4"),
        ({"out": Path("clip.mp4")}, "clip.mp4"),
    ],
)
def test_a_view_of_another_command_leaves_the_run_its_own_video(
    options: dict[str, Any], video: str, tmp_path: Path
) -> None:
    files = View(**options).targets(Located(tmp_path, tmp_path))
    assert [f.name for f in files] == [video, "recording.rrd" if not options else video.replace(".mp4", ".rrd")]
    older = View().targets(Located(tmp_path, tmp_path / "checkpoints" / "000100"))
    assert [f.name for f in older] == ["checkpoint_000100.mp4", "checkpoint_000100.rrd"]


def test_report_writes_one_page(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run)]) == 0
    assert "report.html" in capsys.readouterr().out
    assert (run / "report.html").read_text().lstrip().lower().startswith("<!doctype html>")


def test_list_without_a_run_says_how_to_start_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "runs", "--out", str(tmp_path)]) == 0
    assert "start one with: pyembody train" in " ".join(capsys.readouterr().out.split())


def test_list_shows_runs(runs: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "runs", "--out", str(runs)]) == 0
    assert f"{run.name} " in capsys.readouterr().out
