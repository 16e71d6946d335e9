"""`report.html`: one file that says what was asked, what was trained, how well it does, and what to
do next.
"""

from __future__ import annotations

import base64
import json
from html import escape
from pathlib import Path
from typing import Any

from ..analysis.record import Progress
from ..spec.files import write_atomic
from .page import bar, card, details, document, figure, paragraph, section, table
from .plots import run_figures
from .run_files import Row, read_json, read_metrics, wall_clock

MAX_VIDEO = 64 << 20  # bytes; a larger video is linked instead of being held inside the page
UNITS = {"linear_velocity_error": "m/s", "yaw_rate_error": "rad/s", "height": "m", "tilt": "rad"}
NOTHING = "\N{EN DASH}"
HEADLINES = ("linear_velocity_error", "yaw_rate_error")


def write_report(run: Path | str, *, progress: Progress | None = None) -> Path:
    """Write `report.html` into the run folder and return its path.

    The page holds everything inside itself. A run that has no evaluation, video or curves yet gets
    a page that says which command makes them. Raises ValueError if `run` is no folder, SpecError
    for a damaged file in it, ImportError if the `viz` extra is not installed.
    """
    run = Path(run)
    if not run.is_dir():
        raise ValueError(f"run: expected the folder of a run, got '{run}'")
    spec, evaluation = read_json(run / "spec.json") or {}, read_json(run / "evaluation.json")
    rows = read_metrics(run)
    figures = run_figures(run)
    _tell(progress, 0.6)
    parts = [
        _header(run, spec, rows),
        _headline(evaluation),
        _video(run),
        _evaluation(run, evaluation),
        _learning(figures, rows),
        _terms(evaluation, figures),
        section(
            "One episode",
            *(figure(figures[name]) for name in ("velocities", "gait") if name in figures),
        ),
        _gait(evaluation),
        _specs(spec),
        _next(run),
    ]
    title = f"{_name(spec, 'task')} on {_name(spec, 'robot')}"
    path = write_atomic(run / "report.html", document(title, parts).encode())
    _tell(progress, 1.0)
    return path


def _tell(progress: Progress | None, share: float) -> None:
    if progress is not None:
        progress("report", share)


def _name(spec: Row, key: str) -> str:
    return str((spec.get(key) or {}).get("name") or f"unknown {key}")


def _header(run: Path, spec: Row, rows: list[Row]) -> str:
    """Return what was asked, of whom, and what training took."""
    task, robot = spec.get("task") or {}, _name(spec, "robot")
    variant = f" ({task['variant']})" if task.get("variant") else ""
    facts = [run.name]
    if rows:
        facts.append(f"{int(rows[-1].get('steps', 0)):,} environment steps")
        seconds = wall_clock(rows)[-1]
        if seconds == seconds:
            facts.append(f"{seconds:.0f} s of training" if seconds < 120 else f"{seconds / 60:.1f} min of training")
    if "seed" in spec:
        facts.append(f"seed {spec['seed']}")
    said = spec.get("sentence") or ""
    quote = f"<blockquote>{escape(str(said))}</blockquote>" if said else ""
    description = paragraph(str(task["description"])) if task.get("description") else ""
    return (
        f"<header><h1>{escape(_name(spec, 'task') + variant)} on {escape(robot)}</h1>"
        f"<p>{escape(' · '.join(facts))}</p>{description}{quote}</header>" + _edits(spec.get("edits") or [])
    )


def _edits(edits: list[Row]) -> str:
    if not edits:
        return ""
    rows = [
        [
            escape(str(e.get("parameter", ""))),
            escape(f"{_number(e.get('value'))} {e.get('unit', '')}".strip()),
        ]
        for e in edits
        if isinstance(e, dict)
    ]
    return section("What was asked", table(["parameter", "value"], rows))


def _headline(evaluation: Row | None) -> str:
    if not evaluation:
        return ""
    cards = []
    for key, label in (("success", "success"), ("fall_rate", "falls")):
        rate = evaluation.get(key) or {}
        if rate.get("rate") is not None:
            note = f"{100 * rate['low']:.1f} to {_percent(rate['high'])}, n = {rate['n']}"
            cards.append(card(label, _percent(rate["rate"]), note))
    chosen = [n for n in HEADLINES if n in evaluation] or list(evaluation.get("metric_names") or [])[:2]
    for name in chosen:
        mean = evaluation.get(name) or {}
        if mean.get("mean") is not None:
            value = f"{mean['mean']:.3f} {UNITS.get(name, '')}".strip()
            cards.append(card(name.replace("_", " "), value, f"{mean['low']:.3f} to {mean['high']:.3f}"))
    return f'<div class="cards">{"".join(cards)}</div>'


def _video(run: Path) -> str:
    path = run / "video.mp4"
    if not path.is_file():
        return section("Video", paragraph("No video yet; make one with", f"pyembody view {run}"))
    if path.stat().st_size > MAX_VIDEO:
        return section("Video", '<video controls loop muted playsinline src="video.mp4"></video>')
    data = base64.b64encode(path.read_bytes()).decode()
    return section(
        "Video",
        f'<video controls loop muted playsinline src="data:video/mp4;base64,{data}"></video>',
    )


