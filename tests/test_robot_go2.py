"""The go2 model against its data sheet: every number, sampled dynamics, and how it stands."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from pyembody import spec
from pyembody.envs.model import build_model
from pyembody.envs.stance import FLAT, measure_stance, solve_stance

DATA = Path(__file__).parent / "data"
LEGS = ("FL", "FR", "RL", "RR")
Table = dict[str, Any]


@pytest.fixture(scope="module")
def sheet() -> Table:
    table: Table = json.loads((DATA / "go2.json").read_text())
    return table


@pytest.fixture(scope="module")
def samples() -> Table:
    table: Table = json.loads((DATA / "go2_samples.json").read_text())
    return table


@pytest.fixture(scope="module")
def robot() -> spec.Robot:
    return spec.load_robot("go2")


@pytest.fixture
def model(robot: spec.Robot) -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_path(str(robot.model_path))


@contextmanager
def disabled(model: mujoco.MjModel, *names: str) -> Iterator[None]:
    before = model.opt.disableflags
    for name in names:
        model.opt.disableflags |= int(getattr(mujoco.mjtDisableBit, f"mjDSBL_{name.upper()}"))
    yield
    model.opt.disableflags = before


def inertia(model: mujoco.MjModel, body: int) -> NDArray[np.float64]:
    """Inertia about the centre of mass in body axes: xx, yy, zz, xy, xz, yz."""
    rotation = np.zeros(9)
    mujoco.mju_quat2Mat(rotation, model.body_iquat[body])
    r = rotation.reshape(3, 3)
    i = r @ np.diag(model.body_inertia[body]) @ r.T
    return np.array([i[0, 0], i[1, 1], i[2, 2], i[0, 1], i[0, 2], i[1, 2]])


def test_masses_and_inertias_are_those_of_the_sheet(model: mujoco.MjModel, sheet: Table) -> None:
    np.testing.assert_allclose(model.body_mass.sum(), sheet["total_mass"], rtol=1e-9)
    assert model.nbody == len(sheet["bodies"]) + 1
    for row in sheet["bodies"]:
        body = model.body(row["name"]).id
        np.testing.assert_allclose(model.body_mass[body], row["mass"], rtol=1e-9)
        np.testing.assert_allclose(model.body_ipos[body], row["com"], atol=1e-12)
        np.testing.assert_allclose(inertia(model, body), row["inertia_com_bodyaxes_xx_yy_zz_xy_xz_yz"], rtol=1e-7)
        np.testing.assert_allclose(model.body_pos[body], row["pos"], atol=1e-12)
        assert model.body(model.body_parentid[body]).name == row["parent"]


def test_ranges_limits_armature_damping_and_friction_are_exact(model: mujoco.MjModel, sheet: Table) -> None:
    for row in (j for j in sheet["joints"] if j["type"] == "hinge"):
        joint = model.joint(row["name"])
        dof = joint.dofadr[0]
        np.testing.assert_array_equal(joint.range, row["range"])
        np.testing.assert_array_equal(joint.axis, row["axis"])
        for field in ("damping", "armature", "frictionloss"):
            assert getattr(model, f"dof_{field}")[dof] == row[field], (row["name"], field)
        assert bool(joint.limited[0]) == row["limited"]
    for k, row in enumerate(sheet["actuators"]):
        actuator = model.actuator(k)
        assert (actuator.name, model.joint(actuator.trnid[0]).name) == (row["name"], row["target"])
        np.testing.assert_array_equal(actuator.ctrlrange, row["ctrlrange"])
        np.testing.assert_array_equal(actuator.gainprm[:3], row["gain"])
    np.testing.assert_array_equal(model.site("imu").pos, sheet["sites"][0]["pos"])
    assert (model.opt.timestep, model.opt.impratio) == (0.002, 100.0)


def test_kinematics_and_gravity_torques_equal_the_samples(model: mujoco.MjModel, samples: Table) -> None:
    data = mujoco.MjData(model)
    bodies = [model.body(name).id for name in samples["body_order"]]
    sites = [model.site(name).id for name in samples["site_order"]]
    for sample in samples["samples"]:
        data.qpos[:], data.qvel[:] = sample["qpos"], 0
        mujoco.mj_forward(model, data)
        np.testing.assert_allclose(data.xpos[bodies], sample["body_xpos"], atol=1e-6)
        same = np.abs(np.sum(data.xquat[bodies] * np.array(sample["body_xquat"]), axis=1))
        np.testing.assert_allclose(same, 1, atol=1e-9)
        np.testing.assert_allclose(data.site_xpos[sites], sample["site_xpos"], atol=1e-6)
        np.testing.assert_allclose(data.subtree_com[0], sample["com"], atol=1e-6)
        np.testing.assert_allclose(data.qfrc_bias, sample["gravity_torque"], atol=1e-6)


def test_inverse_dynamics_equal_the_samples(model: mujoco.MjModel, samples: Table) -> None:
    data = mujoco.MjData(model)
    dynamic = [s for s in samples["samples"] if "qacc" in s]
    assert len(dynamic) == 8
    with disabled(model, "constraint", "spring", "damper"):
        for sample in dynamic:
            data.qpos[:], data.qvel[:], data.qacc[:] = sample["qpos"], sample["qvel"], sample["qacc"]
            mujoco.mj_inverse(model, data)
            mass = np.zeros((model.nv, model.nv))
            mujoco.mj_fullM(model, data, mass)
            np.testing.assert_allclose(np.diag(mass), sample["M_diag"], atol=1e-6)
            np.testing.assert_allclose(data.qfrc_inverse, sample["inverse_dynamics"], atol=1e-6)


def test_passive_motion_equals_the_recorded_one(model: mujoco.MjModel, samples: Table) -> None:
    passive = samples["passive"]
    data = mujoco.MjData(model)
    model.opt.timestep = passive["dt"]
    data.qpos[:] = passive["qpos0"]
    with disabled(model, *passive["disabled"]):
        for _ in range(passive["nstep"]):
            mujoco.mj_step(model, data)
    np.testing.assert_allclose(data.qpos, passive["qpos_final"], atol=1e-6)
    np.testing.assert_allclose(data.qvel, passive["qvel_final"], atol=1e-6)


def test_feet_are_where_the_table_says(model: mujoco.MjModel) -> None:
    lines = (line for line in (DATA / "go2_feet_fk.csv").read_text().splitlines() if not line.startswith("#"))
    rows = list(csv.DictReader(lines))
    assert len(rows) == 40
    data = mujoco.MjData(model)
    for row in rows:
        data.qpos[:7] = 0, 0, 0, 1, 0, 0, 0
        for name in (k for k in row if k.startswith("q:")):
            data.joint(name.removeprefix("q:")).qpos[0] = float(row[name])
        mujoco.mj_kinematics(model, data)
        for leg in LEGS:
            np.testing.assert_allclose(data.geom(leg).xpos, [float(row[f"{leg}_{x}"]) for x in "xyz"], atol=1e-6)


@pytest.mark.parametrize("execution", [False, True])
def test_action_zero_stands_on_its_feet_alone(robot: spec.Robot, execution: bool) -> None:
    built = build_model(robot, FLAT, execution=execution)
    data = mujoco.MjData(built.model)
    data.qpos[:] = built.home_qpos
    data.ctrl[:] = built.control(np.zeros((1, 12), np.float32))[0]
    for _ in range(round(2 / built.model.opt.timestep)):
        mujoco.mj_step(built.model, data)
    touching = {frozenset((int(c.geom1), int(c.geom2))) for c in data.contact}
    assert touching == {frozenset((built.floor_geom, foot)) for foot in built.foot_geoms}
    stance = measure_stance(robot, np.array(robot.control.offset), robot.base_height, execution=execution)
    assert abs(stance.base_height - robot.base_height) < 2e-3
    assert stance.tilt < np.radians(0.1)
    assert stance.pose_error < 5e-3
    np.testing.assert_allclose(stance.foot_force.sum(), stance.weight, rtol=0.01)
    assert (stance.foot_force > 0.2 * stance.weight).all()


def test_recorded_offsets_are_those_that_the_solver_finds(robot: spec.Robot) -> None:
    solved = solve_stance(robot)
    np.testing.assert_allclose(solved.offset, robot.control.offset, atol=2e-4)
    np.testing.assert_allclose(solved.base_height, robot.base_height, atol=2e-4)


def test_nothing_of_the_robot_touches_itself_at_home(robot: spec.Robot, model: mujoco.MjModel) -> None:
    built = build_model(robot, FLAT, execution=True)
    data = mujoco.MjData(built.model)
    data.qpos[:] = built.home_qpos
    data.qpos[2] = 1
    mujoco.mj_forward(built.model, data)
    assert data.ncon == 0
    plain = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, plain, model.key("home").id)
    mujoco.mj_forward(model, plain)
    assert plain.ncon == 0


def test_mirror_is_the_robots_own_symmetry(robot: spec.Robot) -> None:
    built = build_model(robot, FLAT)
    mirror = robot.mirror
    assert mirror is not None
    joints = [robot.joints.index(name) for name in mirror.joints]
    feet = [robot.feet.index(name) for name in mirror.feet]
    data = mujoco.MjData(built.model)
    rng = np.random.default_rng(0)
    pose = np.array(robot.default_pose) + 0.3 * rng.normal(size=12)
    seen = []
    for q in (pose, pose[joints] * np.array(mirror.signs)):
        data.qpos[:] = built.home_qpos
        data.qpos[built.joint_qpos] = q
        mujoco.mj_kinematics(built.model, data)
        seen.append(data.geom_xpos[list(built.foot_geoms)].copy())
    np.testing.assert_allclose(seen[1], seen[0][feet] * [1, -1, 1], atol=1e-9)
