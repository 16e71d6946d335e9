"""Which cells of a grid lie in any of some discs: where rays are worth casting."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def disc_mask(shape: tuple[int, int], x: Array, y: Array, radius: Array) -> Array:
    """Return a bool mask of `shape` (rows, columns), true inside any disc; all in cells, cell (0,
    0) is centred at 0.
    """
    mask = np.zeros(shape, bool)
    rows, columns = shape
    for cx, cy, r in zip(x.tolist(), y.tolist(), radius.tolist(), strict=True):
        x0, x1 = max(0, int(cx - r)), min(columns, int(cx + r) + 2)
        y0, y1 = max(0, int(cy - r)), min(rows, int(cy + r) + 2)
        if x0 < x1 and y0 < y1:
            dx, dy = np.arange(x0, x1) - cx, np.arange(y0, y1) - cy
            mask[y0:y1, x0:x1] |= dx * dx + (dy * dy)[:, None] <= r * r
    return mask
