"""What a picture needs to know of a model: which geoms are seen, their colours and sizes, where the
robot is.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from .terrain import HeightField, find_height_field

Array = npt.NDArray[Any]

VISIBLE_GROUPS = 3  # geoms of groups 0 to 2 are seen; MuJoCo Menagerie keeps collision shapes in group 3
HIDDEN_GROUP = 5
DEFAULT_RGBA = (0.5, 0.5, 0.5, 1.0)  # MuJoCo's colour for a geom that was given none
PLAIN = (0.62, 0.66, 0.72)


@dataclass(frozen=True)
class Scene:
    """A model prepared for rays: the ground is taken out of them, because it is found by
    arithmetic.

    `colours` [ngeom, 3] linear RGB; `shapes` the geoms that rays see; `moving` those that
    belong to the robot; `floor` height of the ground plane in m or None; `terrain` a height
    field in its place; `base` the body that the camera follows; `radius` of what moves, and
    `middle` [3], where its centre is from the base, m: above one that can move.
    """

    model: mujoco.MjModel
    groups: Array
    colours: Array
    shapes: Array
    moving: Array
    floor: float | None
    terrain: HeightField | None
    base: int
    radius: float
    middle: Array

    def ground_height(self, x: Array, y: Array) -> Array:
        """Return the ground's height [n] m at points [n] in m, minus infinity where there
        is none.
        """
        if self.terrain is not None:
            return self.terrain.at(x, y)[0]
        return np.full(x.shape, -np.inf if self.floor is None else self.floor)


def make_scene(model: mujoco.MjModel, qpos: Array) -> Scene:
    """Return the scene of `model`; the robot's size is taken in the pose `qpos` [nq]."""
    model = copy.copy(model)
    plane = model.geom_type == int(mujoco.mjtGeom.mjGEOM_PLANE)
    if not np.any((model.geom_group < VISIBLE_GROUPS) & ~plane):
        model.geom_group[:] = 0
    data = mujoco.MjData(model)
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    field = find_height_field(model, data)
    model.geom_group[plane] = HIDDEN_GROUP
    if field is not None:
        model.geom_group[field[0]] = HIDDEN_GROUP
    shapes = np.flatnonzero(model.geom_group < VISIBLE_GROUPS)
    moves = model.body_weldid[model.geom_bodyid] != 0
    moving = shapes[moves[shapes]]

    base = base_body(model)
    flat = plane & (model.body_weldid[model.geom_bodyid] == 0) & (data.geom_xmat[:, 8] > 0.999)
    followed = moving if moving.size else shapes
    groups = np.array([g < VISIBLE_GROUPS for g in range(mujoco.mjNGROUP)], np.uint8)
    terrain = None if field is None else field[1]
    floor = float(data.geom_xpos[flat, 2].max()) if flat.any() and terrain is None else None
    radius, middle = _extent(data, base, followed)
    colours = _colours(model)
    return Scene(model, groups, colours, shapes, moving, floor, terrain, base, radius, middle)


def _extent(data: mujoco.MjData, base: int, shapes: Array) -> tuple[float, Array]:
    """Return the radius in m of some shapes, and where their middle is from the base [3]."""
    if not shapes.size:
        return 1.0, np.zeros(3)
    model, at = data.model, data.geom_xpos[shapes] - data.xpos[base]
    size = model.geom_rbound[shapes, None]
    middle = ((at + size).max(0) + (at - size).min(0)) / 2
    if model.body_weldid[base]:  # it moves: round itself
        return float((np.linalg.norm(at, axis=1) + size[:, 0]).max()), middle * [0.0, 0.0, 1.0]
    return float((np.linalg.norm(at - middle, axis=1) + size[:, 0]).max()), middle


def face_along_x(scene: Scene, qpos: Array) -> Array:
    """Return `qpos` [T, nq] turned about the vertical so that the robot starts looking along x.

    Camera and sun stand where such a robot looks best. A scene with anything fixed but a level
    floor, or without one floating body, is left as it is.
    """
    model = scene.model
    free = np.flatnonzero(model.jnt_type == int(mujoco.mjtJoint.mjJNT_FREE))
    if free.size != 1 or scene.terrain is not None or len(scene.moving) < len(scene.shapes):
        return qpos
    a = int(model.jnt_qposadr[free[0]])
    w, x, y, z = qpos[0, a + 3 : a + 7]
    half = -0.5 * np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    c, s = np.cos(half), np.sin(half)
    turned = qpos.copy()
    px, py = qpos[:, a], qpos[:, a + 1]
    cosine, sine = np.cos(2 * half), np.sin(2 * half)
    turned[:, a], turned[:, a + 1] = cosine * px - sine * py, sine * px + cosine * py
    w, x, y, z = qpos[:, a + 3 : a + 7].T
    turned[:, a + 3 : a + 7] = np.stack([c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w], axis=1)
    return turned


def base_body(model: mujoco.MjModel) -> int:
    """Return the first body on the world that carries a robot's joints, or else the first that
    floats, such as a ball (1, the first body of all, if nothing moves, 0 in an empty world).
    """
    roots = model.body_rootid[model.jnt_bodyid]
    floats = model.jnt_type == int(mujoco.mjtJoint.mjJNT_FREE)
    alone = floats & (np.bincount(roots, minlength=model.nbody)[roots] == 1)
    carriers = roots[~alone] if (~alone).any() else roots
    return int(carriers[0]) if carriers.size else min(1, model.nbody - 1)


def body_positions(model: mujoco.MjModel, qpos: Array, body: int) -> Array:
    """Return the world positions [T, 3] of one body for configurations `qpos` [T, nq]."""
    data, found = mujoco.MjData(model), np.empty((len(qpos), 3))
    for t, row in enumerate(qpos):
        data.qpos[:] = row
        mujoco.mj_kinematics(model, data)
        found[t] = data.xpos[body]
    return found


def geom_rgba(model: mujoco.MjModel) -> Array:
    """Return the colour [ngeom, 4] of every geom as it is meant to be seen: its material's, its
    own, or a plain one.
    """
    rgba = model.geom_rgba.astype(np.float64)
    material = model.geom_matid >= 0
    rgba[material] = model.mat_rgba[model.geom_matid[material]]
    plain = np.all(np.isclose(rgba, DEFAULT_RGBA), axis=1) & ~material
    rgba[plain, :3] = PLAIN
    coloured: Array = rgba
    return coloured


def _colours(model: mujoco.MjModel) -> Array:
    linear: Array = (geom_rgba(model)[:, :3] ** 2.2).astype(np.float32)
    return linear
