"""Pictures of a simulation without OpenGL: MuJoCo's batched rays find the surfaces, NumPy lights them.

The floor and the sky need no rays. Rays go through the robot's part of the picture, four more through every pixel that
holds an edge, one towards the sun from every surface point, and from a small grid on the ground around the robot, whose
soft shadow is looked up from there.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt
from mujoco.batch import Batch

from . import shading
from .camera import Camera
from .ground import GroundLight
from .scene import Scene

Array = npt.NDArray[Any]

SUBPIXELS = ((0.125, 0.375), (0.375, 0.875), (0.625, 0.125), (0.875, 0.625))
EDGE_COSINE = 0.92  # neighbouring normals further apart than 23 degrees make an edge
SURFACE_GAP = 1e-4  # m; keeps a shadow ray from hitting the surface that it leaves
FOG = 26.0  # distance over which the floor fades into the horizon, in robot radii


class Raycaster:
    """Draws frames of one scene with one camera. Not thread safe: one for each thread."""

    def __init__(self, scene: Scene, camera: Camera) -> None:
        self.scene, self.camera = scene, camera
        self.tile = _round_size(scene.radius * 0.55)
        self._batch = Batch(scene.model, 1, 1)
        self._qpos = self._batch.bind("qpos")
        self._data = mujoco.MjData(scene.model)
        self._uneven = scene.model.geom_type == int(mujoco.mjtGeom.mjGEOM_HFIELD)
        self._ground = GroundLight(scene, self._batch)
        y, x = np.mgrid[0 : camera.height, 0 : camera.width] + 0.5
        self._directions = camera.rays(x.ravel(), y.ravel())
        self._sky = shading.sky(self._directions)
        self._below = np.flatnonzero(self._directions[:, 2] < -1e-3)
        down = self._directions[self._below]
        self._slope = np.ascontiguousarray((down[:, :2] / -down[:, 2:3]).T, np.float32)
        self._stretch = np.sqrt(1 + (self._slope**2).sum(axis=0))
        self._footprint = self._pixel_footprint()
        # the fog of a camera at its usual height: bounces do not change it visibly
        distance = self._stretch * np.float32(camera.offset[2] + 0.5 * scene.radius)
        self._fog = 1 - np.exp(-((distance / np.float32(FOG * scene.radius)) ** 2))
        self._dark, self._bright = shading.floor(self._fog)

    def frame(self, qpos: Array, eye: Array) -> Array:
        """Return the picture [height, width, 3] uint8 of the configuration `qpos` [nq] seen from `eye` [3]."""
        self._qpos[0] = qpos
        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self.scene.model, self._data)
        shape = (self.camera.height, self.camera.width, 3)
        behind = self._background(eye).reshape(shape)
        light = behind.copy()
        self._draw_shapes(light, behind, eye)
        return shading.to_pixels(light)

    def _background(self, eye: Array) -> Array:
        """Return sky and floor [pixels, 3]."""
        light: Array = self._sky.copy()
        floor = self.scene.floor
        if floor is None or eye[2] <= floor:
            return light
        height = np.float32(eye[2] - floor)
        u = (self._slope[0] * height + np.float32(eye[0])) / self.tile
        v = (self._slope[1] * height + np.float32(eye[1])) / self.tile
        blur = self._footprint * (height / self.tile)
        tile = shading.checker(u, v, blur[0], blur[1])
        ground = self._dark + self._bright * tile[:, None]
        near, sunlit, open_sky = self._ground.lookup(self._data, u * self.tile, v * self.tile)
        ground[near] = shading.shaded_floor(tile[near], sunlit, open_sky, self._fog[near])
        light[self._below] = ground
        return light

    def _draw_shapes(self, picture: Array, behind: Array, eye: Array) -> None:
        """Trace the part of `picture` [height, width, 3] that may show a shape, in place; `behind` is without them."""
        shapes = self.scene.shapes
        x0, y0, x1, y1 = self.camera.box(
            eye,
            self._data.geom_xpos[shapes],
            np.maximum(self.scene.model.geom_rbound[shapes], 1e-3),
        )
        if x1 <= x0 or y1 <= y0:
            return
        y, x = np.mgrid[y0:y1, x0:x1]
        directions = self._directions[(y * self.camera.width + x).ravel()]
        light, geom, normal = self._trace(directions, eye)
        part = picture[y0:y1, x0:x1]
        hit = (geom >= 0).reshape(part.shape[:2])
        part[hit] = light[geom >= 0]

        edge_y, edge_x = np.nonzero(
            _edges(geom.reshape(part.shape[:2]), normal.reshape(part.shape))
        )
        y, x = edge_y + y0, edge_x + x0
        if y.size:
            picture[y, x] = self._smooth(behind[y, x], y, x, eye)

    def _smooth(self, behind: Array, y: Array, x: Array, eye: Array) -> Array:
        """Return the mean light [n, 3] of four rays through each pixel; a miss shows what lies `behind` [n, 3]."""
        dx, dy = (np.array([s[k] for s in SUBPIXELS]) for k in (0, 1))
        directions = self.camera.rays((x[:, None] + dx).ravel(), (y[:, None] + dy).ravel())
        light, geom, _ = self._trace(directions, eye)
        miss = geom < 0
        light[miss] = np.repeat(behind, len(SUBPIXELS), axis=0)[miss]
        mean: Array = light.reshape(-1, len(SUBPIXELS), 3).mean(axis=1)
        return mean

    def _trace(self, directions: Array, eye: Array) -> tuple[Array, Array, Array]:
        """Return the light [n, 3], the geom [n] (-1: floor or sky) and the normal [n, 3] along `directions` [n, 3]."""
        distance, geom, normal = self._batch.ray(eye, directions, self.scene.groups, normal=True)
        distance, geom, normal = distance[0], geom[0], normal[0].astype(np.float32)
        if self.scene.floor is not None:
            depth = np.minimum(directions[:, 2], -1e-9)
            geom[(eye[2] + distance * depth < self.scene.floor) & (directions[:, 2] < 0)] = -1
        light = np.zeros((len(geom), 3), np.float32)
        hit = np.flatnonzero(geom >= 0)
        if hit.size:
            view = -directions[hit]
            light[hit] = self._surface(
                eye - view * distance[hit, None], normal[hit], view, geom[hit]
            )
        return light, geom, normal

    def _surface(self, points: Array, normal: Array, view: Array, geom: Array) -> Array:
        """Return the light [n, 3] of surface points [n, 3], with a shadow ray each where the sun could reach."""
        sunlit = np.ones(len(points), np.float32)
        facing = np.flatnonzero(shading.dot(normal, shading.SUN) > 0)
        if facing.size:
            start = points[facing] + SURFACE_GAP * (normal[facing] + 4 * shading.SUN)
            blocked = self._batch.ray(start, shading.SUN, self.scene.groups)[1][0] >= 0
            sunlit[facing[blocked]] = 0
        albedo = self.scene.colours[geom]
        field = self._uneven[geom]
        if field.any():
            xy = (points[field, :2] / self.tile).astype(np.float32)
            sharp = np.full(len(xy), 0.05, np.float32)
            tile = shading.checker(xy[:, 0], xy[:, 1], sharp, sharp)
            albedo[field] = shading.TILES[1] + (shading.TILES[0] - shading.TILES[1]) * tile[:, None]
        return shading.surface(albedo, normal, view.astype(np.float32), sunlit)

    def _pixel_footprint(self) -> Array:
        """Return the floor's extent along x and y [2, n] that one pixel covers, for a camera one metre up."""
        along = np.abs(self._slope) / np.maximum(np.linalg.norm(self._slope, axis=0), 1e-6)
        footprint: Array = (
            self._stretch / np.float32(self.camera.focal) * (along * self._stretch + along[::-1])
        )
        return footprint


def _edges(geom: Array, normal: Array) -> Array:
    """Return where a pixel of [h, w] differs from its right or lower neighbour in shape or in direction."""
    edge = np.zeros(geom.shape, bool)
    for axis in (0, 1):
        a = (slice(None, -1), slice(None)) if axis == 0 else (slice(None), slice(None, -1))
        b = (slice(1, None), slice(None)) if axis == 0 else (slice(None), slice(1, None))
        bent = (normal[a] * normal[b]).sum(axis=-1) < EDGE_COSINE
        differs = (geom[a] != geom[b]) | ((geom[a] >= 0) & bent)
        edge[a] |= differs
        edge[b] |= differs
    return edge


def _round_size(size: float) -> float:
    """Return the nearest of 1, 2, 2.5, 5 times a power of ten, so that tiles measure distance."""
    power = 10.0 ** np.floor(np.log10(size))
    return float(min((1, 2, 2.5, 5, 10), key=lambda k: abs(k * power - size)) * power)
