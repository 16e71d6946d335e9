"""A picture of a slice of a reward."""

from __future__ import annotations

import io
from pathlib import Path

from ..analysis.slices import Slice
from ..spec.files import write_atomic
from .extra import need


def plot_slice(found: Slice, path: Path, title: str) -> Path:
    """Write the PNG of a slice and return its path. Raises ImportError without matplotlib."""
    need("matplotlib", "reward plot")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 5.0), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    mesh = axes.pcolormesh(found.x, found.y, found.values, cmap="viridis", shading="nearest")
    if found.values.min() < found.values.max():
        lines = axes.contour(found.x, found.y, found.values, levels=8, colors="white", linewidths=0.6, alpha=0.7)
        axes.clabel(lines, fontsize=7)
    across, up = found.axes
    axes.set_xlabel(across.label)
    axes.set_ylabel(up.label)
    axes.set_title(title, fontsize=10)
    figure.colorbar(mesh, ax=axes, label=found.name if found.unit == "1" else f"{found.name} ({found.unit})")
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return write_atomic(path, picture.getvalue())
