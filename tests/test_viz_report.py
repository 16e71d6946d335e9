"""The report of runs in every state: complete, half done, empty, damaged."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from pyembody.analysis import Recording
from pyembody.language import Edit, apply_edits, load_language
from pyembody.spec import SpecError, load_task
from pyembody.viz import write_plots, write_report
from pyembody.viz.asked import asked_rows
from pyembody.viz.explain import FIGURES, GAIT, HELD
from pyembody.viz.page import MINUS, NOTHING
from pyembody.viz.run_files import read_metrics, wall_clock

NASTY = '<script>alert("x")</script>'
VOID = {"meta", "br", "img", "path", "use", "rect", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects tags and checks that every one is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def rate(value: float) -> dict[str, float]:
    return {"rate": value, "low": value * 0.9, "high": value, "n": 50}


def mean(value: float) -> dict[str, float]:
    return {"mean": value, "low": value * 0.9, "high": value * 1.1, "n": 50}


SPEC: dict[str, Any] = {
    "task": {
        "name": "walk",
        "description": NASTY,
        "folder": "gone",
        "success": "speed > 1",
        "let": {"off": "speed - 1"},
        "metrics": {"speed_error": "abs(off)"},
        "channels": {
            "task": {"weight": 2.0, "gamma": 0.9, "terms": {NASTY: {"expr": "speed", "weight": 1.0, "doc": NASTY}}}
        },
    },
    "robot": {"name": "toy"},
    "train": {"num_envs": 8},
    "seed": 3,
    "hash": "abc123",
    "sentence": f"walk {NASTY}",
    "edits": [{"parameter": "forward_speed", "value": 1.5, "unit": "m/s"}],
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a complete run folder whose names try to break out of the page."""
    folder = tmp_path / "runs" / "walk" / "20300101-000000"
    folder.mkdir(parents=True)
    rows = [
        {
            "steps": i * 10,
            "elapsed": i * 2.0,
            "channels": {"task": i},
            "metrics": {"speed_error": 0.5},
        }
        for i in range(4)
    ]
    (folder / "metrics.jsonl").write_text("\n".join(json.dumps(r) for r in rows) + "\n")
    (folder / "spec.json").write_text(json.dumps(SPEC))
    evaluation: dict[str, Any] = {
        "success": rate(0.9),
        "fall_rate": rate(0.1),
        "episode_length": mean(20),
        "metric_names": ["speed_error"],
        "speed_error": mean(0.123),
        "seeds": [0, 1],
        "episodes": 50,
        "power": None,
        "terms": {
            f"task.{NASTY}": {"raw": 1.0, "per_second": 3.0, "share": 0.75},
            "safety.torque": {"raw": 5.0, "per_second": -1.0, "share": 0.25},
        },
        "controls": {"zero": {"success": rate(0.0), "speed_error": mean(0.9)}},
        "gait": {"clear_swings": rate(0.8), "duty": {"FL": 0.5}, "only_feet": None},
    }
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    (folder / "video.mp4").write_bytes(b"\x00video")
    return folder


def test_a_complete_run_gives_a_self_contained_page(run: Path) -> None:
    told: list[float] = []
    text = write_report(run, progress=lambda _, s: told.append(s)).read_text()
    page = Page(text)
    assert {"svg", "video", "table", "blockquote"} <= page.tags
    assert page.links
    assert all(link.startswith(("data:", "#")) for link in page.links)
    for expected in (
        "forward_speed",
        "1.5 m/s",
        "0.123",
        "abc123",
        "90.0 %",
        "zero actions",
        "pyembody resume",
    ):
        assert expected in page.text
    assert told[-1] == 1.0


def test_every_figure_is_explained_beside_it(run: Path) -> None:
    text = Page(write_report(run).read_text()).text.replace("\N{NO-BREAK SPACE}", " ")
    for expected in (
        "share of episodes that end as the task wants; 100 % is best",
        "mean over each episode; 0 is best: mean of abs(off); off = speed - 1",
        "An episode is a success if at its end: speed > 1",
        "weight 2 of its advantages; gamma 0.9",
        "share of steps whose foot rises that far; 90 % or more is good",
        "blue to the right pays, red to the left takes away",
        "rising is good, and a channel of penalties rises towards zero",
        "The trained policy, in real time.",
    ):
        assert expected in text


def test_a_term_that_takes_away_is_shown_with_its_sign_and_on_the_other_side(run: Path) -> None:
    text = write_report(run).read_text()
    assert '+75.0 %<span class="bar"><u class="pays" style="width:50.0%">' in text
    assert '\N{MINUS SIGN}25.0 %<span class="bar"><u class="takes" style="width:16.7%">' in text


