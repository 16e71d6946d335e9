"""The picture of a study: success along training, and success against shaped return and shaping weight.

Without shaping: the first two metrics against each other.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from ..spec.extra import need
from ..spec.files import write_atomic
from ..viz.plots import COLOURS, STYLE
from .summary import Summary


def write_figure(summary: Summary, path: Path) -> Path:
    """Write the figure as SVG and return its path. Raises ImportError if the `viz` extra is not installed."""
    matplotlib = need("matplotlib", "the figure of a study")
    figures = need("matplotlib.figure", "the figure of a study")
    with matplotlib.rc_context(STYLE):
        figure = figures.Figure(figsize=(12, 4.2), layout="constrained")
        columns = figure.subplots(1, 3 if summary.swept else 2)
        _learning(columns[0], summary)
        if summary.shaped:
            _hacking(columns[1], summary)
        else:
            _metrics(columns[1], summary)
        if summary.swept:
            _weights(columns[2], summary)
        handles, labels = columns[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg")
    return write_atomic(path, buffer.getvalue().encode())


def _learning(axes: Any, summary: Summary) -> None:
    axes.set(title="success while training, 95 % bands", xlabel="million steps", ylim=(-0.02, 1.02))
    for k, arm in enumerate(summary.arms.values()):
        colour, steps = COLOURS[k % len(COLOURS)], [s / 1e6 for s in arm.steps]
        axes.plot(steps, [p.mean for p in arm.curve], color=colour, ls=_dash(k), label=arm.title)
        low, high = [p.low for p in arm.curve], [p.high for p in arm.curve]
        axes.fill_between(steps, low, high, color=colour, alpha=0.12, lw=0)


def _hacking(axes: Any, summary: Summary) -> None:
    axes.set(title="shaped return and success along training", xlabel="shaped return a second", ylim=(-0.02, 1.02))
    for k, arm in enumerate(summary.arms.values()):
        colour = COLOURS[k % len(COLOURS)]
        x, y = [p.mean for p in arm.shaped], [p.mean for p in arm.curve]
        axes.plot(x, y, color=colour, ls=_dash(k), lw=1)
        axes.plot(x[-1:], y[-1:], "o", color=colour, ms=5)


def _metrics(axes: Any, summary: Summary) -> None:
    """Draw the two metrics shown first as a cross of intervals for each arm."""
    names = list(next(iter(summary.arms.values())).metrics)[:2] if summary.arms else []
    if len(names) < 2:
        axes.set_axis_off()
        return
    axes.set(title="at the end, 95 % intervals", xlabel=names[0].replace("_", " "), ylabel=names[1].replace("_", " "))
    for k, (key, arm) in enumerate(summary.arms.items()):
        if any(name not in arm.metrics for name in names):
            continue
        x, y = (arm.metrics[name] for name in names)
        spans = {f"{at}err": [[p.mean - p.low], [p.high - p.mean]] for at, p in (("x", x), ("y", y))}
        colour = COLOURS[k % len(COLOURS)]
        fill = "none" if k >= len(COLOURS) else colour  # its line is dashed in the other panel
        axes.errorbar(x.mean, y.mean, **spans, color=colour, mfc=fill, marker="o", ms=5, lw=1)
        if key in summary.fronts:  # its means with other weights
            axes.plot(*zip(*summary.fronts[key].points.values(), strict=True), ".", color=colour, mfc=fill, ms=5)


def _weights(axes: Any, summary: Summary) -> None:
    axes.set(title="final success by shaping weight", xlabel="weight of the shaping channels", xscale="log")
    axes.set_ylim(-0.02, 1.02)
    weights = list(dict.fromkeys(w for points in summary.swept.values() for w in points))
    axes.set_xticks([float(w) for w in weights], weights)
    axes.minorticks_off()
    names = list(summary.arms)
    for k, (name, points) in enumerate(summary.swept.items()):
        at = names.index(name) if name in names else k
        colour, x = COLOURS[at % len(COLOURS)], [float(w) for w in points]
        low = [p.mean - p.low for p in points.values()]
        high = [p.high - p.mean for p in points.values()]
        mean = [p.mean for p in points.values()]
        axes.errorbar(x, mean, [low, high], color=colour, ls=_dash(at), marker="o", ms=4, capsize=2)


def _dash(k: int) -> str:
    return ("-", "--", ":")[k // len(COLOURS) % 3]
