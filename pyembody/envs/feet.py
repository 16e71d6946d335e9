"""Feet of any shape: found by name, measured, and given a zone in which their contact force is sensed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from ..spec.errors import SpecError, unknown
from ..spec.robot import Robot

Spec = Any
ROUND = (mujoco.mjtGeom.mjGEOM_SPHERE, mujoco.mjtGeom.mjGEOM_CAPSULE)
ZONE = 1.25  # touch zone over bounding radius: contact points lie inside even where ground and foot overlap


@dataclass(frozen=True)
class Foot:
    """A foot's geom by name, and the distance in m from its centre down to its lowest point in the default pose."""

    geom: str
    radius: float


def prepare_feet(spec: Spec, robot: Robot, place: str) -> tuple[Foot, ...]:
    """Return the robot's feet, each given a touch zone: the site `GEOM.touch`.

    A foot is a geom's name, or a body's: then it is the body's lowest colliding geom. Raises SpecError for a name
    that is neither.
    """
    if not robot.feet:
        return ()
    geoms = [_find(spec, name, place) for name in robot.feet]
    if all(g.type == mujoco.mjtGeom.mjGEOM_SPHERE for g in geoms):
        shapes = [(np.array(g.pos), float(g.size[0]), float(g.size[0])) for g in geoms]
    else:
        shapes = _measure(spec, robot, [g.name for g in geoms])
    for name, geom, (centre, radius, bound) in zip(robot.feet, geoms, shapes, strict=True):
        if radius <= 0:
            raise SpecError(f"{place}: feet: '{name}': expected a shape with some height")
        geom.parent.add_site(
            name=f"{geom.name}.touch", pos=centre, type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[ZONE * bound, 0, 0], group=5
        )
    return tuple(Foot(g.name, radius) for g, (_, radius, _) in zip(geoms, shapes, strict=True))


def lowest_points(model: mujoco.MjModel, data: mujoco.MjData) -> NDArray[np.float64]:
    """Return the height [ngeom] in m of each geom's lowest point: exact for spheres and capsules, else of its box."""
    down = np.zeros(model.ngeom)
    for g in range(model.ngeom):
        down[g] = _drop(model, g, data.geom_xmat[g].reshape(3, 3)[2])
    lowest: NDArray[np.float64] = data.geom_xpos[:, 2] - down
    return lowest


def _drop(model: mujoco.MjModel, geom: int, up: NDArray[np.float64]) -> float:
    """Distance from a geom's centre down to its lowest point; `up` is the world's vertical in the geom's frame."""
    kind, size = model.geom_type[geom], model.geom_size[geom]
    if kind == int(mujoco.mjtGeom.mjGEOM_SPHERE):
        return float(size[0])
    if kind == int(mujoco.mjtGeom.mjGEOM_CAPSULE):
        return float(size[0] + size[1] * abs(up[2]))
    centre, half = model.geom_aabb[geom, :3], model.geom_aabb[geom, 3:]
    return float(np.abs(up) @ half - up @ centre)


def _find(spec: Spec, name: str, place: str) -> Any:
    geom = spec.geom(name)
    if geom is not None:
        return geom
    body = spec.body(name)
    if body is None:
        names = [g.name for g in spec.geoms] + [b.name for b in spec.bodies]
        raise unknown(f"{place}: feet", "geom or body", name, (n for n in names if n))
    solid = [g for g in body.geoms if g.contype or g.conaffinity]
    if not solid:
        raise SpecError(f"{place}: feet: body '{name}': expected a geom that collides")
    for k, candidate in enumerate(solid):
        candidate.name = candidate.name or (name if len(solid) == 1 else f"{name}.{k}")
    return solid[0] if len(solid) == 1 else _lowest(spec, solid)


def _lowest(spec: Spec, geoms: list[Any]) -> Any:
    model = spec.copy().compile()
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    heights = lowest_points(model, data)
    return min(geoms, key=lambda g: (heights[model.geom(g.name).id], g.type not in ROUND))


def _measure(spec: Spec, robot: Robot, geoms: list[str]) -> list[tuple[NDArray[np.float64], float, float]]:
    """Centre in the body, radius and bounding radius of each foot, from the compiled model in its default pose."""
    model = spec.copy().compile()
    data = mujoco.MjData(model)
    for name, angle in zip(robot.joints, robot.default_pose, strict=True):
        data.joint(name).qpos[0] = angle
    mujoco.mj_kinematics(model, data)
    ids = [model.geom(name).id for name in geoms]
    heights = lowest_points(model, data)
    return [
        (model.geom_pos[g].copy(), float(data.geom_xpos[g, 2] - heights[g]), float(model.geom_rbound[g])) for g in ids
    ]
