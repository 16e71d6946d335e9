"""`report.html`: one file that says what was asked, what was trained, how well it does, and what to
do next.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from ..analysis.record import Progress
from ..language import find_language
from ..spec.files import write_atomic
from .asked import asked_rows
from .explain import (
    FIGURES,
    GAIT,
    GAIT_DIAGRAM,
    LEARNING,
    OVERLAY,
    VELOCITIES,
    definition,
    metric_line,
    unfolded,
)
from .gates import gate_section
from .overlay import LEAST_TURN, LEAST_VELOCITY, SHARE
from .page import NOTHING, card, details, document, explained, figure, number, paragraph, percent, section, table
from .plots import pool_window, run_figures
from .run_files import Row, read_json, read_metrics, wall_clock
from .terms import terms_section

MAX_VIDEO = 64 << 20  # bytes; a larger video is linked instead of being held inside the page
CLOSE = f"{SHARE:.0%} of the commanded speed (at least {LEAST_VELOCITY:g} m/s, {LEAST_TURN:g} rad/s)"
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
        _header(run, spec, rows, evaluation),
        _headline(evaluation),
        _video(run, spec),
        _evaluation(run, evaluation, spec),
        _learning(figures, rows),
        terms_section(evaluation, rows, figures, spec),
        gate_section(rows),
        _episode(figures),
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


def _header(run: Path, spec: Row, rows: list[Row], evaluation: Row | None) -> str:
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
        f"<p>{escape(' · '.join(facts))}</p>{description}{quote}</header>"
        + _asked(spec.get("edits") or [], task, evaluation)
    )


def _asked(edits: list[Row], task: Row, evaluation: Row | None) -> str:
    """Return what the words changed, as the trained task has it now, beside what the evaluation found."""
    if not edits:
        return ""
    language = find_language(str(task.get("folder") or ""))
    found = asked_rows([e for e in edits if isinstance(e, dict)], task, language, evaluation)
    rows = [
        [explained(a.parameter, a.doc), escape(a.asked), explained(a.got, a.measured) if a.got else NOTHING]
        for a in found
    ]
    about = "What the sentence changed, and what came of it. Commands of a range such as 0 .. 1 come from all of it."
    return section("What was asked", paragraph(about), table(["parameter", "asked", "got"], rows))


def _headline(evaluation: Row | None) -> str:
    if not evaluation:
        return ""
    cards = []
    for key in ("success", "fall_rate"):
        rate = evaluation.get(key) or {}
        if rate.get("rate") is not None:
            note = f"{100 * rate['low']:.1f} to {percent(rate['high'])}, n = {rate['n']}"
            cards.append(card(FIGURES[key].label, percent(rate["rate"]), note, FIGURES[key].text))
    chosen = [n for n in HEADLINES if n in evaluation] or list(evaluation.get("metric_names") or [])[:2]
    for name in chosen:
        mean, line = evaluation.get(name) or {}, metric_line(name)
        if mean.get("mean") is not None:
            value = f"{mean['mean']:.3f} {line.unit}".strip()
            cards.append(card(line.label, value, f"{mean['low']:.3f} to {mean['high']:.3f}", line.text))
    return f'<div class="cards">{"".join(cards)}</div>'


def _video(run: Path, spec: Row) -> str:
    path = run / "video.mp4"
    if not path.is_file():
        return section("Video", paragraph("No video yet; make one with", f"pyembody view {run}"))
    source = "video.mp4"
    if path.stat().st_size <= MAX_VIDEO:
        source = f"data:video/mp4;base64,{base64.b64encode(path.read_bytes()).decode()}"
    commanded = (spec.get("task") or {}).get("command") is not None
    about = OVERLAY.format(close=CLOSE) if commanded else "The trained policy, in real time."
    return section("Video", paragraph(about), f'<video controls loop muted playsinline src="{source}"></video>')


def _learning(figures: dict[str, str], rows: list[Row]) -> str:
    if "learning" in figures:
        return section("Learning", figure(figures["learning"], LEARNING.format(window=pool_window(rows))))
    text = "Only one iteration was written; there is no curve yet." if rows else "Nothing was trained in this folder."
    return section("Learning", paragraph(text))


def _episode(figures: dict[str, str]) -> str:
    captions = {"velocities": VELOCITIES.format(close=CLOSE), "gait": GAIT_DIAGRAM}
    return section("One episode", *(figure(figures[n], text) for n, text in captions.items() if n in figures))


def _evaluation(run: Path, evaluation: Row | None, spec: Row) -> str:
    """Return the table of the policy beside its controls."""
    if not evaluation:
        return section("Evaluation", paragraph("Not evaluated yet; do it with", f"pyembody eval {run}"))
    columns = {"policy": evaluation} | dict(evaluation.get("controls") or {})
    task = spec.get("task") or {}
    metrics = {n: (metric_line(n), definition(n, task)) for n in evaluation.get("metric_names") or []}
    plain = {n: (line, "") for n, line in FIGURES.items()}
    order = ("success", "fall_rate", "episode_length", *metrics, "power", "cost_of_transport")
    rows = []
    for key in (k for k in order if evaluation.get(k) is not None):
        line, meaning = (metrics | plain)[key]
        about = f"{line.text}: {meaning}" if meaning else line.text
        rows.append([explained(line.title, about), *(_interval(c.get(key)) for c in columns.values())])
    seeds = ", ".join(str(s) for s in evaluation.get("seeds") or [])
    about = (
        f"{evaluation.get('episodes', '?')} episodes, seeds {seeds}, beside policies that do nothing and anything. The "
        "small numbers below each figure are its 95 % interval."
    )
    success = task.get("success")
    goal = paragraph("An episode is a success if at its end:", unfolded(str(success), task)) if success else ""
    head = ["", *("policy" if name == "policy" else f"{name} actions" for name in columns)]
    return section("Evaluation", paragraph(about), goal, table(head, rows))


def _interval(value: Any) -> str:
    if not isinstance(value, dict):
        return NOTHING
    if "rate" in value:
        if value["rate"] is None:
            return NOTHING
        mean, low, high = (percent(value[k]) for k in ("rate", "low", "high"))
        return f"{mean}<small>{low} to {high}</small>"
    if value.get("mean") is None:
        return NOTHING
    mean, low, high = (number(value[k]) for k in ("mean", "low", "high"))
    return f"{mean}<small>{low} to {high}</small>"


def _gait(evaluation: Row | None) -> str:
    gait = (evaluation or {}).get("gait")
    if not gait:
        return ""
    shown = {
        "clear_swings": _interval(gait.get("clear_swings")),
        "swing_peak": _interval(gait.get("swing_peak")),
        "foot_peaks": _by_foot(gait.get("foot_peaks"), number),
        "step_frequency": number(gait.get("step_frequency")),
        "duty": _by_foot(gait.get("duty"), percent),
        "only_feet": percent(gait.get("only_feet")),
        "base_height": number(gait.get("base_height")),
        "height_ratio": percent(gait.get("height_ratio")),
        "drift": _interval(gait.get("drift")),
        "all_feet_down": percent(gait.get("all_feet_down")),
    }
    rows = [[explained(GAIT[k].title, GAIT[k].text), v] for k, v in shown.items() if v not in ("", NOTHING)]
    return section(
        "Gait", paragraph("How the policy walks, over all steps of the evaluation."), table(["", "policy"], rows)
    )


def _by_foot(values: Row | None, shown: Callable[[Any], str]) -> str:
    return "<br>".join(f"{escape(foot)} {shown(value)}" for foot, value in (values or {}).items())


def _specs(spec: Row) -> str:
    if not spec:
        return section("Specification", paragraph("This folder has no spec.json."))
    about = (
        f"Hash {spec.get('hash', 'unknown')}, pyembody {spec.get('version', 'unknown')}. The hash stands for all that "
        "is below: the same hash, seed and machine give the same numbers."
    )
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
