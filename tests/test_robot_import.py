"""Importing robots: what is found in MJCF and URDF files, what is copied, and what is refused."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from mujoco.batch import Batch

from pyembody import spec
from pyembody.envs.model import BuiltModel, build_model
from pyembody.envs.robot_import import Report, import_robot
from pyembody.envs.robot_toml import to_toml
from pyembody.envs.stance import FLAT
from pyembody.spec.robot import Control

LEGS = {"fl": (0.2, 0.1), "fr": (0.2, -0.1), "rl": (-0.2, 0.1), "rr": (-0.2, -0.1)}
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)
FACES = [
    (0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1),
    (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3),
]  # fmt: skip


def write_stl(path: Path, half: tuple[float, float, float]) -> None:
    corners = CORNERS * np.array(half, np.float32)
    rows = [struct.pack("<12fH", 0, 0, 0, *corners[list(f)].ravel().tolist(), 0) for f in FACES]
    path.write_bytes(bytes(80) + struct.pack("<I", len(rows)) + b"".join(rows))


def write_obj(path: Path, half: tuple[float, float, float]) -> None:
    lines = [f"v {x} {y} {z}" for x, y, z in CORNERS * np.array(half)]
    lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in FACES]
    path.write_text("\n".join(lines) + "\n")


def leg(name: str, place: tuple[float, float]) -> str:
    return f"""
      <body name="{name}_upper" pos="{place[0]} {place[1]} 0" childclass="dog">
        <inertial pos="0 0 -0.08" mass="0.8" diaginertia="0.004 0.004 0.0006"/>
        <joint name="{name}_hip" class="hip"/>
        <geom class="visual" mesh="upper"/>
        <geom class="collision" type="capsule" size="0.02" fromto="0 0 0 0 0 -0.16"/>
        <body name="{name}_middle" pos="0 {0.03 * np.sign(place[1])} -0.02">
          <inertial pos="0 0 -0.08" mass="0.5" diaginertia="0.002 0.002 0.0003"/>
          <joint name="{name}_thigh" class="thigh"/>
          <geom class="visual" mesh="upper"/>
          <body name="{name}_lower" pos="0 0 -0.18">
            <inertial pos="0 0 -0.09" mass="0.2" diaginertia="0.001 0.001 0.0001"/>
            <joint name="{name}_knee" class="knee"/>
            <geom class="visual" mesh="lower"/>
            <geom class="foot"/>
          </body>
        </body>
      </body>"""


def write_dog(folder: Path) -> Path:
    """A quadruped as MuJoCo Menagerie lays it out: defaults, an included body file, meshes, keyframe, motors."""
    (folder / "assets").mkdir(parents=True)
    write_obj(folder / "assets" / "trunk.obj", (0.22, 0.08, 0.05))
    write_stl(folder / "assets" / "upper.stl", (0.02, 0.02, 0.08))
    write_stl(folder / "assets" / "lower.stl", (0.015, 0.015, 0.09))
    motors = "".join(
        f'<motor class="{j}" name="{n}_{j}" joint="{n}_{j}"/>' for n in LEGS for j in ("hip", "thigh", "knee")
    )
    stance = "0 0.7 -1.4 " * 4
    legs = "".join(leg(n, p) for n, p in LEGS.items())
    (folder / "legs.xml").write_text(f"<mujocoinclude>{legs}</mujocoinclude>")
    path = folder / "dog.xml"
    path.write_text(f"""<mujoco model="mesh dog">
  <compiler angle="radian" meshdir="assets" autolimits="true"/>
  <option cone="elliptic" impratio="100"/>
  <default><default class="dog">
    <joint damping="1" armature="0.01" frictionloss="0.1"/>
    <default class="hip"><joint axis="1 0 0" range="-0.9 0.9"/><motor ctrlrange="-20 20"/></default>
    <default class="thigh"><joint axis="0 1 0" range="-1.5 3"/><motor ctrlrange="-20 20"/></default>
    <default class="knee"><joint axis="0 1 0" range="-2.6 -0.6"/><motor ctrlrange="-30 30"/></default>
    <default class="visual"><geom type="mesh" contype="0" conaffinity="0" group="2"/></default>
    <default class="collision"><geom group="3"/>
      <default class="foot"><geom type="sphere" size="0.02" pos="0 0 -0.18" friction="0.8" priority="1"/></default>
    </default>
  </default></default>
  <asset><mesh file="trunk.obj"/><mesh file="upper.stl"/><mesh file="lower.stl"/></asset>
  <worldbody><body name="trunk" pos="0 0 0.4" childclass="dog">
      <inertial pos="0 0 0" mass="6" diaginertia="0.03 0.09 0.1"/>
      <freejoint/>
      <site name="imu"/>
      <geom class="visual" mesh="trunk"/>
      <geom class="collision" type="mesh" mesh="trunk"/>
      <include file="legs.xml"/>
  </body></worldbody>
  <actuator>{motors}</actuator>
  <sensor><gyro site="imu" name="gyro"/></sensor>
  <keyframe><key name="home" qpos="0 0 0.33 1 0 0 0 {stance}"/></keyframe>
