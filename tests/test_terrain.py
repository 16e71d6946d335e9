"""Rough ground: the same for the same seed, as high as asked, and exactly what MuJoCo collides with."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from msgspec.structs import replace

from pyembody import spec
from pyembody.envs.model import build_model
from pyembody.envs.stance import FLAT
from pyembody.envs.terrain import from_heights, make_terrain

ROUGH = spec.task.Terrain(kind="rough", size_m=8.0)


def test_flat_ground_needs_no_field() -> None:
    assert make_terrain(spec.task.Terrain()) is None


def test_same_seed_same_ground_and_heights_as_asked() -> None:
    one, two = make_terrain(ROUGH), make_terrain(ROUGH)
    other = make_terrain(replace(ROUGH, seed=1))
    assert one is not None and two is not None and other is not None
    np.testing.assert_array_equal(one.heights, two.heights)
    assert not np.array_equal(one.heights, other.heights)
    assert one.heights.shape == (81, 81)
    assert one.half_size == 4.0
    assert one.heights.min() >= 0
    assert 0.1 < one.heights.max() <= 0.15
    steps = make_terrain(replace(ROUGH, bump_m=0.0))
    assert steps is not None
    assert set(np.unique(steps.heights)) == {0.0, 0.1}


def test_height_is_exact_on_grid_points_and_linear_between() -> None:
    heights = np.array([[0.0, 1.0, 0.0], [0.0, 2.0, 4.0], [0.0, 0.0, 0.0]])
    terrain = from_heights(heights, 1.0)
    assert terrain.height_at(np.array(0.0), np.array(-1.0)) == 1.0
    assert terrain.height_at(np.array(1.0), np.array(0.0)) == 4.0
    np.testing.assert_allclose(terrain.height_at(np.array([0.5]), np.array([0.0])), [3.0])
    # outside: the nearest edge
    assert terrain.height_at(np.array(9.0), np.array(0.0)) == 4.0


def test_a_robot_has_left_before_its_feet_are_over_the_edge() -> None:
    terrain = make_terrain(ROUGH)
    assert terrain is not None
    x, y = np.array([0.0, 3.4, 3.6, 0.0, -9.0]), np.array([0.0, -3.4, 0.0, -3.6, 0.0])
    assert terrain.left(x, y).tolist() == [False, False, True, True, True]


def test_robots_start_on_level_places_in_the_middle() -> None:
    terrain = make_terrain(spec.task.Terrain(kind="rough", bump_m=0.0))
    assert terrain is not None
    points = terrain.starts(np.random.default_rng(0), 2000)
    assert points.shape == (2000, 2) and np.abs(points).max() <= terrain.half_size / 3 + terrain.cell
    assert np.ptp(points, axis=0).min() > terrain.half_size / 2
    x, y = points.T
    for dx, dy in ((-0.3, -0.3), (-0.3, 0.3), (0.3, 0.0)):  # no step within a robot's footprint
        np.testing.assert_allclose(terrain.height_at(x + dx, y + dy), terrain.highest_near(x, y), atol=1e-12)


def test_highest_near_is_never_below_the_ground_around() -> None:
    terrain = make_terrain(ROUGH)
    assert terrain is not None
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-3.5, 3.5, (2, 200))
    top = terrain.highest_near(x, y)
    for _ in range(50):
        dx, dy = rng.uniform(-0.3, 0.3, (2, 200))
        assert (top >= terrain.height_at(x + dx, y + dy) - 1e-12).all()


@pytest.fixture(scope="module")
def rough_task() -> spec.Task:
    return replace(FLAT, terrain=ROUGH)


def test_height_is_where_mujocos_rays_hit(rough_task: spec.Task) -> None:
    built = build_model(spec.load_robot("go2"), rough_task)
    assert built.terrain is not None
    data = mujoco.MjData(built.model)
    data.qpos[2] = 9
    mujoco.mj_forward(built.model, data)
    x, y = np.random.default_rng(1).uniform(-3.9, 3.9, (2, 300))
    hit, down = np.zeros(1, np.int32), np.array([0.0, 0.0, -1.0])
    seen = []
    for px, py in zip(x, y, strict=True):
        start = np.array([px, py, 2.0])
        seen.append(2 - mujoco.mj_ray(built.model, data, start, down, None, 1, -1, hit))
        assert hit[0] == built.floor_geom
    np.testing.assert_allclose(built.terrain.height_at(x, y), seen, atol=1e-6)


def test_a_robot_without_a_floating_base_is_refused(rough_task: spec.Task) -> None:
    with pytest.raises(spec.SpecError, match=r"terrain\.kind: expected 'flat' for cartpole"):
        build_model(spec.load_robot("cartpole"), rough_task)
