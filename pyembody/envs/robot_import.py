"""Drafting a robot folder from any MJCF or URDF: the file copied as it is, and a `robot.toml` of what it tells."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
from msgspec.structs import replace

from ..spec.errors import SpecError
from ..spec.load import load_robot
from ..spec.robot import Control, Physics, Robot
from .model import build_model, read_model
from .robot_files import copy_files, find_files
from .robot_guess import (
    Subject,
    actuated_joints,
    floating_base,
    gains,
    guess_feet,
    guess_mirror,
    home_key,
    imu_site,
    rest_pose,
    torque_limit,
)
from .robot_toml import to_toml
from .stance import FLAT, solve_stance, with_stance

CONTROL_DT = 0.02
LEGGED = Physics(
    timestep=0.005,
    iterations=10,
    ls_iterations=10,
    cone="pyramidal",
    impratio=1.0,
    solimp=(0.9, 0.95, 0.001, 0.5, 2.0),
    solref=(0.01, 1.0),
    self_collision=False,
)
TRIAL_STEPS = 100
TRIAL_ACTION = 0.5


@dataclass(frozen=True)
class Report:
    """What an import made: the folder, the robot as drafted, and notes on what to check."""

    folder: Path
    robot: Robot
    notes: tuple[str, ...]


def import_robot(path: Path | str, out_folder: Path | str | None = None, name: str = "") -> Report:
    """Draft a robot folder from the MJCF or URDF file `path`, which stays as it is, and return what was found.

    `out_folder` (default `robots/NAME` in the current folder) must not exist yet; it appears only when it is complete
    and the robot in it has been simulated. Raises SpecError, naming the file and the reason.
    """
    source = Path(path)
    if source.suffix.lower() not in (".xml", ".urdf", ".mjcf"):
        raise SpecError(f"{source}: expected an .xml (MJCF) or .urdf file")
    if not source.is_file():
        raise SpecError(f"{source}: no such file")
    files = find_files(source)
    name = _clean(name or files.name or source.resolve().stem)
    out = Path(out_folder) if out_folder is not None else Path("robots") / name
    if out.exists():
        raise SpecError(f"{out}: already exists; remove it or choose another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=out.parent))
    try:
        model = copy_files(files, draft)
        robot, notes = _draft(draft, name, model)
        notes = [f"not found, so not copied: {missing}" for missing in sorted(set(files.missing))] + notes
        (draft / "robot.toml").write_text(to_toml(robot))
        (draft / "README.md").write_text(_readme(robot, source.name, notes))
        load_robot(str(draft.resolve()))  # a draft that cannot be read must not appear
        draft.chmod(0o755)
        draft.rename(out)
    except OSError as error:
        raise SpecError(f"{out}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Report(out, load_robot(str(out.resolve())), tuple(notes))


def _draft(folder: Path, name: str, model_path: str) -> tuple[Robot, list[str]]:
    """The robot as far as its model tells, tried in simulation, and notes."""
    notes: list[str] = []
    subject, key = _examine(folder / model_path, model_path.endswith(".urdf"), notes)
    model = subject.model
    pose = rest_pose(model, subject.joints, key)
    feet = guess_feet(subject) if subject.base else ()
    mirror, reason = guess_mirror(subject, feet)
    robot = Robot(
        name=name,
        joints=subject.joints,
        control=_control(subject, notes),
        model=model_path,
        base=subject.base,
        description=f"imported from {Path(model_path).name}",
        feet=feet,
        default_pose=pose,
        base_height=_height(subject, key),
        physics=LEGGED if feet else Physics(),
        mirror=mirror,
        nominal={"mass": round(float(model.body_mass.sum()), 6)},
        folder=str(folder),
    )
    _note_findings(subject, robot, reason, notes)
    return _tried(_standing(robot, notes), notes), notes


def _examine(path: Path, urdf: bool, notes: list[str]) -> tuple[Subject, int]:
    """Compile the model and put it in its rest pose."""
    spec = read_model(path)
    try:
        model = spec.compile()
    except ValueError as error:
        raise SpecError(f"{path.name}: {' '.join(str(error).split())}") from None
    joints = actuated_joints(model)
    if not joints:
        raise SpecError(f"{path.name}: expected at least one named hinge or slide with an actuator of its own")
    base = floating_base(model)
    data, key = mujoco.MjData(model), home_key(model)
    if key >= 0:
        notes.append(f"default_pose: keyframe '{model.key(key).name or key}' of the model")
        data.qpos[:] = model.key_qpos[key]
    else:
        notes.append("default_pose: the model has no keyframe; zeros, or mid-range where zero is out of range: set it")
        for joint, value in zip(joints, rest_pose(model, joints, -1), strict=True):
            data.joint(joint).qpos[0] = value
    mujoco.mj_forward(model, data)
    subject = Subject(model, data, joints, base)
    if not base and urdf and len(guess_feet(subject)) >= 2:
        subject = Subject(model, data, joints, str(model.body(1).name))
        notes.append(f"base: '{subject.base}' is fixed in the URDF; taken as floating because the robot has feet")
    return subject, key


def _control(subject: Subject, notes: list[str]) -> Control:
    model = subject.model
    found = [gains(subject, joint) for joint in subject.joints]
    limits = [torque_limit(model, joint) for joint in subject.joints]
    spans = [float(np.ptp(model.joint(j).range)) if model.joint(j).limited[0] else 2 * np.pi for j in subject.joints]
    if all(own for _, _, own in found):
        notes.append("control.kp, kd: those of the model's position actuators")
    else:
        notes.append("control.kp, kd: guessed (full torque at 0.7 rad); set them to the real drives'")
    if not all(limits):
        silent = [j for j, limit in zip(subject.joints, limits, strict=True) if not limit]
        notes.append(f"control.torque_limit: the model has none for {', '.join(silent)}; nothing is limited: set it")
    return Control(
        kp=_merged([kp for kp, _, _ in found]),
        kd=_merged([kd for _, kd, _ in found]),
        action_scale=_merged([float(f"{min(0.4, span / 6):.2g}") for span in spans]),
        action_limit=6.0,
        torque_limit=_merged(limits) if all(limits) else None,
        control_dt=CONTROL_DT,
    )


def _merged(values: list[float]) -> tuple[float, ...] | float:
    """One number if all are equal, else the list."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def _note_findings(subject: Subject, robot: Robot, no_mirror: str, notes: list[str]) -> None:
    model = subject.model
    if not robot.base:
        notes.append("base: no free joint, so the robot is bolted to the world")
    elif robot.feet:
        notes.append(
            f"feet: guessed {', '.join(robot.feet)} (the lowest shapes at the ends); check them and their order"
        )
        notes.append("physics: set for speed (5 ms, hard contacts, no self-collision); [execution] is the model's own")
    else:
        notes.append("feet: none found; name the shapes or bodies that should touch the ground")
    if robot.mirror is None:
        notes.append(f"mirror: none ({no_mirror}); a task with symmetry needs one")
    else:
        notes.append("mirror: from the kinematics at the zero pose; check partners and signs")
    site = imu_site(model)
    notes.append(
        f"imu: site '{site}'" if site else "imu: no site that looks like one; base signals are the base body's"
    )
    others = model.nu - len(robot.joints)
    if model.nu and others > 0:
        notes.append(f"{others} actuators drive something else (tendons, several a joint); they are left out")
    if model.opt.timestep > 0.01:
        notes.append(f"physics: the model's time step of {model.opt.timestep:g} s is large")