</mujoco>""")
    return path


def link(name: str, mass: float, shape: str) -> str:
    inertia = f'ixx="{mass / 100}" iyy="{mass / 100}" izz="{mass / 100}" ixy="0" ixz="0" iyz="0"'
    return f"""<link name="{name}"><inertial><mass value="{mass}"/><inertia {inertia}/></inertial>
      <visual><geometry>{shape}</geometry></visual><collision><geometry>{shape}</geometry></collision></link>"""


def joint(name: str, parent: str, child: str, at: str, kind: str = "revolute", axis: str = "0 1 0") -> str:
    limit = '<limit lower="-1.2" upper="1.2" effort="25" velocity="20"/>' if kind == "revolute" else ""
    return f"""<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/>
      <origin xyz="{at}"/><axis xyz="{axis}"/>{limit}</joint>"""


def write_urdf_dog(folder: Path) -> Path:
    """A quadruped in ROS layout: meshes in a sibling folder under a package address, feet on fixed links."""
    (folder / "dog_description" / "meshes").mkdir(parents=True)
    (folder / "dog_description" / "urdf").mkdir()
    write_stl(folder / "dog_description" / "meshes" / "shin.stl", (0.015, 0.015, 0.08))
    mesh = '<mesh filename="package://dog_description/meshes/shin.stl"/>'
    parts = [link("body", 5.0, '<box size="0.4 0.2 0.1"/>')]
    for name, (x, y) in LEGS.items():
        parts += [link(f"{name}_thigh", 0.5, '<cylinder radius="0.02" length="0.1"/>'), link(f"{name}_shin", 0.2, mesh)]
        parts += [link(f"{name}_foot", 0.05, '<sphere radius="0.025"/>')]
        parts += [joint(f"{name}_hip_joint", "body", f"{name}_thigh", f"{x} {y} -0.05", axis="1 0 0")]
        parts += [joint(f"{name}_knee_joint", f"{name}_thigh", f"{name}_shin", "0 0 -0.12")]
        parts += [joint(f"{name}_foot_joint", f"{name}_shin", f"{name}_foot", "0 0 -0.12", "fixed")]
    path = folder / "dog_description" / "urdf" / "dog.urdf"
    path.write_text(f'<robot name="urdf_dog">{"".join(parts)}</robot>')
    return path


def step(report: Report, steps: int = 50) -> BuiltModel:
    """Build the imported robot and move it in a batch; every state must stay finite."""
    built = build_model(spec.load_robot(str(report.folder.resolve())), FLAT)
    batch = Batch(built.model, 4, 1)
    qpos, ctrl = batch.bind("qpos"), batch.bind("ctrl")
    qpos[:] = built.home_qpos
    rng = np.random.default_rng(0)
    for _ in range(steps):
        ctrl[:] = built.control(0.3 * rng.normal(size=(4, len(report.robot.joints))).astype(np.float32))
        batch.step(nstep=built.decimation)
    assert np.isfinite(qpos).all()
    return built


@pytest.fixture
def dog(tmp_path: Path) -> Report:
    return import_robot(write_dog(tmp_path / "menagerie"), tmp_path / "robots" / "mesh_dog")


def test_mjcf_with_meshes_is_drafted_without_editing_it(dog: Report, tmp_path: Path) -> None:
    robot = dog.robot
    assert robot.name == "mesh_dog"
    assert robot.joints == tuple(f"{n}_{j}" for n in LEGS for j in ("hip", "thigh", "knee"))
    assert robot.base == "trunk"
    assert robot.default_pose == (0.0, 0.7, -1.4) * 4
    assert robot.feet == tuple(f"{n}_lower" for n in LEGS)
    assert robot.control.torque_limit == (20.0, 20.0, 30.0) * 4
    for name in ("dog.xml", "legs.xml", "assets/trunk.obj", "assets/upper.stl", "assets/lower.stl"):
        assert (dog.folder / name).read_bytes() == (tmp_path / "menagerie" / name).read_bytes()


def test_mirror_is_found_from_the_kinematics(dog: Report) -> None:
    mirror = dog.robot.mirror
    assert mirror is not None
    assert mirror.joints[:3] == ("fr_hip", "fr_thigh", "fr_knee")
    assert mirror.signs == (-1, 1, 1) * 4
    assert mirror.feet == ("fr_lower", "fl_lower", "rr_lower", "rl_lower")


def test_imported_dog_stands_and_moves(dog: Report) -> None:
    built = step(dog)
    assert len(built.foot_geoms) == 4
    assert built.sources["foot_radius"].values == (0.02,) * 4
    assert 0.25 < dog.robot.base_height < 0.35
    assert any("stands with its base at" in note for note in dog.notes)
    assert built.model.nsensor == 12  # the model's gyro is read by no signal


def test_notes_and_readme_say_what_to_check(dog: Report) -> None:
    text = (dog.folder / "README.md").read_text()
    for word in ("keyframe 'home'", "kp, kd: guessed", "feet: guessed", "imu: site 'imu'"):
        assert any(word in note for note in dog.notes), word
        assert word in text


def test_zero_is_written_without_a_sign(dog: Report) -> None:
    control = Control(kp=20.0, kd=0.5, offset=(-0.0, 0.25, -0.0))
    text = to_toml(replace(dog.robot, control=control, default_pose=(-0.0,) * 12))
    assert "offset = [0.0, 0.25, 0.0]" in text
    assert "-0.0," not in text
    assert "-0.0]" not in text
    assert "-0.0," not in (dog.folder / "robot.toml").read_text()


def test_a_time_step_that_does_not_fit_is_made_to(tmp_path: Path) -> None:
    path = write_dog(tmp_path / "menagerie")
    path.write_text(path.read_text().replace("<option cone", '<option timestep="0.003" cone'))
    robot = import_robot(path, tmp_path / "out").robot
    assert robot.physics.timestep == 0.005
    assert robot.execution.timestep == pytest.approx(0.02 / 7)
    build_model(robot, FLAT, execution=True)


def test_feet_come_front_left_first_whatever_the_models_order(tmp_path: Path) -> None:
    path = write_dog(tmp_path / "menagerie")
    legs = "".join(leg(n, LEGS[n]) for n in ("rr", "fr", "fl", "rl"))
    (path.parent / "legs.xml").write_text(f"<mujocoinclude>{legs}</mujocoinclude>")
    robot = import_robot(path, tmp_path / "out").robot
    assert robot.joints[:3] == ("rr_hip", "rr_thigh", "rr_knee")
    assert robot.feet == tuple(f"{n}_lower" for n in LEGS)


def test_assets_outside_the_models_folder_keep_their_place(tmp_path: Path) -> None:
    path = write_dog(tmp_path / "menagerie" / "dog")
    (path.parent / "assets").rename(path.parent.parent / "shared")
    path.write_text(path.read_text().replace('meshdir="assets"', 'meshdir="../shared"'))
    report = import_robot(path, tmp_path / "out")
    assert report.robot.model == "dog/dog.xml"
    assert (report.folder / "shared" / "trunk.obj").is_file()
    step(report, 5)


def test_urdf_quadruped_gets_a_floating_base_and_its_meshes(tmp_path: Path) -> None:
    report = import_robot(write_urdf_dog(tmp_path), tmp_path / "out")
    robot = report.robot
    assert (robot.name, robot.base, robot.model) == ("urdf_dog", "body", "urdf/dog.urdf")
    assert robot.feet == tuple(f"{n}_foot" for n in LEGS)
    assert robot.control.torque_limit == 25.0
    assert (report.folder / "meshes" / "shin.stl").is_file()
    assert any("taken as floating" in note for note in report.notes)
    built = step(report)
    assert built.base_qpos == 0
    assert built.sources["foot_radius"].values == (0.025,) * 4


def test_urdf_arm_stays_on_its_bolts(tmp_path: Path) -> None:
    parts = [link("pedestal", 3.0, '<box size="0.1 0.1 0.1"/>'), link("upper", 1.0, '<box size="0.05 0.05 0.3"/>')]
    parts += [link("fore", 0.5, '<box size="0.04 0.04 0.3"/>')]
    parts += [joint("shoulder", "pedestal", "upper", "0 0 0.5"), joint("elbow", "upper", "fore", "0 0 0.35")]
    (tmp_path / "arm.urdf").write_text(f'<robot name="Arm 2">{"".join(parts)}</robot>')
    report = import_robot(tmp_path / "arm.urdf", tmp_path / "out")
    assert (report.robot.name, report.robot.base, report.robot.feet) == ("arm_2", "", ())
    assert report.robot.mirror is None
    step(report)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<mujoco", "not XML"),
        ("<mujoco><worldbody><body/></worldbody></mujoco>", "at least one named hinge or slide"),
        ('<mujoco><asset><mesh name="m" file="gone.stl"/></asset><worldbody/></mujoco>', "gone.stl"),
        ('<mujoco><worldbody><geom type="spere"/></worldbody></mujoco>', "spere"),
    ],
)
def test_a_bad_model_leaves_nothing_behind(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.xml").write_text(text)
    with pytest.raises(spec.SpecError, match=message):
        import_robot(tmp_path / "bad.xml", tmp_path / "robots" / "bad")
    assert not list((tmp_path / "robots").glob("*")) if (tmp_path / "robots").exists() else True


def test_wrong_paths_are_refused_by_name(tmp_path: Path, dog: Report) -> None:
    with pytest.raises(spec.SpecError, match="no such file"):
        import_robot(tmp_path / "nothing.xml", tmp_path / "x")
    with pytest.raises(spec.SpecError, match=r"expected an \.xml"):
        import_robot(tmp_path / "robot.step", tmp_path / "x")
    with pytest.raises(spec.SpecError, match="already exists"):
        import_robot(tmp_path / "menagerie" / "dog.xml", dog.folder)
