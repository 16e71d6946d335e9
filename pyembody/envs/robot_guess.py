"""Guessing what a model file does not say: base, pose, feet, gains and the left-right mirror."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from ..spec.robot import Mirror
from ..spec.signal import AXIAL, POLAR
from .feet import lowest_points

Spec = Any
Floats = NDArray[np.float64]

SCALAR = (int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE))
HOME_NAMES = ("home", "stand", "standing", "default", "init")
FULL_TORQUE_AT = 0.7  # rad of error at which a guessed kp asks for all of the torque
DAMPING_TIME = 0.023  # s, kd over kp
FOOT_PART = 0.12  # of the robot's height: feet end this close above its lowest point
SAME_PLACE = 0.01  # m
SAME_AXIS = 0.99  # cosine


@dataclass(frozen=True)
class Subject:
    """A compiled model in the pose from which guesses are made. `base` is '' for a robot bolted to the world."""

    model: mujoco.MjModel
    data: mujoco.MjData
    joints: tuple[str, ...]
    base: str


def actuated_joints(model: mujoco.MjModel) -> tuple[str, ...]:
    """Return the hinges and slides that have an actuator, in tree order; all of them in a model without actuators."""
    scalar = [j for j in range(model.njnt) if model.jnt_type[j] in SCALAR and model.joint(j).name]
    kinds = (int(mujoco.mjtTrn.mjTRN_JOINT), int(mujoco.mjtTrn.mjTRN_JOINTINPARENT))
    driven = {int(model.actuator_trnid[a, 0]) for a in range(model.nu) if model.actuator_trntype[a] in kinds}
    return tuple(model.joint(j).name for j in scalar if j in driven or model.nu == 0)


def floating_base(model: mujoco.MjModel) -> str:
    """Return the name of the first body with a free joint, '' without one."""
    free = np.flatnonzero(model.jnt_type == int(mujoco.mjtJoint.mjJNT_FREE))
    return str(model.body(model.jnt_bodyid[free[0]]).name) if len(free) else ""


def home_key(model: mujoco.MjModel) -> int:
    """Return the keyframe that looks like a rest pose, else the first, else -1."""
    names = [model.key(k).name.lower() for k in range(model.nkey)]
    for wanted in HOME_NAMES:
        for k, name in enumerate(names):
            if wanted in name:
                return k
    return 0 if names else -1


def rest_pose(model: mujoco.MjModel, joints: tuple[str, ...], key: int) -> tuple[float, ...]:
    """Return the joints' values in keyframe `key`; without one zero, or the middle of a range that excludes it."""
    pose = []
    for name in joints:
        joint = model.joint(name)
        value = float(model.key_qpos[key, joint.qposadr[0]] if key >= 0 else model.qpos0[joint.qposadr[0]])
        low, high = (float(x) for x in joint.range)
        if joint.limited[0] and not low <= value <= high:
            value = (low + high) / 2
        pose.append(round(value, 6) + 0.0)
    return tuple(pose)


def torque_limit(model: mujoco.MjModel, joint: str) -> float:
    """Return the largest torque that the model allows at a joint in N m (N), 0 if it does not say."""
    j = model.joint(joint).id
    limits = [model.jnt_actfrcrange[j, 1]] if model.jnt_actfrclimited[j] else []
    for a in _actuators(model, j):
        gear = abs(model.actuator_gear[a, 0])
        if model.actuator_forcelimited[a]:
            limits.append(model.actuator_forcerange[a, 1] * gear)
        elif model.actuator_ctrllimited[a] and model.actuator_biastype[a] == int(mujoco.mjtBias.mjBIAS_NONE):
            limits.append(model.actuator_ctrlrange[a, 1] * model.actuator_gainprm[a, 0] * gear)
    positive = [float(x) for x in limits if x > 0]
    return min(positive, default=0.0)


def gains(subject: Subject, joint: str) -> tuple[float, float, bool]:
    """Return kp, kd of a joint and whether they are the model's own (a position actuator's) and not a guess."""
    model, j = subject.model, subject.model.joint(joint).id
    for a in _actuators(model, j):
        if model.actuator_biastype[a] == int(mujoco.mjtBias.mjBIAS_AFFINE) and model.actuator_biasprm[a, 1] < 0:
            kp, kd = -model.actuator_biasprm[a, 1], -model.actuator_biasprm[a, 2]
            damping = float(model.dof_damping[model.joint(joint).dofadr[0]])
            return round(float(kp), 4), round(float(kd) + damping, 4), True
    limit = torque_limit(model, joint)
    kp = limit / FULL_TORQUE_AT if limit else _load(subject, joint) / 0.1
    return _two_digits(kp), _two_digits(kp * DAMPING_TIME), False


