"""A task's scene: its signals are read, its joints start where the task says, and mistakes are named."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from pyembody import spec
from pyembody.envs import VectorEnv, make_vec
from pyembody.envs.provided import provided_signals


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(spec.find_folder("task", "push"), tmp_path / "push")
    return tmp_path / "push"


def changed(folder: Path, old: str, new: str) -> spec.Task:
    path = folder / "task.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return spec.load_task(str(folder))


def test_scene_signals_are_the_simulators_values() -> None:
    env = make_vec("push", "arm", 8)
    env.reset(seed=0)
    for _ in range(4):
        env.step(np.full((8, 3), 0.5, np.float32))
    address = int(env.model.joint("scene/cube_x").qposadr[0])
    cube = env.signal("cube_pos")
    assert cube.shape == (8, 3)
    np.testing.assert_allclose(cube[:, :2], env.batch.bind("qpos")[:, address : address + 2], atol=2e-2)
    np.testing.assert_allclose(cube[:, 2], 0.035)


def test_the_scenes_joints_start_in_their_ranges() -> None:
    env = make_vec("push", "arm", 400)
    env.reset(seed=0)
    address = int(env.model.joint("scene/cube_x").qposadr[0])
    start = env.batch.bind("qpos")[:, address : address + 3]
    ranges = np.array([env.task.reset.scene[n] for n in ("cube_x", "cube_y", "cube_yaw")])
    assert (start >= ranges[:, 0]).all() and (start <= ranges[:, 1]).all()
    assert (np.ptp(start, axis=0) > 0.9 * np.ptp(ranges, axis=1)).all()


def test_the_finger_pushes_the_cube() -> None:
    env = make_vec("push", "arm", 1)
    env.reset(seed=0)
    qpos, address = env.batch.bind("qpos"), int(env.model.joint("scene/cube_x").qposadr[0])
    tip = env.signal("tip_pos")[0].copy()
    qpos[0, address : address + 3] = tip[0], tip[1] + 0.06, 0.0
    for _ in range(20):
        env.step(np.array([[1.5, 0.0, 0.0]], np.float32))
    assert qpos[0, address + 1] > tip[1] + 0.15


def test_ten_steps_in_the_zone_end_the_episode_as_a_success() -> None:
    env = make_vec("push", "arm", 1)
    env.reset(seed=0)
    address = int(env.model.joint("scene/cube_x").qposadr[0])
    env.batch.bind("qpos")[0, address : address + 2] = 0.35, -0.3
    ended = []
    for _ in range(10):
        _, rewards, terminated, _, info = env.step(np.zeros((1, 3), np.float32))
        ended.append(bool(terminated[0]))
    assert ended == [False] * 9 + [True]
    assert info["final_info"]["success"][0] and rewards[0] >= 1.0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('source = "body:cube.pos"', 'source = "body:cub.pos"', r"signals\.cube_pos\.source.*did you mean 'cube'"),
        ("cube_x = [0.35, 0.5]", "cube_z = [0.35, 0.5]", r"reset\.scene.*'cube_z'"),
        ("cube_x = [0.35, 0.5]", "cube_x = [0.6, 0.5]", r"reset\.scene\.cube_x: expected low <= high"),
        ('name = "cube_yaw"', 'name = "joint_vel"', r"signals\.joint_vel: robot arm provides"),
    ],
)
def test_a_wrong_scene_is_named(folder: Path, old: str, new: str, message: str) -> None:
    robot = spec.load_robot("arm")
    with pytest.raises(spec.SpecError, match=message):
        VectorEnv(changed(folder, old, new), robot, 1)


def test_scene_signals_need_a_scene(folder: Path) -> None:
    (folder / "scene.xml").unlink()
    with pytest.raises(spec.SpecError, match=r"expected a scene\.xml"):
        VectorEnv(spec.load_task(str(folder)), spec.load_robot("arm"), 1)


def test_a_robot_and_its_tasks_scene_provide_signals_together() -> None:
    task, robot = spec.load_task("gate_pad"), spec.load_robot("go2")
    table = provided_signals(robot, task)
    assert table["pad_pos"].values == (2.0, 0.0, 0.0) and table["base_pos"].source
