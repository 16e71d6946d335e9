"""Plots of a run as SVG: learning curves, what each term pays, velocities, and the gait."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..analysis.record import Progress, Recording
from ..spec.files import write_atomic
from .extra import need
from .run_files import Row, names, read_json, read_metrics, read_recording, series, wall_clock

Array = npt.NDArray[Any]

INK = "#5c6b7e"  # readable on white and on black; the report replaces it by the colour of its text
COLOURS = ("#2f7de1", "#e0762f", "#2aa876", "#b45bd0", "#d64a6a", "#8a8f2a", "#2ba3b8", "#9a6b4f")
POINTS = 400  # of a curve; more cannot be seen
GAIT_S = 3.0
STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
    "grid.color": INK,
    "grid.alpha": 0.18,
    "axes.grid": True,
    "axes.axisbelow": True,
}


def write_plots(run: Path | str, *, progress: Progress | None = None) -> list[Path]:
    """Write `plots/*.svg` of everything the run folder has data for and return their paths.

    Raises ImportError if the `viz` extra is not installed and SpecError for a damaged file.
    """
    run = Path(run)
    figures = run_figures(run)
    paths = []
    for k, (name, svg) in enumerate(figures.items()):
        paths.append(write_atomic(run / "plots" / f"{name}.svg", svg.encode()))
        if progress is not None:
            progress("plots", (k + 1) / len(figures))
    return paths


def run_figures(run: Path) -> dict[str, str]:
    """Return the SVG text of every figure that the run folder has data for, by name."""
    rows, evaluation, recording = (
        read_metrics(run),
        read_json(run / "evaluation.json"),
        read_recording(run),
    )
    figures = {}
    if len(rows) > 1:
        figures["learning"] = learning_curves(rows)
    terms = _terms(evaluation, rows)
    if terms:
        figures["terms"] = term_bars(terms)
    if recording is not None and recording.measured() is not None and recording.command.shape[1] == 3:
        figures["velocities"] = velocities(recording)
    if recording is not None and recording.foot_contact() is not None:
        figures["gait"] = gait_diagram(recording)
    return figures


def learning_curves(rows: list[Row]) -> str:
    """Return an SVG: reward per channel, tracking errors and falls, over environment steps and over
    wall clock.
    """
    plt = _pyplot()
    panels = _learning_panels(rows)
    clocks: list[tuple[str, Array]] = [
        ("million environment steps", series(rows, "steps") / 1e6),
        ("minutes of wall clock", wall_clock(rows) / 60),
    ]
    clocks = [c for c in clocks if np.isfinite(c[1]).all()] or [("iteration", np.arange(len(rows)) * 1.0)]
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            len(clocks),
            len(panels),
            figsize=(10, 2.5 * len(clocks)),
            squeeze=False,
            sharex="row",
            sharey="col",
        )
        for r, (label, x) in enumerate(clocks):
            for c, (title, lines) in enumerate(panels):
                _lines(axes[r, c], x, lines)
                axes[r, c].set_xlabel(label)
                axes[r, c].set_xlim(left=0)
                if r == 0:
                    axes[r, c].set_title(title)
                    if lines:
                        axes[r, c].legend()
        return _svg(figure, "learning")


def _learning_panels(rows: list[Row]) -> list[tuple[str, list[tuple[str, Array]]]]:
    """Return what learning curves show: titles, and the named curves [T] under each."""
    errors = [n for n in names(rows, "metrics") if "error" in n] or names(rows, "metrics")[:3]
    return [
        (
            "reward per second, by channel",
            [(n, series(rows, "channels", n)) for n in names(rows, "channels")],
        ),
        ("error", [(n.replace("_", " "), series(rows, "metrics", n)) for n in errors]),
        (
            "share of episodes",
            [("ended by a fall", series(rows, "terminated")), ("success", series(rows, "success"))],
        ),
    ]


def term_bars(terms: dict[str, float]) -> str:
    """Return an SVG with a bar for the reward per second of each term, coloured by channel."""
    plt = _pyplot()
    channels = list(dict.fromkeys(name.partition(".")[0] for name in terms))
    with plt.rc_context(STYLE | {"axes.grid.axis": "x"}):
        figure, axis = plt.subplots(figsize=(10, 0.8 + 0.24 * len(terms)))
        colours = [COLOURS[channels.index(name.partition(".")[0]) % len(COLOURS)] for name in terms]
        place = np.arange(len(terms))[::-1]
        axis.barh(place, list(terms.values()), color=colours, height=0.7)
        axis.set_yticks(place, [name.partition(".")[2] or name for name in terms])
        axis.axvline(0, color=INK, linewidth=0.8)
        axis.set_xlabel("reward per second")
        for k, channel in enumerate(channels):
            axis.bar(0, 0, color=COLOURS[k % len(COLOURS)], label=channel)
        axis.legend(loc="best")
        axis.grid(axis="y", visible=False)
        return _svg(figure, "terms")


def velocities(recording: Recording) -> str:
    """Return an SVG with the commanded and the measured velocities of one episode."""
    plt = _pyplot()
    measured = recording.measured()
    if measured is None or recording.command.shape[1] != 3:
        raise ValueError("recording: expected commands and measured velocities, got none")
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(3, 1, figsize=(10, 5.2), sharex=True)
        labels = ("forward (m/s)", "lateral (m/s)", "turn (rad/s)")
        for k, (axis, label) in enumerate(zip(axes, labels, strict=True)):
            axis.plot(*_thin(recording.time, measured[:, k]), color=COLOURS[k], label="measured")
            axis.plot(
                *_thin(recording.time, recording.command[:, k]),
                color=INK,
                linestyle="--",
                label="command",
            )
            axis.set_ylabel(label)
            axis.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2, borderpad=0)
        axes[-1].set_xlabel("time (s)")
        return _svg(figure, "velocities")


def gait_diagram(recording: Recording, seconds: float = GAIT_S) -> str:
    """Return an SVG with a bar for every stance of every foot, over the stretch with the fastest
    commands.
    """
    plt = _pyplot()
    contact = recording.foot_contact()
    if contact is None:
        raise ValueError("recording: expected foot forces, got none")
    window = min(len(recording), max(1, round(seconds / recording.control_dt)))
    begin = _fastest(recording, window)
    contact, time = contact[begin : begin + window], recording.time[begin : begin + window]
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(10, 0.7 + 0.32 * contact.shape[1]))
        for k in range(contact.shape[1]):
            bars = [(time[a], (b - a) * recording.control_dt) for a, b in _runs(contact[:, k])]
            axis.broken_barh(bars, (contact.shape[1] - 1 - k - 0.35, 0.7), facecolors=COLOURS[k % len(COLOURS)])
        axis.set_yticks(range(contact.shape[1]), recording.foot_names[::-1])
        axis.set_xlim(time[0], time[-1] + recording.control_dt)
        axis.set_xlabel("time (s)")
        axis.set_title("feet on the ground")
        return _svg(figure, "gait")


def _terms(evaluation: Any, rows: list[Row]) -> dict[str, float]:
    """Return the reward per second of each term: evaluated, or else of the last training
    iterations.
    """
    if isinstance(evaluation, dict) and isinstance(evaluation.get("terms"), dict):
        return {name: float(term.get("per_second") or 0) for name, term in evaluation["terms"].items()}
    tail = rows[-10:]
    return {name: float(np.nanmean(series(tail, "terms", name))) for name in names(rows, "terms")}


def _lines(axis: Any, x: Array, lines: Sequence[tuple[str, Array]]) -> None:
    """Draw named curves; a few values far off the rest do not decide the scale."""
    values = np.concatenate([y[np.isfinite(y)] for _, y in lines]) if lines else np.zeros(0)
    if values.size:
        low, high = np.percentile(values, [1, 98])
        room = 0.08 * max(high - low, 1e-6)
        axis.set_ylim(0 if low >= 0 else low - room, high + room)
    for k, (label, y) in enumerate(lines):
        axis.plot(*_thin(x, y), color=COLOURS[k % len(COLOURS)], label=label)


def _thin(x: Array, y: Array) -> tuple[Array, Array]:
    """Return at most POINTS points of a curve, each the mean of its neighbours."""
    if len(x) <= POINTS:
        return x, y
    edges = np.linspace(0, len(x), POINTS + 1).astype(int)[:-1]
    counts = np.diff(np.append(edges, len(x)))
    return np.add.reduceat(x, edges) / counts, np.add.reduceat(y, edges) / counts


def _runs(down: Array) -> list[tuple[int, int]]:
    """Return the (begin, end) of every run of True in `down` [T]."""
    change = np.flatnonzero(np.diff(np.concatenate([[False], down, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in change.reshape(-1, 2)]


def _fastest(recording: Recording, window: int) -> int:
    """Return where the `window` steps with the largest commands begin; the middle without
    commands.
    """
    if recording.command.shape[1] == 0 or len(recording) <= window:
        return (len(recording) - window) // 2
    total = np.concatenate([[0.0], np.cumsum(np.linalg.norm(recording.command, axis=1))])
    return int(np.argmax(total[window:] - total[:-window]))


def _pyplot() -> Any:
    need("matplotlib", "a plot").use("Agg")
    return need("matplotlib.pyplot", "a plot")


def _svg(figure: Any, salt: str) -> str:
    """Return a figure as SVG text, the same for the same data; `salt` keeps ids apart from other
    figures'.
    """
    plt = _pyplot()
    text = io.StringIO()
    with plt.rc_context({"svg.hashsalt": salt}):
        figure.tight_layout()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return text.getvalue()