def _height(subject: Subject, key: int) -> float:
    if not subject.base or key < 0 or not floating_base(subject.model):
        return 0.0
    joint = int(subject.model.body(subject.base).jntadr[0])
    return round(float(subject.model.key_qpos[key, subject.model.jnt_qposadr[joint] + 2]), 4)


def _standing(robot: Robot, notes: list[str]) -> Robot:
    """The robot with targets at which it stands, if it does."""
    if not robot.feet:
        return robot
    try:
        stance = solve_stance(robot)
    except SpecError as error:
        notes.append(f"control.offset: not solved ({str(error).split(': ', 2)[-1]}); targets are the default pose")
        return robot
    notes.append(f"control.offset: solved by simulation; it stands with its base at {stance.base_height:.3f} m")
    stood = with_stance(robot, stance)
    offset = tuple(round(x, 5) for x in stood.control.offset)
    return replace(stood, control=replace(stood.control, offset=offset), base_height=round(stance.base_height, 4))


def _tried(robot: Robot, notes: list[str]) -> Robot:
    """The robot with physics in which it moves for a while without diverging."""
    own = float(read_model(robot.model_path).option.timestep)
    robot = replace(robot, execution=_fitting(robot.execution, own, robot.control.control_dt))
    for timestep in (robot.physics.timestep, 0.002, 0.001):
        wanted = replace(robot.physics, timestep=timestep)
        candidate = replace(robot, physics=_fitting(wanted, own, robot.control.control_dt))
        if _stays_finite(candidate):
            if candidate.physics.timestep != robot.physics.timestep:
                notes.append(
                    f"physics.timestep: {candidate.physics.timestep:g} s, so that it fits control_dt and is stable"
                )
            return candidate
    raise SpecError(f"{robot.name}: the robot diverges in simulation even at 1 ms; check its inertias and gains")


def _fitting(physics: Physics, own: float, control_dt: float) -> Physics:
    """`physics` with a time step that divides the control step; None keeps the model's `own` one if that does."""
    ratio = control_dt / (physics.timestep or own)
    if abs(ratio - round(ratio)) > 1e-6 or ratio < 1:
        return replace(physics, timestep=control_dt / max(1, int(np.ceil(ratio))))
    return physics


def _stays_finite(robot: Robot) -> bool:
    """Whether seeded random actions leave the state finite and without MuJoCo's warnings."""
    built = build_model(robot, FLAT)
    data, rng = mujoco.MjData(built.model), np.random.default_rng(0)
    data.qpos[:] = built.home_qpos
    for _ in range(TRIAL_STEPS):
        action = TRIAL_ACTION * rng.normal(size=(1, len(robot.joints))).astype(np.float32)
        data.ctrl[:] = built.control(action)[0]
        mujoco.mj_step(built.model, data, built.decimation)
    bad = (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)
    return bool(np.isfinite(data.qpos).all()) and not any(data.warning[w].number for w in bad)


def _clean(name: str) -> str:
    """A folder name: lower-case letters, digits and _."""
    cleaned = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return cleaned or "robot"


def _readme(robot: Robot, source: str, notes: list[str]) -> str:
    lines = [
        f"# {robot.name}",
        "",
        f"Imported from `{source}`, which is copied as it was. What was found, and what to check:",
        "",
    ]
    return "\n".join([*lines, *(f"- {note}" for note in notes)]) + "\n"
