"""Building the world of a robot-task pair: the robot's own file, and what it lacks added without editing it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from ..spec.errors import SpecError, unknown
from ..spec.robot import Physics, Robot
from ..spec.task import Task
from .control import ControlLaw, make_actuators, make_law
from .feet import Foot, prepare_feet
from .robot_files import find_in_package
from .sources import Request, Source, check_widths, constant_sources, request_signals, scene_requests
from .terrain import Terrain, make_terrain

Spec = Any

GROUND = 1  # collision bit of what touches the ground in a reduced model
EVERYTHING = 0xFFFF
FEW_ITERATIONS = 20
FLOOR = "floor"
SCENE = "scene/"  # what names of a task's scene begin with
GROUND_FRICTION = [0.8, 0.005, 0.0001]
ENUMS = {
    "cone": (mujoco.mjtCone, "mjCONE_"),
    "solver": (mujoco.mjtSolver, "mjSOL_"),
    "integrator": (mujoco.mjtIntegrator, "mjINT_"),
}


@dataclass(frozen=True)
class BuiltModel:
    """A compiled model and where to find things in it.

    `joint_qpos`, `joint_dof` [A] are addresses in the order of the robot's joints; `base_qpos`, `base_dof` those of
    the free joint, -1 without one. `home_qpos` [nq] is the default pose at the default height. `control` turns actions
    [N, A] into `ctrl` [N, nu]; one action lasts `decimation` simulation steps. `floor_geom` is -1 if there is none.
    """

    model: mujoco.MjModel
    sources: dict[str, Source]
    control: ControlLaw
    decimation: int
    terrain: Terrain | None
    home_qpos: NDArray[np.float64]
    joint_qpos: NDArray[np.int64]
    joint_dof: NDArray[np.int64]
    base_qpos: int
    base_dof: int
    floor_geom: int
    foot_geoms: tuple[int, ...]


def build_model(robot: Robot, task: Task, *, execution: bool = False, visual: bool = False) -> BuiltModel:
    """Return the world in which `robot` does `task`, built from the robot's file and the task's scene.

    `execution` takes the robot's `[execution]` physics instead of the faster one for training. `visual` keeps shapes
    that are only looked at; without them (same state, same dynamics) simulation is faster.
    Raises SpecError, naming file, field and the nearest legal name, where files and model do not fit together.
    """
    place = f"{robot.folder}/robot.toml"
    physics = robot.execution if execution else robot.physics
    spec = read_model(robot.model_path)
    _check_names(spec, robot, place)
    base_joint = _float_base(spec, robot, place)
    _apply_physics(spec, robot, physics)
    make_actuators(spec, robot, place)
    if not visual:
        _drop_visual_geoms(spec)
    feet = prepare_feet(spec, robot, place)
    requests = request_signals(spec, robot, base_joint, [f.geom for f in feet], place)
    requests |= _add_scene(spec, task, visual)
    terrain = _add_surroundings(spec, robot, task, physics)
    model = _compile(spec, str(robot.model_path))
    sources = {name: request.source(model) for name, request in requests.items()}
    sources |= constant_sources(robot, task.signals, tuple(f.radius for f in feet))
    check_widths(robot.signals, sources, place)
    check_widths(task.signals, sources, f"{task.folder}/task.toml")
    return _located(model, robot, sources, terrain, base_joint, feet, place)


def read_model(path: Path) -> Spec:
    """Return the MjSpec of an MJCF or URDF file, links that never move kept. Raises SpecError with MuJoCo's reason."""
    try:
        spec = mujoco.MjSpec.from_file(str(path))
    except (ValueError, OSError) as error:
        raise SpecError(f"{path}: {_first_line(error)}") from None
    spec.compiler.fusestatic = False
    for mesh in spec.meshes:
        # an address `package://...` of a URDF, which MuJoCo has shortened
        if mesh.file.startswith("package:"):
            mesh.file = str(find_in_package(mesh.file, path) or mesh.file)
    return spec


def _compile(spec: Spec, place: str) -> mujoco.MjModel:
    try:
        model = spec.compile()
    except ValueError as error:
        raise SpecError(f"{place}: {_first_line(error)}") from None
    _spare_work(model)
    return model


