"""Height fields in pictures: their points and slopes by arithmetic, because rays through them are
slow.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

MAX_STEPS = 400  # of half a cell each; what lies further away is hidden by fog
REFINEMENTS = 8  # halvings of the last step


@dataclass(frozen=True)
class HeightField:
    """Heights [rows (y), columns (x)] in m on a grid that spans [-half_x, half_x] x [-half_y,
    half_y] round `centre`.
    """

    heights: Array
    centre: tuple[float, float]
    half: tuple[float, float]

    def grid(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return the columns and rows, with fractions, of points in m, kept inside the field."""
        rows, columns = self.heights.shape
        column = (x - self.centre[0] + self.half[0]) * ((columns - 1) / (2 * self.half[0]))
        row = (y - self.centre[1] + self.half[1]) * ((rows - 1) / (2 * self.half[1]))
        return np.clip(column, 0, columns - 1.001), np.clip(row, 0, rows - 1.001)

    def at(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return the heights [n] m and the unit normals [n, 3] at points in m."""
        column, row = self.grid(x, y)
        i, j = column.astype(np.int64), row.astype(np.int64)
        u, v = column - i, row - j
        h = self.heights
        a, b, c, d = h[j, i], h[j, i + 1], h[j + 1, i], h[j + 1, i + 1]
        height = (a * (1 - u) + b * u) * (1 - v) + (c * (1 - u) + d * u) * v
        rows, columns = h.shape
        dx = ((b - a) * (1 - v) + (d - c) * v) * ((columns - 1) / (2 * self.half[0]))
        dy = ((c - a) * (1 - u) + (d - b) * u) * ((rows - 1) / (2 * self.half[1]))
        length = np.sqrt(1 + dx * dx + dy * dy)
        return height, np.column_stack([-dx / length, -dy / length, 1 / length])

    def distance(self, eye: Array, directions: Array) -> Array:
        """Return how far along unit `directions` [n, 3] from `eye` [3] the ground is, infinity
        where it is not.
        """
        found: Array = _march()(
            self.heights,
            np.asarray(eye, np.float64),
            np.ascontiguousarray(directions, np.float64),
            np.array([*self.centre, *self.half]),
            float(self.heights.min()),
            float(self.heights.max()),
        )
        return found


def find_height_field(model: mujoco.MjModel, data: mujoco.MjData) -> tuple[int, HeightField] | None:
    """Return the geom and the field of the first level height field of the world, None if it has
    none.
    """
    for geom in np.flatnonzero(model.geom_type == int(mujoco.mjtGeom.mjGEOM_HFIELD)):
        level = np.allclose(data.geom_xmat[geom].reshape(3, 3), np.eye(3))
        if not level or model.body_weldid[model.geom_bodyid[geom]] != 0:
            continue
        field = int(model.geom_dataid[geom])
        rows, columns = int(model.hfield_nrow[field]), int(model.hfield_ncol[field])
        first = int(model.hfield_adr[field])
        half_x, half_y, top, _ = model.hfield_size[field]
        x, y, z = data.geom_xpos[geom]
        heights = model.hfield_data[first : first + rows * columns].reshape(rows, columns) * top + z
        return int(geom), HeightField(heights.astype(np.float64), (float(x), float(y)), (float(half_x), float(half_y)))
    return None


@functools.cache
def _march() -> Callable[..., Array]:
    """Return the compiled loop over rays; compiling it takes a second, once."""
    import numba

    compiled: Callable[..., Array] = numba.njit(nogil=True)(_walk_rays)
    return compiled


def _walk_rays(heights: Array, eye: Array, directions: Array, frame: Array, lowest: float, highest: float) -> Array:
    """Walk every ray from the highest to the lowest ground in steps of half a cell; halve
    the last.
    """
    rows, columns = heights.shape
    scale_x, scale_y = (columns - 1) / (2 * frame[2]), (rows - 1) / (2 * frame[3])
    x0, y0 = (eye[0] - frame[0] + frame[2]) * scale_x, (eye[1] - frame[1] + frame[3]) * scale_y
    found = np.full(len(directions), np.inf)
    for k in range(len(directions)):
        dz = directions[k, 2]
        if dz >= -1e-6:
            continue
        sx, sy = directions[k, 0] * scale_x, directions[k, 1] * scale_y
        step = 0.5 / max(math.sqrt(sx * sx + sy * sy), 1e-9)
        t = low = max(0.0, (highest - eye[2]) / dz)
        end = (lowest - eye[2]) / dz + step
        for _ in range(MAX_STEPS + REFINEMENTS):
            if t > end:
                break
            x, y = x0 + sx * t, y0 + sy * t
            below = False
            if 0 <= x < columns - 1 and 0 <= y < rows - 1:
                i, j = int(x), int(y)
                u, v = x - i, y - j
                near = heights[j, i] * (1 - u) + heights[j, i + 1] * u
                far = heights[j + 1, i] * (1 - u) + heights[j + 1, i + 1] * u
                below = eye[2] + dz * t <= near * (1 - v) + far * v
            if below:
                found[k] = t
            else:
                low = t
            if found[k] - low < 1e-4:
                break
            t = 0.5 * (low + found[k]) if found[k] < np.inf else t + step
    return found
