"""Plots of a run as SVG: learning curves, what each term pays, velocities, and the gait."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..analysis.record import Progress, Recording
from ..spec.extra import need
from ..spec.files import write_atomic
from .overlay import slack
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
    """Return an SVG: reward per channel, tracking errors and how episodes ended, over environment steps with
    wall clock as a second scale.
    """
    plt = _pyplot()
    steps: Array = series(rows, "steps") / 1e6
    label = "million environment steps"
    if not np.isfinite(steps).all():
        steps, label = np.arange(len(rows)), "iteration"
    panels = _learning_panels(rows)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, len(panels), figsize=(10, 3.4))
        for axis, (title, lines) in zip(axes, panels, strict=True):
            _lines(axis, steps, lines)
            _head(axis, title, len(lines))
            axis.set_xlabel(label)
            axis.set_xlim(0, steps[-1])
            _clock_scale(axis, steps, wall_clock(rows) / 60)
        axes[-1].set_ylim(-0.02, 1.02)
        return _svg(figure, "learning")


def _learning_panels(rows: list[Row]) -> list[tuple[str, list[tuple[str, Array]]]]:
    """Return what learning curves show: titles, and the named curves [T] under each."""
    errors = [n for n in names(rows, "metrics") if "error" in n]
    title = "error" if errors else "measured by the task"
    labels = {n: n.removesuffix("error" if errors else "").replace("_", " ").strip() for n in names(rows, "metrics")}
    measured = errors or list(labels)[:3]
    ends = {"success": "success", "terminated": "ended by a fall or the like"}
    return [
        ("reward per second, by channel", [(n, series(rows, "channels", n)) for n in names(rows, "channels")]),
        (title, [(labels[n] or n, series(rows, "metrics", n)) for n in measured]),
        ("share of the episodes that ended", [(label, _pooled(rows, key)) for key, label in ends.items()]),
    ]


def pool_window(rows: list[Row]) -> int:
    """Return over how many iterations the ends of episodes are counted together: few end in one."""
    return max(1, round(len(rows) / 20))


def _pooled(rows: list[Row], key: str) -> Array:
    """Return the share [T] of the episodes that ended in the last iterations; NaN where none did."""
    share, counts = series(rows, key), series(rows, "episodes")
    if not np.isfinite(counts).all():
        return share
    window = pool_window(rows)
    hits, total = (np.append(0.0, np.cumsum(x)) for x in (np.nan_to_num(share) * counts, counts))
    first = np.maximum(np.arange(1, len(rows) + 1) - window, 0)
    hits, total = hits[1:] - hits[first], total[1:] - total[first]
    pooled: Array = np.divide(hits, total, out=np.full(len(rows), np.nan), where=total > 0)
    return pooled


def _clock_scale(axis: Any, x: Array, minutes: Array) -> None:
    """Add a second scale below the first, if the rows say when they were made."""
    xs, ys = np.append(0.0, x), np.append(0.0, minutes)
    if not (np.isfinite(ys).all() and (np.diff(xs) > 0).all() and (np.diff(ys) > 0).all()):
        return
    scale = axis.secondary_xaxis(-0.26, functions=(lambda v: np.interp(v, xs, ys), lambda v: np.interp(v, ys, xs)))
    ticks = _pyplot().MaxNLocator(4).tick_values(0, ys[-1])
    scale.set_xticks(ticks[ticks <= ys[-1]])
    scale.set_xlabel("minutes of wall clock")


def _head(axis: Any, title: str, count: int) -> None:
    """Put the title and a legend of `count` curves above the axes, where they hide nothing."""
    columns = min(count, 3)
    rows = -(-count // columns) if count else 0
    axis.set_title(title, pad=6 + 13 * rows)
    if count:
        axis.legend(
            loc="lower left",
            bbox_to_anchor=(-0.02, 1.0),
            ncols=columns,
            borderaxespad=0.1,
            handlelength=1.4,
            columnspacing=1.2,
        )


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
        _head(axis, "", len(channels))
        axis.grid(axis="y", visible=False)
        return _svg(figure, "terms")


def velocities(recording: Recording) -> str:
    """Return an SVG with the commanded and the measured velocities of one episode, and what is close to the
    command.
    """
    plt = _pyplot()
    measured = recording.measured()
    if measured is None or recording.command.shape[1] != 3:
        raise ValueError("recording: expected commands and measured velocities, got none")
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(3, 1, figsize=(10, 5.2), sharex=True)
        allowed = slack(recording.command)
        labels = ("forward (m/s)", "lateral (m/s)", "turn (rad/s)")
        for k, (axis, label) in enumerate(zip(axes, labels, strict=True)):
            time, asked = _thin(recording.time, recording.command[:, k])
            _, off = _thin(recording.time, allowed[:, k])
            axis.fill_between(time, asked - off, asked + off, color=COLOURS[0], alpha=0.12, linewidth=0, label="close")
            axis.plot(*_thin(recording.time, measured[:, k]), color=COLOURS[0], label="measured")
            axis.plot(time, asked, color=INK, linestyle="--", label="command")
            axis.set_ylabel(label)
        _head(axes[0], "", 3)
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
        paid = {name: term.get("per_second") for name, term in evaluation["terms"].items()}
        return {name: float(value) for name, value in paid.items() if value is not None}
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
        metadata = {"Date": None, "Creator": None}
        figure.savefig(text, format="svg", transparent=True, bbox_inches="tight", pad_inches=0.02, metadata=metadata)
    plt.close(figure)
    return text.getvalue()