def _learning(figures: dict[str, str], rows: list[Row]) -> str:
    if "learning" in figures:
        return section("Learning", figure(figures["learning"]))
    text = "Only one iteration was written; there is no curve yet." if rows else "Nothing was trained in this folder."
    return section("Learning", paragraph(text))


def _evaluation(run: Path, evaluation: Row | None) -> str:
    """Return the table of the policy beside its controls."""
    if not evaluation:
        return section("Evaluation", paragraph("Not evaluated yet; do it with", f"pyembody eval {run}"))
    columns = {"policy": evaluation} | dict(evaluation.get("controls") or {})
    keys = [
        "success",
        "fall_rate",
        "episode_length",
        *(evaluation.get("metric_names") or []),
        "power",
        "cost_of_transport",
    ]
    labels = {
        "episode_length": "episode length (s)",
        "power": "mechanical power (W)",
        "fall_rate": "falls",
    }
    rows = []
    for key in keys:
        if evaluation.get(key) is None:
            continue
        unit = f" ({UNITS[key]})" if key in UNITS else ""
        label = labels.get(key, key.replace("_", " ") + unit)
        rows.append([escape(label), *(_interval(column.get(key)) for column in columns.values())])
    seeds = ", ".join(str(s) for s in evaluation.get("seeds") or [])
    episodes = evaluation.get("episodes", "?")
    about = f"{episodes} episodes, seeds {seeds}; 95 % intervals below each figure."
    head = ["", *("policy" if name == "policy" else f"{name} actions" for name in columns)]
    return section("Evaluation", paragraph(about), table(head, rows))


def _interval(value: Any) -> str:
    if not isinstance(value, dict):
        return NOTHING
    if "rate" in value:
        if value["rate"] is None:
            return NOTHING
        mean, low, high = (_percent(value[k]) for k in ("rate", "low", "high"))
        return f"{mean}<small>{low} to {high}</small>"
    if value.get("mean") is None:
        return NOTHING
    mean, low, high = (_number(value[k]) for k in ("mean", "low", "high"))
    return f"{mean}<small>{low} to {high}</small>"


def _terms(evaluation: Row | None, figures: dict[str, str]) -> str:
    """Return what each term pays; of the evaluation, or else of the end of training as bars
    alone.
    """
    picture = figure(figures["terms"]) if "terms" in figures else ""
    if not evaluation or not evaluation.get("terms"):
        return section("Reward terms at the end of training", picture)
    lines = [
        [
            escape(name),
            _number(t.get("raw")),
            _number(t.get("per_second")),
            f"{_percent(t.get('share') or 0)}{bar(float(t.get('share') or 0))}",
        ]
        for name, t in evaluation["terms"].items()
    ]
    about = "Each term's mean raw value, what it pays per second, its share of all paid or taken away."
    return section(
        "Reward terms",
        paragraph(about),
        table(["term", "raw", "reward / s", "share"], lines),
        picture,
    )


def _gait(evaluation: Row | None) -> str:
    gait = (evaluation or {}).get("gait")
    if not gait:
        return ""
    drift, ratio = gait.get("drift") or {}, gait.get("height_ratio")
    peaks = gait.get("foot_peaks") or {}
    rows = [
        ["swings that clear 2 cm", _interval(gait.get("clear_swings"))],
        ["peak of a swing (m)", _interval(gait.get("swing_peak"))],
        *([f"mean peak of {escape(foot)} (m)", _number(peak)] for foot, peak in peaks.items()),
        *([f"duty of {escape(foot)}", _percent(share)] for foot, share in (gait.get("duty") or {}).items()),
        ["steps in which only feet touch the ground", _percent(gait.get("only_feet"))],
        ["base height (m)", _number(gait.get("base_height"))],
        ["base height over nominal", _percent(ratio)],
        ["creep at a zero command (m/s)", _interval(drift)],
        ["all feet down at a zero command", _percent(gait.get("all_feet_down"))],
    ]
    return section("Gait", table(["", "policy"], rows))


def _specs(spec: Row) -> str:
    if not spec:
        return section("Specification", paragraph("This folder has no spec.json."))
    about = f"Hash {spec.get('hash', 'unknown')}, pyembody {spec.get('version', 'unknown')}."
    parts = [
        details(key, json.dumps(spec[key], indent=2, ensure_ascii=False))
        for key in ("task", "robot", "train", "layout")
        if spec.get(key)
    ]
    return section("Specification", paragraph(about), *parts)


def _next(run: Path) -> str:
    commands = "\n".join(
        [
            f"pyembody eval {run}      # figures beside zero and random actions",
            f"pyembody view {run}      # video and a recording for rerun",
            f"rerun {run / 'recording.rrd'}      # every number over time, beside the robot",
            f"pyembody resume {run} --iterations N      # train further, to N iterations in all",
        ]
    )
    return section("What to run next", f"<pre>{escape(commands)}</pre>")


def _percent(value: Any) -> str:
    return NOTHING if value is None else f"{100 * float(value):.1f} %"


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return NOTHING if value is None else str(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