def _spare_work(model: mujoco.MjModel) -> None:
    """Switch off what costs time and brings nothing.

    One kinematic tree is one island: looking for islands is 7 % of a quadruped's step. Newton's method cut off after a
    few iterations ends closer to the solution when it starts from the unconstrained acceleration: go2's largest error
    in 4 iterations is 1e-14 instead of 0.1 from the last step's solution, in 15 % less time.
    """
    disable = mujoco.mjtDisableBit
    if model.ntree < 2:
        model.opt.disableflags |= int(disable.mjDSBL_ISLAND)
    if model.opt.solver == int(mujoco.mjtSolver.mjSOL_NEWTON) and model.opt.iterations <= FEW_ITERATIONS:
        model.opt.disableflags |= int(disable.mjDSBL_WARMSTART)


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _check_names(spec: Spec, robot: Robot, place: str) -> None:
    names = [j.name for j in spec.joints]
    for joint in robot.joints:
        if joint not in names:
            raise unknown(f"{place}: joints", "joint", joint, (n for n in names if n))
        if spec.joint(joint).type not in (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE):
            raise SpecError(f"{place}: joints: '{joint}': expected a hinge or a slide")


def _float_base(spec: Spec, robot: Robot, place: str) -> str:
    """Return the name of the base's free joint, added if the model (a URDF, say) has the base fixed; '' for none."""
    if not robot.base:
        return ""
    body = spec.body(robot.base)
    if body is None:
        raise unknown(f"{place}: base", "body", robot.base, (b.name for b in spec.bodies if b.name))
    free = [j for j in body.joints if j.type == mujoco.mjtJoint.mjJNT_FREE]
    if not free and (body.joints or body.parent.name != "world"):
        raise SpecError(f"{place}: base: '{robot.base}': expected a body with a free joint, or one fixed to the world")
    joint = free[0] if free else body.add_freejoint()
    joint.name = joint.name or f"{robot.base}.free"
    return str(joint.name)


def _apply_physics(spec: Spec, robot: Robot, physics: Physics) -> None:
    for name in ("timestep", "iterations", "ls_iterations", "impratio"):
        value = getattr(physics, name)
        if value is not None:
            setattr(spec.option, name, value)
    for name, (kind, prefix) in ENUMS.items():
        value = getattr(physics, name)
        if value is not None:
            members = {k.removeprefix(prefix).lower(): v for k, v in kind.__members__.items()}
            setattr(spec.option, name, int(members[value.lower()]))
    for name in ("solimp", "solref"):
        value = getattr(physics, name)
        if value is not None:
            for geom in spec.geoms:
                setattr(geom, name, value)
    if physics.frictionloss is not None:
        for joint in robot.joints:
            spec.joint(joint).frictionloss = physics.frictionloss
    if not physics.self_collision:
        _collide_with_ground_only(spec)


def _collide_with_ground_only(spec: Spec) -> None:
    """Let shapes with the ground bit meet the world and no other shape of the robot; the rest meets nothing."""
    for geom in spec.geoms:
        touches = (geom.contype | geom.conaffinity) & GROUND
        geom.contype, geom.conaffinity = (GROUND, 0) if touches else (0, 0)


def _drop_visual_geoms(spec: Spec) -> None:
    """Delete shapes that collide with nothing, carry no mass and are referred to by nothing."""
    weightless = spec.compiler.inertiafromgeom == mujoco.mjtInertiaFromGeom.mjINERTIAFROMGEOM_FALSE
    automatic = spec.compiler.inertiafromgeom == mujoco.mjtInertiaFromGeom.mjINERTIAFROMGEOM_AUTO
    if spec.tendons or spec.pairs:
        return
    for geom in list(spec.geoms):
        carried = weightless or (automatic and geom.parent.explicitinertial) or geom.parent.name == "world"
        if carried and not geom.name and geom.contype == 0 and geom.conaffinity == 0:
            spec.delete(geom)


def _add_scene(spec: Spec, task: Task, visual: bool) -> dict[str, Request]:
    """Add the task's scene, if it has one; return what the task's signals need of it."""
    path, place = Path(task.folder) / "scene.xml", f"{task.folder}/task.toml"
    if not (task.folder and path.is_file()):
        if any(s.source for s in task.signals) or task.reset.scene:
            raise SpecError(f"{place}: signals, reset.scene: expected a scene.xml beside it")
        return {}
    scene = read_model(path)
    for joint in task.reset.scene:
        if scene.joint(joint) is None:
            raise unknown(f"{place}: reset.scene", "joint", joint, (j.name for j in scene.joints if j.name))
    requests = scene_requests(scene, task.signals, SCENE, place)
    if not visual:
        _drop_visual_geoms(scene)
    spec.attach(scene, prefix=SCENE, frame=spec.worldbody.add_frame())
    return requests


