"""A picture of a slice of a reward."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from ..analysis.slices import Slice
from ..spec.extra import need
from ..spec.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _draw_plane(figure: Figure, axes: Axes, found: Slice, label: str) -> None:
    mesh = axes.pcolormesh(found.x, found.y, found.values, cmap="viridis", shading="nearest")
    if found.values.min() < found.values.max():
        lines = axes.contour(found.x, found.y, found.values, levels=8, colors="white", linewidths=0.6, alpha=0.7)
        axes.clabel(lines, fontsize=7)
    axes.set_ylabel(found.axes[1].label)
    figure.colorbar(mesh, ax=axes, label=label)


def plot_slice(found: Slice, path: Path, title: str) -> Path:
    """Write the PNG of a slice and return its path. Raises ImportError without matplotlib."""
    need("matplotlib", "reward plot")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 5.0), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    label = found.name if found.unit == "1" else f"{found.name} ({found.unit})"
    axes.set_xlabel(found.axes[0].label)
    axes.set_title(title, fontsize=10)
    if len(found.axes) == 1:
        axes.plot(found.x, found.values[0])
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    else:
        _draw_plane(figure, axes, found, label)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return write_atomic(path, picture.getvalue())
