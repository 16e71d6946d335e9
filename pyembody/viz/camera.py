"""A camera that follows the robot without shaking, and where its pixels look."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .discs import disc_mask

Array = npt.NDArray[Any]

FIELD_OF_VIEW = 38.0  # degrees, vertical
AZIMUTH = -55.0  # degrees: the camera stands to the front right of a robot that looks along +x
ELEVATION = 16.0  # degrees above the ground
FRAMING = 1.15  # distance over (robot radius / tan of half the field of view); 1 fills the height
FOLLOW_S = 0.25  # standard deviation of the smoothing kernel, seconds


@dataclass(frozen=True)
class Camera:
    """A pinhole camera of `width` x `height` pixels that keeps its orientation and moves with a
    target.

    `offset` [3] leads from the target to the camera, m. `axes` [3, 3] holds right, down, forward in
    world axes.
    """

    width: int
    height: int
    offset: Array
    axes: Array
    focal: float

    def rays(self, x: Array, y: Array) -> Array:
        """Return unit directions [n, 3] through the pixel positions `x`, `y` [n] (0.5 is a pixel's
        centre).
        """
        right, down = (x - self.width / 2) / self.focal, (y - self.height / 2) / self.focal
        scale = 1 / np.sqrt(1 + right * right + down * down)
        directions = np.empty((x.size, 3))
        for k in range(3):
            directions[:, k] = (right * self.axes[0, k] + down * self.axes[1, k] + self.axes[2, k]) * scale
        return directions

    def mask(self, eye: Array, centres: Array, radii: Array) -> Array:
        """Return which pixels [height, width] bool may show any of the spheres, seen from `eye`
        [3].
        """
        shape = (self.height, self.width)
        local = (centres - eye) @ self.axes.T
        depth = local[:, 2]
        if np.any(np.abs(depth) <= 1.5 * radii):  # the camera is inside or nearly so
            return np.ones(shape, bool)
        local, depth, radii = local[depth > 0], depth[depth > 0], radii[depth > 0]
        # the silhouette of a sphere off the axis is a little longer than that of one on it
        reach = self.focal * radii / np.sqrt(depth * depth - radii * radii) * 1.1 + 1
        x = local[:, 0] / depth * self.focal + self.width / 2 - 0.5
        y = local[:, 1] / depth * self.focal + self.height / 2 - 0.5
        return disc_mask(shape, x, y, reach)


def look(width: int, height: int, radius: float, azimuth: float = AZIMUTH, elevation: float = ELEVATION) -> Camera:
    """Return a camera that frames a robot of `radius` m from `azimuth` and `elevation` degrees."""
    a, e = math.radians(azimuth), math.radians(elevation)
    back = np.array([math.cos(a) * math.cos(e), math.sin(a) * math.cos(e), math.sin(e)])
    right = np.array([-math.sin(a), math.cos(a), 0.0])
    down = np.cross(-back, right)
    half = math.tan(math.radians(FIELD_OF_VIEW) / 2)
    return Camera(
        width,
        height,
        back * (FRAMING * radius / half),
        np.stack([right, down, -back]),
        height / 2 / half,
    )


def follow(positions: Array, dt: float, smoothing: float = FOLLOW_S) -> Array:
    """Return `positions` [T, 3] smoothed by a Gaussian over time, so that steps and bounces do not
    shake the view.
    """
    sigma = max(smoothing / dt, 1e-6)
    reach = min(math.ceil(3 * sigma), 10 * len(positions))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.concatenate([np.repeat(positions[:1], reach, 0), positions, np.repeat(positions[-1:], reach, 0)])
    return np.stack([np.convolve(padded[:, k], kernel, mode="valid") for k in range(positions.shape[1])], axis=1)
