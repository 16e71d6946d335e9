"""Rough ground: a height field made from a seed, and its height at any point."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..spec.task import Terrain as TerrainSpec

Floats = NDArray[np.float64]

PLATEAU_M = 1.2  # side of a step's square
BUMP_M = 0.4  # distance of two neighbouring bumps
EDGE_M = 0.5  # a robot whose base comes this near to the edge has left: its feet must not step into the void
LEVEL_SHARE = 0.25  # of the places, the most level, to start from: elsewhere robots would fall into their first step
FOOTPRINT_M = 0.3  # a robot that starts above the highest point within this half-width touches nothing


@dataclass(frozen=True)
class Terrain:
    """Heights [rows (y), columns (x)] in m on a grid of `cell` m, centred at the origin.

    Between grid points the ground is the pair of triangles that MuJoCo collides with.
    """

    heights: Floats
    cell: float
    _highest: Floats = field(repr=False)
    _level: NDArray[np.int64] = field(repr=False)

    @property
    def half_size(self) -> float:
        """Half the side in m."""
        return self.cell * (len(self.heights) - 1) / 2

    def starts(self, rng: np.random.Generator, count: int) -> Floats:
        """Return points [count, 2] in m to start from: in the middle third, where a robot stands most level."""
        cells = self._level[rng.integers(0, len(self._level), count)] + rng.random((count, 2))
        points: Floats = cells * self.cell - self.half_size
        return points

    def left(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return which bases at `x`, `y` (any shape, m) are at the edge or beyond."""
        gone: NDArray[np.bool_] = np.maximum(np.abs(x), np.abs(y)) > self.half_size - EDGE_M
        return gone

    def height_at(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> Floats:
        """Return the ground's height at points `x`, `y` (any shape, m); outside, that of the nearest edge."""
        row, column, v, u = self._cells(x, y)
        h = self.heights
        h00, h01 = h[row, column], h[row, column + 1]
        h10, h11 = h[row + 1, column], h[row + 1, column + 1]
        lower = h00 + u * (h01 - h00) + v * (h11 - h01)
        upper = h00 + v * (h10 - h00) + u * (h11 - h10)
        height: Floats = np.where(u > v, lower, upper)
        return height

    def highest_near(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> Floats:
        """Return the highest ground within a robot's footprint around points `x`, `y` (any shape, m)."""
        row, column, _, _ = self._cells(x, y)
        return self._highest[row, column]

    def _cells(
        self, x: NDArray[np.floating], y: NDArray[np.floating]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats, Floats]:
        """Row and column of the cell of each point, and its place in the cell in [0, 1]."""
        last = len(self.heights) - 1
        gy, gx = (np.clip((np.asarray(p, np.float64) + self.half_size) / self.cell, 0, last) for p in (y, x))
        row, column = (np.minimum(g.astype(np.int64), last - 1) for g in (gy, gx))
        return row, column, gy - row, gx - column


def make_terrain(spec: TerrainSpec) -> Terrain | None:
    """Return the ground that a task describes, the same for the same numbers; None for flat ground.

    Steps are squares at height 0 or `step_m`; bumps up to `bump_m` lie on top.
    """
    if spec.kind == "flat":
        return None
    points = max(2, round(spec.size_m / spec.cell_m)) + 1
    rng = np.random.Generator(np.random.PCG64(spec.seed))
    at = np.arange(points, dtype=np.float64) * spec.cell_m
    blocks = (at / PLATEAU_M).astype(np.int64)
    levels = rng.integers(0, 2, (blocks[-1] + 1, blocks[-1] + 1))
    steps = spec.step_m * levels[np.ix_(blocks, blocks)]
    heights = steps + spec.bump_m * _smooth_noise(rng, at * (1 / BUMP_M))
    return from_heights(heights, spec.cell_m)


def from_heights(heights: Floats, cell: float) -> Terrain:
    """Return the terrain of square heights [rows, columns] in m on a grid of `cell` m."""
    reach = int(np.ceil(FOOTPRINT_M / cell))
    padded = np.pad(heights, ((reach, reach + 1), (reach, reach + 1)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * reach + 2, 2 * reach + 2))
    highest = windows.max(axis=(2, 3))
    third = len(heights) // 3
    middle = slice(third, len(heights) - third)
    relief = (highest - windows.min(axis=(2, 3)))[middle, middle]
    row, column = np.nonzero(relief <= np.quantile(relief, LEVEL_SHARE))
    return Terrain(heights, cell, highest, third + np.stack([column, row], axis=1))


def _smooth_noise(rng: np.random.Generator, at: Floats) -> Floats:
    """Values in [0, 1] on the grid `at` x `at`: random at whole numbers, smooth between."""
    knots = rng.random((int(at[-1]) + 2, int(at[-1]) + 2))
    low = at.astype(np.int64)
    t = at - low
    s = t * t * (3 - 2 * t)
    rows = knots[low] * (1 - s)[:, None] + knots[low + 1] * s[:, None]
    return rows[:, low] * (1 - s) + rows[:, low + 1] * s
