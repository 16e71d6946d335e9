"""Building models: what is added, what is replaced, what stays as the robot's file says, and what is refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from pyembody import spec
from pyembody.envs.model import BuiltModel, build_model
from pyembody.envs.stance import FLAT

ARM = """<mujoco model="arm">
  <option timestep="0.01"/>
  <worldbody>
    <body name="upper" pos="0 0 1"><joint name="shoulder" axis="0 1 0" damping="0.3"/>
      <geom type="capsule" size="0.03" fromto="0 0 0 0 0 -0.4" mass="1"/>
      <body name="fore" pos="0 0 -0.4"><joint name="elbow" axis="0 1 0"/>
        <geom name="tip" type="capsule" size="0.02" fromto="0 0 0 0 0 -0.3" mass="0.5"/>
        <site name="hand" pos="0 0 -0.3"/>
      </body>
    </body>
  </worldbody>
  <actuator><motor name="m2" joint="elbow" gear="2" ctrlrange="-3 3"/><motor name="m1" joint="shoulder"/></actuator>
  <sensor><jointpos name="encoder" joint="elbow"/><accelerometer site="hand"/></sensor>
</mujoco>"""


@pytest.fixture
def arm(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "model.xml").write_text(ARM)
    return {
        "name": "arm", "folder": str(tmp_path), "joints": ["shoulder", "elbow"], "default_pose": [0.1, 0.2],
        "control": {"kind": "position", "kp": [30.0, 20.0], "kd": 1.0, "torque_limit": 8.0},
    }  # fmt: skip


def built(data: dict[str, Any], **change: Any) -> BuiltModel:
    return build_model(spec.convert(data | change, spec.Robot, "arm"), FLAT)


def read(model: BuiltModel, data: mujoco.MjData, signal: str) -> NDArray[np.float64]:
    source = model.sources[signal]
    values: NDArray[np.float64] = getattr(data, source.field).ravel()[list(source.columns)]
    return values


def test_position_control_is_a_limited_spring_with_implicit_damping(arm: dict[str, Any]) -> None:
    b = built(arm)
    model = b.model
    assert [model.actuator(k).name for k in range(model.nu)] == ["shoulder", "elbow"]
    np.testing.assert_array_equal(model.dof_damping, [1.0, 1.0])
    data = mujoco.MjData(model)
    data.ctrl[:] = b.control(np.zeros((1, 2), np.float32))[0]
    mujoco.mj_forward(model, data)
    np.testing.assert_allclose(read(b, data, "joint_torque"), [3.0, 4.0], rtol=1e-6)
    data.ctrl[:] = b.control(np.full((1, 2), 5, np.float32))[0]
    mujoco.mj_forward(model, data)
    np.testing.assert_allclose(read(b, data, "joint_torque"), [8.0, 8.0])


def test_torque_control_applies_scaled_actions_and_keeps_the_models_damping(arm: dict[str, Any]) -> None:
    b = built(arm, control={"kind": "torque", "action_scale": [2.0, 3.0], "torque_limit": 5.0})
    data = mujoco.MjData(b.model)
    data.ctrl[:] = b.control(np.array([[1, -4]], np.float32))[0]
    mujoco.mj_forward(b.model, data)
    np.testing.assert_allclose(read(b, data, "joint_torque"), [2.0, -5.0])
    np.testing.assert_array_equal(b.model.dof_damping, [0.3, 0.0])


def test_motor_control_drives_the_models_own_actuators_in_joint_order(arm: dict[str, Any]) -> None:
    b = built(arm, control={"kind": "motor"})
    data = mujoco.MjData(b.model)
    data.ctrl[:] = b.control(np.array([[1, 9]], np.float32))[0]
    mujoco.mj_forward(b.model, data)
    # the elbow's motor has gear 2 and takes at most 3
    np.testing.assert_allclose(read(b, data, "joint_torque"), [1.0, 6.0])


@pytest.mark.parametrize(
    ("source", "width", "field"),
    [
        ("qpos:elbow", 1, "qpos"), ("qvel:shoulder", 1, "qvel"), ("torque:elbow", 1, "qfrc_actuator"),
        ("sensor:encoder", 1, "sensordata"), ("site:hand.pos", 3, "sensordata"), ("site:hand.linvel", 3, "sensordata"),
        ("body:fore.quat", 4, "sensordata"), ("body:fore.angvel", 3, "sensordata"), ("geom:tip.pos", 3, "sensordata"),
    ],
)  # fmt: skip
def test_signals_are_read_where_their_source_says(arm: dict[str, Any], source: str, width: int, field: str) -> None:
    b = built(arm, signals=[{"name": "extra", "width": width, "kind": "vector", "source": source}])
    assert b.sources["extra"].field == field
    assert len(b.sources["extra"].columns) == width
    data = mujoco.MjData(b.model)
    data.qpos[:], data.qvel[:] = (0.3, -0.5), (0.7, 0.2)
    mujoco.mj_forward(b.model, data)
    expected = {
        "qpos:elbow": [-0.5], "qvel:shoulder": [0.7], "torque:elbow": [8.0], "sensor:encoder": [-0.5],
        "site:hand.pos": data.site("hand").xpos, "body:fore.quat": data.body("fore").xquat,
        "body:fore.angvel": [0, 0.9, 0], "geom:tip.pos": data.geom("tip").xpos,
    }  # fmt: skip
    if source in expected:
        np.testing.assert_allclose(read(b, data, "extra"), expected[source], atol=1e-12)


def test_sensors_that_no_signal_reads_are_left_out(arm: dict[str, Any]) -> None:
    assert built(arm).model.nsensor == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joints": ["shoulder", "elbo"]}, r"robot.toml: joints: unknown joint 'elbo', did you mean 'elbow'\?"),
        ({"base": "uper"}, r"base: unknown body 'uper', did you mean 'upper'\?"),
        ({"base": "fore"}, "base: 'fore': expected a body with a free joint, or one fixed to the world"),
        ({"feet": ["tap"]}, r"feet: unknown geom or body 'tap', did you mean 'tip'\?"),
        ({"signals": [{"name": "x", "source": "site:hnd.pos"}]}, r"x.source: unknown site 'hnd', did you mean 'hand'"),
        ({"signals": [{"name": "x", "source": "site:hand.poss"}]}, r"unknown quantity 'poss', did you mean 'pos'"),
        ({"signals": [{"name": "x", "source": "qpos:elbw"}]}, r"unknown joint 'elbw', did you mean 'elbow'"),
        ({"signals": [{"name": "x", "source": "sensr:encoder"}]}, "unknown kind 'sensr', did you mean 'sensor'"),
        ({"signals": [{"name": "x", "source": "site:hand"}]}, r"'site:hand': expected 'site:NAME.QUANTITY'"),
        ({"signals": [{"name": "x", "source": "site:hand.pos"}]}, r"signals.x: expected 1 numbers, got 3"),
        ({"control": {"control_dt": 0.015}}, "control_dt: expected a multiple of the time step 0.01 s, got 0.015"),
        ({"model": "gone.xml"}, "gone.xml"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(arm: dict[str, Any], change: dict[str, Any], message: str) -> None:
    with pytest.raises(spec.SpecError, match=message):
        built(arm, **change)


def test_a_joint_without_its_own_actuator_cannot_be_motor_driven(arm: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "model.xml").write_text(ARM.replace('<motor name="m1" joint="shoulder"/>', ""))
    with pytest.raises(spec.SpecError, match="control.kind: joint 'shoulder' has no actuator"):
        built(arm, control={"kind": "motor"})


def test_training_model_is_fast_and_execution_model_stiff() -> None:
    robot = spec.load_robot("go2")
    fast, stiff = build_model(robot, FLAT).model, build_model(robot, FLAT, execution=True).model
    assert (fast.opt.timestep, fast.opt.iterations, fast.opt.ls_iterations) == (0.005, 6, 6)
    assert (stiff.opt.timestep, stiff.opt.iterations) == (0.002, 50)
    assert (fast.opt.cone, stiff.opt.cone) == (0, 1)
    np.testing.assert_array_equal(fast.dof_frictionloss[6:], 0)
    np.testing.assert_array_equal(stiff.dof_frictionloss[6:], 0.2)
    np.testing.assert_array_equal(fast.dof_damping[6:], 0.8)
    floor, feet = fast.geom("floor"), [fast.geom(f) for f in robot.feet]
    meets = [g for g in range(fast.ngeom) if fast.geom_contype[g] & floor.conaffinity[0] and g != floor.id]
    assert {fast.geom(g).name for g in meets} == {"trunk", "FL", "FR", "RL", "RR"}
    assert all(not (f.contype[0] & g.conaffinity[0]) for f in feet for g in feet)


def test_few_newton_iterations_solve_the_contacts_of_a_step() -> None:
    built = build_model(spec.load_robot("go2"), FLAT)
    exact = copy.copy(built.model)
    exact.opt.iterations, exact.opt.ls_iterations, exact.opt.tolerance = 200, 50, 1e-14
    rng = np.random.default_rng(0)
    data, check = mujoco.MjData(built.model), mujoco.MjData(exact)
    data.qpos[:] = built.home_qpos
    for _ in range(60):
        data.ctrl[:] = built.control(0.5 * rng.normal(size=(1, 12)).astype(np.float32))[0]
        for _ in range(built.decimation):
            check.qpos[:], check.qvel[:], check.ctrl[:] = data.qpos, data.qvel, data.ctrl
            mujoco.mj_step(built.model, data)
            mujoco.mj_forward(exact, check)
            np.testing.assert_allclose(data.qacc, check.qacc, rtol=1e-5, atol=1e-5)


def test_shapes_to_look_at_change_nothing_but_the_picture() -> None:
    robot = spec.load_robot("go2")
    ends = []
    for visual in (False, True):
        b = build_model(robot, FLAT, visual=visual)
        data = mujoco.MjData(b.model)
        data.qpos[:] = b.home_qpos
        data.ctrl[:] = b.control(np.full((1, 12), 0.4, np.float32))[0]
        mujoco.mj_step(b.model, data, 100)
        ends.append((b.model.ngeom, data.qpos.copy()))
    assert ends[0][0] < 10 < 50 < ends[1][0]
    np.testing.assert_allclose(ends[0][1], ends[1][1], atol=1e-9)


def test_a_tasks_scene_is_added_under_names_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "scene.xml").write_text(
        '<mujoco><worldbody><body name="cube" pos="1 0 0.1"><freejoint name="cube"/>'
        '<geom type="box" size="0.1 0.1 0.1" mass="1"/></body></worldbody></mujoco>'
    )
    task = replace(FLAT, folder=str(tmp_path))
    b = build_model(spec.load_robot("go2"), task)
    assert b.model.nq == 19 + 7
    assert b.home_qpos[int(b.model.joint("scene/cube").qposadr[0])] == 1.0
    data = mujoco.MjData(b.model)
    data.qpos[:] = b.home_qpos
    data.ctrl[:] = b.control(np.zeros((1, 12), np.float32))[0]
    mujoco.mj_step(b.model, data, 200)
    np.testing.assert_allclose(data.body("scene/cube").xpos, [1, 0, 0.1], atol=5e-3)
    np.testing.assert_allclose(read(b, data, "base_pos")[2], b.home_qpos[2], atol=5e-3)


def test_a_foot_of_any_shape_is_measured_in_the_default_pose(arm: dict[str, Any]) -> None:
    b = built(arm, feet=["fore"])
    assert b.foot_geoms == (b.model.geom("tip").id,)
    np.testing.assert_allclose(b.sources["foot_radius"].values, [0.02 + 0.15 * np.cos(0.3)], rtol=1e-6)


def test_foot_signals_are_the_feets() -> None:
    robot = spec.load_robot("go2")
    b = build_model(robot, FLAT)
    data = mujoco.MjData(b.model)
    data.qpos[:] = b.home_qpos
    data.ctrl[:] = b.control(np.zeros((1, 12), np.float32))[0]
    mujoco.mj_step(b.model, data, 100)
    data.qvel[0] = 0.5
    mujoco.mj_forward(b.model, data)
    np.testing.assert_allclose(read(b, data, "foot_pos"), data.geom_xpos[list(b.foot_geoms)].ravel(), atol=1e-12)
    np.testing.assert_allclose(read(b, data, "foot_vel").reshape(4, 3)[:, 0], 0.5, atol=0.01)
    assert (read(b, data, "foot_force") > 10).all()
    assert b.sources["foot_radius"].values == (0.022,) * 4
