"""Ray-cast frames: what is seen, from where, on which ground."""

from __future__ import annotations

import math
from dataclasses import replace

import mujoco
import numpy as np
import pytest

from pyembody.analysis import Recording
from pyembody.viz.camera import follow, look
from pyembody.viz.raycast import Raycaster
from pyembody.viz.scene import make_scene
from pyembody.viz.shading import checker
from pyembody.viz.video import render_frames
from viz_toy import HEIGHT, MODEL, WIDTH, toy_model, toy_recording


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return toy_model()


@pytest.fixture(scope="module")
def recording(model: mujoco.MjModel) -> Recording:
    return toy_recording(model)


def test_a_frame_shows_the_robot_its_shadow_the_floor_and_the_sky(model: mujoco.MjModel) -> None:
    scene = make_scene(model, model.qpos0)
    camera = look(WIDTH, HEIGHT, scene.radius)
    eye = np.array([0, 0, 0.25]) + camera.offset
    caster = Raycaster(scene, camera)
    frame = caster.frame(model.qpos0, eye).astype(int)
    assert frame.shape == (HEIGHT, WIDTH, 3)
    red = (frame[:, :, 0] > 1.6 * frame[:, :, 1]) & (frame[:, :, 0] > 1.6 * frame[:, :, 2])
    assert 100 < red.sum() < WIDTH * HEIGHT / 4
    sky, ground = frame[:4].mean(), frame[-8:].mean()
    assert sky > ground + 30
    away = model.qpos0.copy()
    away[0] += 50
    empty = caster.frame(away, eye).astype(int)
    darker = (empty - frame).sum(axis=2) > 60
    assert (darker & ~red)[HEIGHT // 2 :].sum() > 30  # the shadow on the floor


def test_the_same_pose_gives_the_same_pixels_on_any_number_of_threads(
    model: mujoco.MjModel, recording: Recording
) -> None:
    steps = np.array([0, 5, 10])
    first = render_frames(recording, model, steps, width=WIDTH, height=HEIGHT)
    second = render_frames(recording, model, steps, width=WIDTH, height=HEIGHT, threads=1)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first[0] != first[1]).any()


def test_hidden_groups_are_not_drawn_and_the_model_is_left_alone(model: mujoco.MjModel) -> None:
    groups = model.geom_group.copy()
    scene = make_scene(model, model.qpos0)
    np.testing.assert_array_equal(model.geom_group, groups)
    assert model.geom("hidden").id not in scene.shapes
    assert scene.floor == 0.0
    assert 0.2 < scene.radius < 0.6