def _add_surroundings(spec: Spec, robot: Robot, task: Task, physics: Physics) -> Terrain | None:
    """Add the ground and a light. Keyframes go: they would not fit the larger state."""
    for key in list(spec.keys):
        spec.delete(key)
    terrain = make_terrain(task.terrain)
    if terrain is not None and not robot.base:
        raise SpecError(f"{task.name}: terrain.kind: expected 'flat' for {robot.name}, which has no floating base")
    _add_ground(spec, terrain, EVERYTHING if physics.self_collision else GROUND)
    if not spec.lights:
        spec.worldbody.add_light(
            pos=[0, 0, 4], dir=[0.3, 0.2, -1], type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, castshadow=False
        )
    return terrain


def _add_ground(spec: Spec, terrain: Terrain | None, bits: int) -> None:
    """Add a plane or height field; a plane that the model or scene already has is kept on flat ground."""
    plane = mujoco.mjtGeom.mjGEOM_PLANE
    planes = [g for g in spec.worldbody.geoms if g.type == plane]
    if terrain is None and planes:
        planes[0].name = planes[0].name or FLOOR
        if bits == GROUND:  # the robot's shapes were reduced to this bit; the ground must have it on its own side
            planes[0].contype = planes[0].conaffinity = bits
        return
    for old in planes:
        spec.delete(old)
    common: dict[str, Any] = {"name": FLOOR, "friction": GROUND_FRICTION, "contype": bits, "conaffinity": bits}
    common["material"] = _add_checker(spec)
    if terrain is None:
        spec.worldbody.add_geom(type=plane, size=[0, 0, 0.05], **common)
        return
    low, high = float(terrain.heights.min()), float(terrain.heights.max())
    rows, half = len(terrain.heights), terrain.half_size
    data = terrain.heights.ravel().tolist()
    spec.add_hfield(name=FLOOR, size=[half, half, max(high - low, 1e-6), 0.5], nrow=rows, ncol=rows, userdata=data)
    field = mujoco.mjtGeom.mjGEOM_HFIELD
    spec.worldbody.add_geom(type=field, hfieldname=FLOOR, pos=[0, 0, low], **common)


def _add_checker(spec: Spec) -> str:
    """Add the ground's material, squares of 0.5 m, for MuJoCo's own renderer; return its name."""
    spec.add_texture(
        name=FLOOR,
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        rgb1=[0.50, 0.52, 0.55],
        rgb2=[0.58, 0.60, 0.63],
        width=64,
        height=64,
    )
    material = spec.add_material(name=FLOOR, texrepeat=[1, 1], texuniform=True)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = FLOOR
    return FLOOR


def _located(
    model: mujoco.MjModel,
    robot: Robot,
    sources: dict[str, Source],
    terrain: Terrain | None,
    base_joint: str,
    feet: tuple[Foot, ...],
    place: str,
) -> BuiltModel:
    joints = [model.joint(name) for name in robot.joints]
    joint_qpos = np.array([j.qposadr[0] for j in joints], np.int64)
    home = model.qpos0.copy()
    home[joint_qpos] = robot.default_pose
    base_qpos = int(model.joint(base_joint).qposadr[0]) if base_joint else -1
    if base_joint and robot.base_height:
        home[base_qpos : base_qpos + 3] = 0, 0, robot.base_height
    return BuiltModel(
        model=model,
        sources=sources,
        control=make_law(model, robot),
        decimation=_decimation(model, robot, place),
        terrain=terrain,
        home_qpos=home,
        joint_qpos=joint_qpos,
        joint_dof=np.array([j.dofadr[0] for j in joints], np.int64),
        base_qpos=base_qpos,
        base_dof=int(model.joint(base_joint).dofadr[0]) if base_joint else -1,
        floor_geom=_floor(model),
        foot_geoms=tuple(model.geom(foot.geom).id for foot in feet),
    )


def _decimation(model: mujoco.MjModel, robot: Robot, place: str) -> int:
    ratio = robot.control.control_dt / float(model.opt.timestep)
    if round(ratio) < 1 or abs(ratio - round(ratio)) > 1e-6:
        raise SpecError(
            f"{place}: control.control_dt: expected a multiple of the time step {model.opt.timestep:g} s,"
            f" got {robot.control.control_dt:g}"
        )
    return round(ratio)


def _floor(model: mujoco.MjModel) -> int:
    static = model.body_weldid[model.geom_bodyid] == 0
    kinds = (int(mujoco.mjtGeom.mjGEOM_PLANE), int(mujoco.mjtGeom.mjGEOM_HFIELD))
    found = np.flatnonzero(static & np.isin(model.geom_type, kinds))
    return int(found[0]) if len(found) else -1