def guess_feet(subject: Subject) -> tuple[str, ...]:
    """Return the feet: of each outermost body whose lowest colliding shape is close to the robot's lowest point.

    A foot is named by its shape, or by its body where the shape has no name. Four feet come in the order front left,
    front right, rear left, rear right (x forward, y left), two from left to right, others as in the model.
    """
    model, data = subject.model, subject.data
    heights = lowest_points(model, data)
    solid = np.flatnonzero(((model.geom_contype | model.geom_conaffinity) != 0) & (model.geom_bodyid > 0))
    if len(solid) == 0:
        return ()
    bottom = heights[solid].min()
    top = (data.geom_xpos[solid, 2]).max()
    feet = []
    for body in _ends(model):
        geoms = [g for g in solid if model.geom_bodyid[g] == body]
        if not geoms:
            continue
        lowest = min(geoms, key=lambda g: float(heights[g]))
        name = model.geom(lowest).name or model.body(body).name
        if name and heights[lowest] - bottom <= FOOT_PART * (top - bottom):
            feet.append(name)
    return _walking_order(subject, feet) if len(feet) >= 2 else ()


def guess_mirror(subject: Subject, feet: tuple[str, ...]) -> tuple[Mirror | None, str]:
    """Return the left-right mirror in the plane y = 0, or None and the reason.

    Partners are joints whose anchor and axis are mirror images at the zero pose; names decide where several are.
    """
    model, data = subject.model, mujoco.MjData(subject.model)
    mujoco.mj_kinematics(model, data)
    centre = data.body(subject.base).xpos * (0, 1, 0) if subject.base else np.zeros(3)
    ids = [model.joint(name).id for name in subject.joints]
    places, axes = data.xanchor[ids] - centre, data.xaxis[ids]
    turns = [AXIAL if model.jnt_type[j] == int(mujoco.mjtJoint.mjJNT_HINGE) else POLAR for j in ids]
    partners: list[int] = []
    for i, name in enumerate(subject.joints):
        images = np.flatnonzero(
            (np.abs(places[i] * POLAR - places).max(axis=1) < SAME_PLACE)
            & (np.abs(axes @ (axes[i] * turns[i])) > SAME_AXIS)
        )
        if len(images) == 0:
            return None, f"joint '{name}' has no mirror image in the plane y = 0"
        partners.append(max(images.tolist(), key=lambda k: _likeness(name, subject.joints[k])))
    if sorted(partners) != list(range(len(ids))) or partners == list(range(len(ids))):
        return None, "no left and right joints found"
    signs = [1 if axes[k] @ (axes[i] * turns[i]) > 0 else -1 for i, k in enumerate(partners)]
    spots = np.array([_foot_place(model, data, foot) for foot in feet]).reshape(-1, 3) - centre
    images_of_feet = [int(np.abs(spots - spot * POLAR).max(axis=1).argmin()) for spot in spots]
    if sorted(images_of_feet) != list(range(len(feet))):
        return None, "left and right feet do not match"
    names = tuple(subject.joints[k] for k in partners)
    return Mirror(names, tuple(signs), tuple(feet[k] for k in images_of_feet)), ""  # type: ignore[arg-type]


def imu_site(model: mujoco.MjModel) -> str:
    """Return the first site that looks like an inertial sensor's, '' without one."""
    names = [model.site(s).name for s in range(model.nsite)]
    return next((n for n in names if "imu" in n.lower() or "gyro" in n.lower()), "")


def _likeness(name: str, other: str) -> float:
    return difflib.SequenceMatcher(None, name, other).ratio()


def _walking_order(subject: Subject, feet: list[str]) -> tuple[str, ...]:
    place = {foot: _foot_place(subject.model, subject.data, foot) for foot in feet}
    if len(feet) not in (2, 4):
        return tuple(feet)
    by_front = sorted(feet, key=lambda foot: -place[foot][0]) if len(feet) == 4 else feet
    pairs = [by_front[k : k + 2] for k in range(0, len(feet), 2)]
    return tuple(foot for pair in pairs for foot in sorted(pair, key=lambda foot: -place[foot][1]))


def _foot_place(model: mujoco.MjModel, data: mujoco.MjData, foot: str) -> Floats:
    geom = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, foot)
    place: Floats = data.geom_xpos[geom] if geom >= 0 else data.body(foot).xpos
    return place


def _ends(model: mujoco.MjModel) -> list[int]:
    """Moving bodies that carry no other body."""
    parents = set(model.body_parentid[1:].tolist())
    return [b for b in range(1, model.nbody) if b not in parents and model.body_weldid[b] != 0]


def _actuators(model: mujoco.MjModel, joint: int) -> list[int]:
    kinds = (int(mujoco.mjtTrn.mjTRN_JOINT), int(mujoco.mjtTrn.mjTRN_JOINTINPARENT))
    return [a for a in range(model.nu) if model.actuator_trntype[a] in kinds and model.actuator_trnid[a, 0] == joint]


def _load(subject: Subject, joint: str) -> float:
    """A torque scale for a joint without limits: the weight below it at the distance of its farthest part."""
    model, data = subject.model, subject.data
    j = model.joint(joint).id
    body = int(model.jnt_bodyid[j])
    lever = float(np.linalg.norm(data.subtree_com[body] - data.xanchor[j])) + 0.05
    return float(model.body_subtreemass[body]) * 9.81 * lever


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")