def test_terms_of_the_training_log_are_shown_until_there_is_an_evaluation(run: Path) -> None:
    (run / "evaluation.json").unlink()
    term = {"raw_mean": 0.5, "per_step": -0.02, "per_second": -1.0, "share": 1.0}
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    logs = [{"cost.far": term, "cost.near": {"raw_mean": 2.0}, "task.product": {"per_step": 0.25, "share": 0.0}}] * 3
    logs.append({**logs[0], "cost.far": term | {"per_episode": -12.0}})
    text = [json.dumps(row | {"Term": log}) for row, log in zip(rows, logs, strict=True)]
    (run / "metrics.jsonl").write_text("\n".join(text) + "\n")
    page = write_report(run).read_text()
    assert "Reward terms at the end of training" in page
    cells = re.findall(r"<tr><td>far</td>(.*?)</tr>", page)[0]
    costs = [f"{MINUS}{x}" for x in ("0.02", "1", "12", "100.0 %")]
    assert re.findall(r"<td>([^<]*)", cells) == ["0.5", NOTHING, *costs]
    cells = re.findall(r"<tr><td>near</td>(.*?)</tr>", page)[0]
    assert re.findall(r"<td>([^<]*)", cells) == ["2", *[NOTHING] * 5]
    assert page.count("channel cost") == 1


def test_a_range_of_commands_is_shown_as_the_range_that_is_trained(run: Path) -> None:
    spec = json.loads((run / "spec.json").read_text())
    task = load_task("velocity")
    language = load_language(task.folder)
    for exact, shown in ((False, "0 .. 0.5 m/s"), (True, "0.5 m/s")):
        edit = Edit("forward_speed", 0.5, "m/s", exact)
        edited = json.loads(msgspec.json.encode(apply_edits(task, language, [edit])))
        (run / "spec.json").write_text(json.dumps(spec | {"task": edited, "edits": [msgspec.to_builtins(edit)]}))
        page = write_report(run).read_text()
        assert f"<td>{shown}</td>" in page
        assert "Speed along the body, forward positive" in page
        assert "green within" in page


def test_what_was_asked_stands_beside_what_the_evaluation_found() -> None:
    task = load_task("velocity")
    language = load_language(task.folder)
    edits = [Edit("forward_speed", 0.5, "m/s"), Edit("foot_clearance", 0.1, "m"), Edit("action_rate_weight", -0.03)]
    edited = json.loads(msgspec.json.encode(apply_edits(task, language, edits)))
    evaluation = {"held": {"forward": mean(0.48)}, "gait": {"swing_peak": mean(0.08)}}
    rows = asked_rows([msgspec.to_builtins(e) for e in edits], edited, language, evaluation)
    assert [(r.asked, r.got) for r in rows] == [
        ("0 .. 0.5 m/s", "0.48 ± 0.05 m/s"),
        ("0.1 m", "0.08 ± 0.008 m"),
        ("-0.03", ""),
    ]
    assert [r.measured for r in rows] == ["mean forward velocity at the fullest command", "peak of a swing", ""]
    assert [r.got for r in asked_rows([msgspec.to_builtins(e) for e in edits], edited, language, None)] == [""] * 3


def test_everything_that_is_said_to_be_measured_is_a_figure_of_an_evaluation() -> None:
    task = load_task("velocity")
    measured = [p.measured for p in load_language(task.folder).parameters.values() if p.measured]
    figures = {f"gait.{name}" for name in GAIT} | {f"held.{name}" for name in HELD} | set(FIGURES) | set(task.metrics)
    assert len(measured) >= 6 and set(measured) <= figures


def test_everything_that_a_person_wrote_is_escaped(run: Path) -> None:
    text = write_report(run).read_text()
    assert "<script" not in text
    assert Page(text).text.count(NASTY) >= 3


def test_an_empty_folder_gets_a_page_that_says_what_to_run(tmp_path: Path) -> None:
    page = Page(write_report(tmp_path).read_text())
    assert f"pyembody eval {tmp_path}" in page.text
    assert f"pyembody view {tmp_path}" in page.text
    assert "video" not in page.tags


def test_the_recording_is_drawn(run: Path) -> None:
    t, flags = np.arange(10) * 0.02, np.zeros(10, bool)
    none, one = np.zeros((10, 0)), np.ones((10, 3))
    signals = {"base_lin_vel": one, "base_ang_vel": one, "foot_force": one * 9}
    Recording(
        time=t,
        qpos=none,
        command=one,
        action=none,
        raw=none,
        weighted=none,
        channels=none,
        metrics=none,
        values=none,
        terminated=flags,
        truncated=flags,
        control_dt=0.02,
        signals=signals,
        foot_names=("a", "b", "c"),
    ).save(run / "recording.safetensors")
    assert "feet on the ground" in write_report(run).read_text()
    assert [p.stem for p in write_plots(run)] == ["learning", "terms", "velocities", "gait"]


def test_a_cut_off_last_line_is_left_out_and_a_damaged_one_is_an_error(run: Path) -> None:
    path = run / "metrics.jsonl"
    whole = path.read_text()
    path.write_text(whole + '{"steps": 4')
    assert len(read_metrics(run)) == 4
    path.write_text("{oops\n" + whole)
    with pytest.raises(SpecError, match=r"metrics.jsonl: line 1"):
        write_report(run)


def test_a_damaged_evaluation_is_one_clear_error(run: Path) -> None:
    (run / "evaluation.json").write_text("{")
    with pytest.raises(SpecError, match=r"evaluation.json: cannot read"):
        write_report(run)


def test_a_run_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run: expected the folder of a run"):
        write_report(tmp_path / "nothing")


def test_wall_clock_is_unknown_where_a_row_does_not_say() -> None:
    assert np.isnan(wall_clock([{"elapsed": 1.0}, {}])).tolist() == [False, True]
