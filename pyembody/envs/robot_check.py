"""Whether a robot's folder holds together: its models build, weigh what is said, and rest in the default pose."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from ..spec.robot import Robot
from .model import BuiltModel, build_model
from .quiet import quiet
from .stance import FLAT

POSE, HEIGHT, TILT_DEG, MASS = 0.05, 0.01, 2.0, 1e-3


@dataclass(frozen=True)
class Check:
    """One demand on one of a robot's models: what was found, what was expected, and whether that is so."""

    what: str
    got: str
    expected: str
    passed: bool


def check_model(robot: Robot, *, execution: bool = False, seconds: float = 2.0) -> list[Check]:
    """Return what one of a robot's models is found to be, after `seconds` at action 0 too.

    Raises SpecError where the model cannot be built at all.
    """
    built = build_model(robot, FLAT, execution=execution)
    data = mujoco.MjData(built.model)
    data.qpos[:] = built.home_qpos
    mujoco.mj_forward(built.model, data)
    checks = [*_masses(robot, built), _inside(built), _apart(built, data)]
    data.ctrl[:] = built.control(np.zeros((1, len(robot.joints)), np.float32))[0]
    with quiet():
        mujoco.mj_step(built.model, data, nstep=max(1, round(seconds / built.model.opt.timestep)))
        mujoco.mj_forward(built.model, data)
    checks.append(_calm(data))
    if robot.control.kind == "position":
        checks.append(_posed(robot, built, data))
    return checks + (_stands(robot, built, data) if robot.base else [])


def _masses(robot: Robot, built: BuiltModel) -> list[Check]:
    """The mass of the trees of bodies that the robot's joints move, where its folder names one."""
    if "mass" not in robot.nominal:
        return []
    model, wanted = built.model, robot.nominal["mass"]
    roots = {int(model.body_rootid[model.jnt_bodyid[model.joint(name).id]]) for name in robot.joints}
    mass = float(sum(model.body_subtreemass[root] for root in roots))
    return [Check("mass, kg", f"{mass:.6g}", f"{wanted:.6g}", abs(mass - wanted) <= MASS * wanted)]


def _inside(built: BuiltModel) -> Check:
    model = built.model
    joints = [j for j in range(model.njnt) if model.jnt_limited[j]]
    home = built.home_qpos[model.jnt_qposadr[joints]]
    low, high = model.jnt_range[joints].T if joints else (np.zeros(0), np.zeros(0))
    out = [model.joint(j).name for j, bad in zip(joints, (home < low) | (home > high), strict=True) if bad]
    return Check("joints out of range at the start", ", ".join(out) or "none", "none", not out)


def _apart(built: BuiltModel, data: mujoco.MjData) -> Check:
    """Contacts of a robot with itself: of shapes in one tree of bodies."""
    model, found = built.model, []
    for contact in data.contact:
        bodies = [int(model.geom_bodyid[g]) for g in (contact.geom1, contact.geom2)]
        if all(bodies) and model.body_rootid[bodies[0]] == model.body_rootid[bodies[1]]:
            found.append(" and ".join(model.body(b).name for b in bodies))
    return Check("bodies in contact at the start", ", ".join(found) or "none", "none", not found)


def _calm(data: mujoco.MjData) -> Check:
    warnings = int(data.warning.number.sum())
    calm = warnings == 0 and bool(np.isfinite(data.qpos).all())
    return Check("warnings", str(warnings), "0", calm)


def _posed(robot: Robot, built: BuiltModel, data: mujoco.MjData) -> Check:
    error = np.abs(data.qpos[built.joint_qpos] - robot.default_pose)
    worst = int(np.argmax(error))
    got = f"{error[worst]:.3f} ({robot.joints[worst]})"
    return Check("joint error at action 0, rad", got, f"at most {POSE:g}", bool(error[worst] <= POSE))


def _stands(robot: Robot, built: BuiltModel, data: mujoco.MjData) -> list[Check]:
    base = built.base_qpos
    height, up = float(data.qpos[base + 2]), np.zeros(3)
    mujoco.mju_rotVecQuat(up, np.array([0.0, 0.0, 1.0]), data.qpos[base + 3 : base + 7])
    tilt = float(np.degrees(np.arccos(np.clip(up[2], -1.0, 1.0))))
    checks = [Check("tilt, degrees", f"{tilt:.2f}", f"at most {TILT_DEG:g}", tilt <= TILT_DEG)]
    if robot.base_height:
        close = abs(height - robot.base_height) <= HEIGHT
        checks.append(Check("base height, m", f"{height:.3f}", f"{robot.base_height:.3f} +- {HEIGHT:g}", close))
    if robot.feet:
        touching = {g for c in data.contact if built.floor_geom in (g1 := (int(c.geom1), int(c.geom2))) for g in g1}
        others = touching - {built.floor_geom}
        got = f"{len(others & set(built.foot_geoms))} + {len(others - set(built.foot_geoms))}"
        expected = f"{len(robot.feet)} + 0"
        checks.append(Check("feet + others on the ground", got, expected, got == expected))
    return checks
