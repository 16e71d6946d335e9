"""Pictures of a simulation without OpenGL: MuJoCo's batched rays find the surfaces, NumPy lights
them.

The ground and the sky need no rays. Rays go through the robot's part of the picture, four more
through every pixel that holds an edge, one towards the sun from every surface point, and from a
small grid on the ground around the robot, whose soft shadow is looked up from there.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt
from mujoco.batch import Batch

from . import shading
from .backdrop import Backdrop
from .camera import Camera
from .scene import Scene

Array = npt.NDArray[Any]

SUBPIXELS = ((0.125, 0.375), (0.375, 0.875), (0.625, 0.125), (0.875, 0.625))
EDGE_CONTRAST = 0.07  # of the square root of light, which is near to what an eye sees
SURFACE_GAP = 1e-4  # m; keeps a shadow ray from hitting the surface that it leaves


class Raycaster:
    """Draws frames of one scene with one camera. Not thread safe: one for each thread."""

    def __init__(self, scene: Scene, camera: Camera) -> None:
        self.scene, self.camera = scene, camera
        self._batch = Batch(scene.model, 1, 1)
        self._qpos = self._batch.bind("qpos")
        self._data = mujoco.MjData(scene.model)
        y, x = np.mgrid[0 : camera.height, 0 : camera.width] + 0.5
        self._directions = camera.rays(x.ravel(), y.ravel())
        self._backdrop = Backdrop(scene, camera, self._batch, self._directions)

    def frame(self, qpos: Array, eye: Array) -> Array:
        """Return the picture [height, width, 3] uint8 of the configuration `qpos` [nq] seen from
        `eye` [3].
        """
        self._qpos[0] = qpos
        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self.scene.model, self._data)
        shape = (self.camera.height, self.camera.width, 3)
        behind = self._backdrop.draw(self._data, eye).reshape(shape)
        light = behind.copy()
        self._draw_shapes(light, behind, eye)
        return shading.to_pixels(light)

    def _draw_shapes(self, picture: Array, behind: Array, eye: Array) -> None:
        """Trace the pixels of `picture` [height, width, 3] that may show a shape, in place.

        `behind` is the same picture without shapes.
        """
        shapes, radius = self.scene.shapes, self.scene.model.geom_rbound
        mask = self.camera.mask(eye, self._data.geom_xpos[shapes], np.maximum(radius[shapes], 1e-3))
        pixels = np.flatnonzero(mask)
        if not pixels.size:
            return
        light, hit = self._trace(self._directions[pixels], eye)
        picture.reshape(-1, 3)[pixels[hit]] = light[hit]
        mask.reshape(-1)[pixels[~hit]] = False

        y, x = np.nonzero(_edges(picture, mask))
        if y.size:
            picture[y, x] = self._smooth(behind[y, x], y, x, eye)

    def _smooth(self, behind: Array, y: Array, x: Array, eye: Array) -> Array:
        """Return the mean light [n, 3] of four rays through each pixel; a miss shows what lies
        `behind` [n, 3].
        """
        dx, dy = (np.array([s[k] for s in SUBPIXELS]) for k in (0, 1))
        directions = self.camera.rays((x[:, None] + dx).ravel(), (y[:, None] + dy).ravel())
        light, hit = self._trace(directions, eye)
        light[~hit] = np.repeat(behind, len(SUBPIXELS), axis=0)[~hit]
        mean: Array = light.reshape(-1, len(SUBPIXELS), 3).mean(axis=1)
        return mean

    def _trace(self, directions: Array, eye: Array) -> tuple[Array, Array]:
        """Return the light [n, 3] along `directions` [n, 3], and which of them hit a shape [n]
        bool.
        """
        distance, geom, normal = self._batch.ray(eye, directions, self.scene.groups, normal=True)
        distance, geom, normal = distance[0], geom[0], normal[0].astype(np.float32)
        light = np.zeros((len(geom), 3), np.float32)
        hit = np.flatnonzero(geom >= 0)
        point = eye + directions[hit] * distance[hit, None]
        sunk = point[:, 2] < self.scene.ground_height(point[:, 0], point[:, 1])
        hit, point = hit[~sunk], point[~sunk]
        if hit.size:
            light[hit] = self._surface(point, normal[hit], -directions[hit], geom[hit])
        found = np.zeros(len(geom), bool)
        found[hit] = True
        return light, found

    def _surface(self, points: Array, normal: Array, view: Array, geom: Array) -> Array:
        """Return the light [n, 3] of surface points [n, 3], with a shadow ray each where the sun
        could reach.
        """
        sunlit = np.ones(len(points), np.float32)
        facing = np.flatnonzero(shading.dot(normal, shading.SUN) > 0)
        if facing.size:
            start = points[facing] + SURFACE_GAP * (normal[facing] + 4 * shading.SUN)
            blocked = self._batch.ray(start, shading.SUN, self.scene.groups)[1][0] >= 0
            sunlit[facing[blocked]] = 0
        albedo = self.scene.colours[geom]
        return shading.surface(albedo, normal, view.astype(np.float32), sunlit)


def _edges(picture: Array, shape: Array) -> Array:
    """Return where a pixel of `picture` [h, w, 3] contrasts with its right or lower neighbour, [h,
    w] bool.

    At least one of the two has to show a shape: `shape` [h, w] bool.
    """
    rows, columns = np.flatnonzero(shape.any(axis=1)), np.flatnonzero(shape.any(axis=0))
    edge = np.zeros(shape.shape, bool)
    if not rows.size:
        return edge
    # one more pixel on every side, where the outline meets what lies behind
    part = (
        slice(max(0, rows[0] - 1), rows[-1] + 2),
        slice(max(0, columns[0] - 1), columns[-1] + 2),
    )
    light, inside, found = np.sqrt(picture[part]), shape[part], edge[part]
    for axis in (0, 1):
        a = (slice(None, -1), slice(None)) if axis == 0 else (slice(None), slice(None, -1))
        b = (slice(1, None), slice(None)) if axis == 0 else (slice(None), slice(1, None))
        contrast = np.abs(light[a] - light[b]).max(axis=-1) > EDGE_CONTRAST
        differs = contrast & (inside[a] | inside[b])
        found[a] |= differs
        found[b] |= differs
    return edge