def test_a_model_with_nothing_but_hidden_groups_is_drawn_all_the_same() -> None:
    model = mujoco.MjModel.from_xml_string(
        '<mujoco><worldbody><body><joint/><geom size=".1" group="3"/></body></worldbody></mujoco>'
    )
    scene = make_scene(model, model.qpos0)
    assert scene.shapes.tolist() == [0]
    assert scene.floor is None
    camera = look(WIDTH, HEIGHT, scene.radius)
    frame = Raycaster(scene, camera).frame(model.qpos0, camera.offset)
    assert (frame[HEIGHT // 2, WIDTH // 2] != frame[HEIGHT // 2, 0]).any()


@pytest.fixture(scope="module")
def hills() -> mujoco.MjModel:
    """Return a slope from 0 to 0.2 m along x under the toy."""
    text = MODEL.format(ground='<geom type="hfield" hfield="hills"/>')
    asset = '<asset><hfield name="hills" nrow="9" ncol="9" size="2 2 .2 .1"/>'
    text = text.replace("<asset>", asset).replace('<geom type="plane" size="0 0 1"/>', "")
    model = mujoco.MjModel.from_xml_string(text)
    model.hfield_data[:] = np.tile(np.linspace(0, 1, 9), 9)
    return model


def test_a_height_field_is_found_where_mujocos_rays_find_it(hills: mujoco.MjModel) -> None:
    scene, data = make_scene(hills, hills.qpos0), mujoco.MjData(hills)
    assert scene.terrain is not None
    mujoco.mj_forward(hills, data)
    eye = np.array([-1.5, 0.3, 1.0])
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(50, 3)) * 0.3 + [1.0, 0, -0.7]
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    field, only = np.zeros(1, np.int32), np.array([1, 0, 0, 0, 0, 0], np.uint8)
    found = scene.terrain.distance(eye, directions)
    for ray, distance in zip(directions, found, strict=True):
        true = mujoco.mj_ray(hills, data, eye, ray, only, True, hills.body("base").id, field)
        if true >= 0 and field[0] == 0:
            assert distance == pytest.approx(true, abs=2e-3)
    height, normal = scene.terrain.at(np.array([0.0, 1.0]), np.array([0.0, -1.0]))
    assert height.tolist() == pytest.approx([0.1, 0.15])
    assert normal[0].tolist() == pytest.approx([-0.05 / math.hypot(1, 0.05), 0, 1 / math.hypot(1, 0.05)])


def test_uneven_ground_carries_a_shadow(hills: mujoco.MjModel) -> None:
    scene = make_scene(hills, hills.qpos0)
    camera = look(WIDTH, HEIGHT, scene.radius)
    caster = Raycaster(scene, camera)
    eye = np.array([0, 0, 0.35]) + camera.offset
    qpos = hills.qpos0.copy()
    qpos[2] = 0.4
    frame = caster.frame(qpos, eye).astype(int)
    qpos[0] = 50
    darker = (caster.frame(qpos, eye).astype(int) - frame).sum(axis=2) > 60
    assert darker.sum() > 100


def test_the_camera_masks_what_may_show_a_sphere() -> None:
    camera = look(WIDTH, HEIGHT, 0.5)
    eye = camera.offset
    mask = camera.mask(eye, np.zeros((1, 3)), np.array([0.2]))
    y, x = np.nonzero(mask)
    assert mask[HEIGHT // 2, WIDTH // 2]
    assert (x.min() > 0, x.max() < WIDTH - 1, y.min() > 0, y.max() < HEIGHT - 1) == (True,) * 4
    assert camera.mask(eye, eye[None], np.array([0.2])).all()
    assert not camera.mask(eye, 3 * eye[None], np.array([0.2])).any()  # behind the camera
    assert not camera.mask(eye, np.zeros((0, 3)), np.zeros(0)).any()


def test_following_keeps_a_still_target_still_and_smooths_a_jump() -> None:
    still = np.tile([1.0, 2.0, 3.0], (30, 1))
    np.testing.assert_allclose(follow(still, 0.02), still)
    jump = np.zeros((60, 3))
    jump[30:] = 1.0
    assert np.abs(np.diff(follow(jump, 0.02)[:, 0])).max() < 0.05


def test_a_far_checker_is_grey_and_a_near_one_is_not() -> None:
    u = np.array([0.5, 1.5, 0.5], np.float32)
    v = np.array([0.5, 0.5, 0.5], np.float32)
    near = checker(u, v, np.full(3, 0.01, np.float32), np.full(3, 0.01, np.float32))
    assert near.tolist() == pytest.approx([1, 0, 1], abs=1e-3)
    far = checker(u, v, np.full(3, 40.0, np.float32), np.full(3, 40.0, np.float32))
    assert far.tolist() == pytest.approx([0.5] * 3, abs=0.01)


def test_the_robot_is_seen_from_the_same_side_whichever_way_it_starts(
    model: mujoco.MjModel, recording: Recording
) -> None:
    angle = 2.0
    turned = recording.qpos.copy()
    x = recording.qpos[:, 0]
    turned[:, 0], turned[:, 1] = np.cos(angle) * x, np.sin(angle) * x
    turned[:, 3], turned[:, 6] = np.cos(angle / 2), np.sin(angle / 2)
    steps = np.array([0, 12])
    other = replace(recording, qpos=turned)
    first = render_frames(recording, model, steps, width=WIDTH, height=HEIGHT)
    second = render_frames(other, model, steps, width=WIDTH, height=HEIGHT)
    for a, b in zip(first, second, strict=True):
        assert np.abs(a.astype(int) - b).mean() < 0.5


def test_the_camera_looks_at_a_robot_rather_than_at_a_thing_that_is_free_to_move() -> None:
    apple = '<body name="apple" pos="2 0 0"><freejoint/><geom type="sphere" size="0.1"/></body>'
    arm = '<body name="arm" pos="0 0 1">{}<geom size="0.1"/><body><joint/><geom size="0.1"/></body></body>'
    for joint, middle in (("", [1.0, 0.0, -0.5]), ("<freejoint/>", [0.0, 0.0, -0.5])):
        model = mujoco.MjModel.from_xml_string(f"<mujoco><worldbody>{apple}{arm.format(joint)}</worldbody></mujoco>")
        scene = make_scene(model, model.qpos0)
        assert scene.base == model.body("arm").id
        assert scene.middle == pytest.approx(middle, abs=1e-6)
    lone = mujoco.MjModel.from_xml_string(f"<mujoco><worldbody>{apple}</worldbody></mujoco>")
    assert make_scene(lone, lone.qpos0).base == lone.body("apple").id
