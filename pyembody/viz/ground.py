"""The robot's soft shadow on the ground, from a grid of rays on the ground around it."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt
from mujoco.batch import Batch

from . import shading
from .discs import disc_mask
from .scene import Scene

Array = npt.NDArray[Any]

CELLS = 112
SUN_SPREAD = 0.06  # radius of the sun's disc as an angle: softens the shadow with distance
PATTERN = 4  # cells per side that share one set of directions; their mean shows no pattern
REACH = 0.7  # dimming of the sky ends this many robot radii away
LIFT = 2e-3  # m above the ground


class GroundLight:
    """How much sun and sky the floor receives near the robot of one scene."""

    def __init__(self, scene: Scene, batch: Batch) -> None:
        self._scene, self._batch = scene, batch
        self._cell = 2.0 * 1.45 * scene.radius / CELLS
        self._sun, self._dome = _sun_pattern(), _dome_pattern()

    def lookup(self, data: mujoco.MjData, x: Array, y: Array) -> tuple[Array, Array, Array]:
        """Return which floor points `x`, `y` [n] (m) are near the robot, and their sun and sky from
        0 to 1 [near].
        """
        if not self._scene.moving.size:
            return np.zeros(0, int), np.zeros(0, np.float32), np.zeros(0, np.float32)
        base = data.xpos[self._scene.base]
        height = np.clip(base[2] - self._scene.ground_height(base[:1], base[1:2])[0], 0, self._scene.radius)
        centre = base[:2] - shading.SUN[:2] / shading.SUN[2] * height / 2
        # whole cells keep the grid, and with it the picture, from swimming under a moving robot
        corner = 2 * np.round(centre / self._cell / 2).astype(int) - CELLS // 2
        gx, gy = x / np.float32(self._cell) - corner[0], y / np.float32(self._cell) - corner[1]
        near = np.flatnonzero((gx > 2) & (gx < CELLS - 3) & (gy > 2) & (gy < CELLS - 3))
        sun, dome = self._cast(data, corner)
        return near, _bilinear(sun, gx[near], gy[near]), _bilinear(dome, gx[near], gy[near])

    def _cast(self, data: mujoco.MjData, corner: Array) -> tuple[Array, Array]:
        """Return sun and sky [CELLS, CELLS] (y, x) on the grid with its first cell at
        `corner` [2].
        """
        iy, ix = np.nonzero(self._sun_mask(data, corner))
        sun = np.ones((CELLS, CELLS), np.float32)
        points, slot = self._points(ix + corner[0], iy + corner[1])
        blocked = self._batch.ray(points, self._sun[slot], self._scene.groups)[1][0] >= 0
        sun[iy, ix] = ~blocked

        coarse = CELLS // 2
        iy, ix = np.mgrid[0:coarse, 0:coarse].reshape(2, -1)
        points, _ = self._points(2 * ix + corner[0], 2 * iy + corner[1])
        slot = (iy + corner[1] // 2) % PATTERN * PATTERN + (ix + corner[0] // 2) % PATTERN
        distance = self._batch.ray(points, self._dome[slot], self._scene.groups)[0][0]
        reach = REACH * self._scene.radius
        open_sky = np.where(distance >= 0, np.clip(distance / reach, 0, 1), 1)
        dome = _box(open_sky.reshape(coarse, coarse)).repeat(2, axis=0).repeat(2, axis=1)
        return _box(sun), _box(_box(dome))

    def _points(self, ix: Array, iy: Array) -> tuple[Array, Array]:
        """Return the ground points [n, 3] m of cells, and each one's place in the pattern of
        directions.
        """
        x, y = ix * self._cell, iy * self._cell
        points = np.column_stack([x, y, self._scene.ground_height(x, y) + LIFT])
        return points, (iy % PATTERN) * PATTERN + ix % PATTERN

    def _sun_mask(self, data: mujoco.MjData, corner: Array) -> Array:
        """Return the cells [CELLS, CELLS] bool that a shape's bounding sphere may shade."""
        shapes = self._scene.moving
        centre, radius = data.geom_xpos[shapes], self._scene.model.geom_rbound[shapes]
        height = centre[:, 2] - self._scene.ground_height(centre[:, 0], centre[:, 1])
        fallen = centre[:, :2] - shading.SUN[:2] / shading.SUN[2] * height[:, None]
        reach = radius / shading.SUN[2] + SUN_SPREAD * np.maximum(height, 0) + 2 * self._cell
        if self._scene.terrain is not None:
            reach = reach + radius  # the ground is not level under the whole shape
        cell = fallen / self._cell - corner
        return disc_mask((CELLS, CELLS), cell[:, 0], cell[:, 1], reach / self._cell)


def _sun_pattern() -> Array:
    """Return PATTERN^2 directions over the sun's disc, spread by the golden angle."""
    k = np.arange(PATTERN * PATTERN)
    radius, angle = SUN_SPREAD * np.sqrt((k + 0.5) / k.size), k * 2.399963
    right = np.cross(shading.SUN, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    above = np.cross(right, shading.SUN)
    spread = np.outer(radius * np.cos(angle), right) + np.outer(radius * np.sin(angle), above)
    around = shading.SUN + spread[_scatter(k.size)]
    found: Array = around / np.linalg.norm(around, axis=1, keepdims=True)
    return found


def _dome_pattern() -> Array:
    """Return PATTERN^2 directions over the sky, denser above as the floor sees it
    (cosine-weighted).
    """
    k = np.arange(PATTERN * PATTERN)
    radius, angle = np.sqrt((k + 0.5) / k.size), k * 2.399963
    found = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1 - radius**2)])
    return found[_scatter(k.size)]


def _scatter(count: int) -> Array:
    """Return an order in which neighbours in the list are far apart."""
    return np.arange(count) * 7 % count


def _box(x: Array) -> Array:
    """Return the mean of `x` [n, n] over PATTERN x PATTERN cells around each cell, edges
    repeated.
    """
    for axis in (0, 1):
        padded = np.pad(x, [(2, 2) if a == axis else (0, 0) for a in (0, 1)], mode="edge").astype(np.float32)
        total = np.cumsum(padded, axis=axis, dtype=np.float32)
        upper = np.take(total, np.arange(PATTERN, total.shape[axis]), axis=axis)
        lower = np.take(total, np.arange(0, total.shape[axis] - PATTERN), axis=axis)
        x = (upper - lower) / PATTERN
    return x


def _bilinear(grid: Array, x: Array, y: Array) -> Array:
    """Return `grid` [n, n] (y, x) between its cells at `x`, `y` [m]."""
    ix, iy = x.astype(np.int32), y.astype(np.int32)
    fx, fy = x - ix, y - iy
    top = grid[iy, ix] * (1 - fx) + grid[iy, ix + 1] * fx
    bottom = grid[iy + 1, ix] * (1 - fx) + grid[iy + 1, ix + 1] * fx
    mixed: Array = top * (1 - fy) + bottom * fy
    return mixed
