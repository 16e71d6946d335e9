"""What lies behind the robot: the sky, and a tiled ground that carries the robot's shadow."""

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
from .terrain import HeightField

Array = npt.NDArray[Any]

FOG = 26.0  # distance over which the ground fades into the horizon, in robot radii
TILE = 0.55  # side of a tile in robot radii, before it is rounded to a length that measures


class Backdrop:
    """Draws sky and ground of one scene for one camera; `directions` [pixels, 3] are the camera's
    rays.
    """

    def __init__(self, scene: Scene, camera: Camera, batch: Batch, directions: Array) -> None:
        self._scene = scene
        self._tile = np.float32(_round_size(scene.radius * TILE))
        self._shadow = GroundLight(scene, batch)
        self._sky = shading.sky(directions)
        self._below = np.flatnonzero(directions[:, 2] < -1e-3)
        self._down = directions[self._below]
        # where a ray meets the floor, and how long it is, for a camera one metre up
        self._slope = np.ascontiguousarray((self._down[:, :2] / -self._down[:, 2:3]).T, np.float32)
        self._stretch = np.sqrt(1 + (self._slope**2).sum(axis=0))
        self._footprint = self._pixel_footprint(camera.focal)
        # the fog of a camera at its usual height: bounces do not change it visibly
        usual = np.float32(camera.offset[2] + 0.5 * scene.radius)
        self._fog = self._fog_at(self._stretch * usual)
        self._dark, self._bright = shading.floor(self._fog)

    def draw(self, data: mujoco.MjData, eye: Array) -> Array:
        """Return the light [pixels, 3] seen from `eye` [3], with the shadow of the robot in
        `data`.
        """
        light: Array = self._sky.copy()
        if self._scene.terrain is not None:
            self._draw_terrain(light, self._scene.terrain, data, eye)
        elif self._scene.floor is not None and eye[2] > self._scene.floor:
            light[self._below] = self._floor(data, eye, np.float32(eye[2] - self._scene.floor))
        return light

    def _floor(self, data: mujoco.MjData, eye: Array, height: np.float32) -> Array:
        """Return the light of the flat floor `height` m below the camera, for every ray that goes
        down.
        """
        x = self._slope[0] * height + np.float32(eye[0])
        y = self._slope[1] * height + np.float32(eye[1])
        tile = self._tiles(x, y, self._footprint * height)
        ground: Array = self._dark + self._bright * tile[:, None]
        near, sun, sky = self._shadow.lookup(data, x, y)
        ground[near] = shading.ground(tile[near], sun * shading.SUN[2], sky, self._fog[near])
        return ground

    def _draw_terrain(self, light: Array, terrain: HeightField, data: mujoco.MjData, eye: Array) -> None:
        """Draw a height field into `light` [pixels, 3]."""
        distance = terrain.distance(eye, self._down)
        seen = np.flatnonzero(np.isfinite(distance))
        point = eye + self._down[seen] * distance[seen, None]
        x, y = point[:, 0].astype(np.float32), point[:, 1].astype(np.float32)
        normal = terrain.at(point[:, 0], point[:, 1])[1].astype(np.float32)
        drop = (eye[2] - point[:, 2]).astype(np.float32)
        tile = self._tiles(x, y, self._footprint[:, seen] * drop)

        sun = np.clip(shading.dot(normal, shading.SUN), 0, 1)
        sky = 0.5 + 0.5 * normal[:, 2]
        near, shade, dimmed = self._shadow.lookup(data, x, y)
        sun[near] *= shade
        sky[near] *= dimmed
        fog = self._fog_at(distance[seen].astype(np.float32))
        light[self._below[seen]] = shading.ground(tile, sun, sky, fog)

    def _tiles(self, x: Array, y: Array, blur: Array) -> Array:
        """Return which tile [n] points in m are on, from 0 to 1, averaged over `blur` [2, n] m."""
        return shading.checker(x / self._tile, y / self._tile, blur[0] / self._tile, blur[1] / self._tile)

    def _fog_at(self, distance: Array) -> Array:
        """Return how much of the ground [n] is hidden at distances [n] m, from 0 to 1."""
        fog: Array = 1 - np.exp(-((distance / np.float32(FOG * self._scene.radius)) ** 2))
        return fog

    def _pixel_footprint(self, focal: float) -> Array:
        """Return the extent of ground along x and y [2, n] that one pixel covers, for a camera one
        metre up.
        """
        along = np.abs(self._slope) / np.maximum(np.linalg.norm(self._slope, axis=0), 1e-6)
        footprint: Array = self._stretch / np.float32(focal) * (along * self._stretch + along[::-1])
        return footprint


def _round_size(size: float) -> float:
    """Return the nearest of 1, 2, 2.5, 5 times a power of ten, so that tiles measure distance."""
    power = 10.0 ** np.floor(np.log10(size))
    return float(min((1, 2, 2.5, 5, 10), key=lambda k: abs(k * power - size)) * power)
