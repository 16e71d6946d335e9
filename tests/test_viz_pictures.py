"""Ray-cast frames, videos, rerun files and plots of a small scripted recording."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest

from pyembody.analysis import Recording
from pyembody.spec import SpecError
from pyembody.viz import render_video, write_rrd
from pyembody.viz.camera import follow, look
from pyembody.viz.extra import EXTRA
from pyembody.viz.plots import gait_diagram, learning_curves, term_bars, velocities
from pyembody.viz.raycast import Raycaster
from pyembody.viz.rerun_log import curves
from pyembody.viz.scene import make_scene
from pyembody.viz.shading import checker
from pyembody.viz.video import render_frames

WIDTH, HEIGHT = 96, 64
STEPS, DT = 20, 0.05
MODEL = """<mujoco>
<asset><mesh name="wedge" vertex="0 0 0 .1 0 0 0 .1 0 0 0 .1"/></asset><worldbody>
<geom type="plane" size="0 0 1"/>{ground}
<body name="base" pos="0 0 0.3"><freejoint/>
<geom name="trunk" type="box" size=".15 .08 .05" rgba="1 0 0 1"/>
<body name="leg" pos="0 0 -.1"><joint name="hip" axis="0 1 0"/>
<geom type="capsule" fromto="0 0 0 0 0 -.15" size=".02" mass=".1"/>
<geom name="foot" type="sphere" pos="0 0 -.17" size=".03"/><geom type="cylinder" size=".02 .02"/>
<geom type="ellipsoid" size=".02 .03 .02"/><geom type="mesh" mesh="wedge" group="1"/>
<geom name="hidden" type="box" size="1 1 1" group="3" mass="0" contype="0" conaffinity="0"/>
</body></body></worldbody></mujoco>"""


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_string(MODEL.format(ground=""))


@pytest.fixture(scope="module")
def recording(model: mujoco.MjModel) -> Recording:
    time = np.arange(STEPS) * DT
    qpos = np.tile(model.qpos0, (STEPS, 1))
    qpos[:, 0] = time
    rng = np.random.default_rng(0)
    command = np.tile([1.0, 0.0, 0.2], (STEPS, 1)).astype(np.float32)
    signals = {
        "base_lin_vel": command * 0.9,
        "base_ang_vel": command * 0.9,
        "foot_force": np.where(np.arange(STEPS)[:, None] % 8 < 4, 20.0, 0.0),
        "joint_pos": qpos[:, 7:],
    }
    terms = rng.normal(size=(STEPS, 2))
    flags = np.zeros(STEPS, bool)
    return Recording(
        time=time,
        qpos=qpos,
        command=command,
        action=np.zeros((STEPS, 1)),
        raw=terms,
        weighted=terms,
        channels=terms,
        metrics=terms[:, :1],
        values=np.zeros((STEPS, 0)),
        terminated=flags,
        truncated=flags,
        control_dt=DT,
        signals=signals,
        term_names=("task.go", "safety.torque"),
        channel_names=("task", "safety"),
        metric_names=("speed_error",),
        joint_names=("hip",),
        foot_names=("foot",),
        robot="toy",
        task="walk",
    )


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


def test_a_video_has_the_length_of_the_recording(model: mujoco.MjModel, recording: Recording, tmp_path: Path) -> None:
    import av

    told: list[float] = []
    path = render_video(
        recording,
        model,
        tmp_path / "sub" / "a.mp4",
        width=WIDTH,
        height=HEIGHT,
        fps=20,
        progress=lambda _, s: told.append(s),
    )
    with av.open(str(path)) as file:
        frames = [f.to_ndarray(format="rgb24") for f in file.decode(video=0)]
    assert len(frames) == 20
    assert frames[0].shape == (HEIGHT, WIDTH, 3)
    assert told[-1] == 1.0
    assert [p.name for p in path.parent.iterdir()] == ["a.mp4"]


def test_a_failing_video_leaves_the_old_one(
    model: mujoco.MjModel, recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")

    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Raycaster, "frame", fail)
    with pytest.raises(KeyboardInterrupt):
        render_video(recording, model, path, width=WIDTH, height=HEIGHT)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_video_arguments_are_checked(model: mujoco.MjModel, recording: Recording, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with pytest.raises(ValueError, match="expected even numbers from 16 on, got 95 x 64"):
        render_video(recording, model, path, width=95, height=64)
    with pytest.raises(ValueError, match="expected 'raycast' or 'mujoco', got 'vulkan'"):
        render_video(recording, model, path, renderer="vulkan")  # type: ignore[arg-type]
    other = mujoco.MjModel.from_xml_string("<mujoco/>")
    with pytest.raises(ValueError, match=r"expected positions of shape \(T, 0\)"):
        render_video(recording, other, path)
    assert not path.exists()


def test_mujocos_renderer_without_gl_is_one_clear_error(
    model: mujoco.MjModel, recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("no display")

    monkeypatch.setattr(mujoco, "Renderer", fail)
    with pytest.raises(RuntimeError, match=r"renderer 'mujoco': no OpenGL here \(no display\)"):
        render_video(recording, model, tmp_path / "a.mp4", renderer="mujoco")


@pytest.mark.parametrize("module", ["av", "rerun"])
def test_a_missing_extra_is_named(
    module: str,
    model: mujoco.MjModel,
    recording: Recording,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    write: Any = render_video if module == "av" else write_rrd
    with pytest.raises(ImportError, match=f"pip install {EXTRA[module]}"):
        write(recording, model, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_rerun_file_is_written_whole(model: mujoco.MjModel, recording: Recording, tmp_path: Path) -> None:
    told: list[float] = []
    path = write_rrd(recording, model, tmp_path / "a.rrd", progress=lambda _, s: told.append(s))
    data = path.read_bytes()
    assert data[:4] == b"RRF2"
    for entity in (b"world/base", b"terms/task/go", b"velocity/command/forward", b"trunk"):
        assert entity in data
    assert told[-1] == 1.0
    assert [p.name for p in tmp_path.iterdir()] == ["a.rrd"]


def test_curves_leave_out_what_was_not_recorded(recording: Recording) -> None:
    found = curves(recording)
    assert "values/task" not in found
    assert "joint_vel/hip" not in found
    np.testing.assert_allclose(found["velocity/measured/forward"], 0.9, rtol=1e-6)
    assert set(found) >= {
        "terms/safety/torque",
        "channels/task",
        "metrics/speed_error",
        "foot_force/foot",
    }


def test_plots_are_the_same_text_for_the_same_data(recording: Recording) -> None:
    rows = [
        {
            "steps": i * 100,
            "elapsed": i * 1.0,
            "channels": {"task": i},
            "metrics": {"speed_error": 1 / (i + 1)},
            "terminated": 0.5,
            "success": 0.1,
        }
        for i in range(5)
    ]
    for draw in (
        lambda: learning_curves(rows),
        lambda: velocities(recording),
        lambda: gait_diagram(recording),
    ):
        first = draw()
        assert first == draw()
        assert "<svg" in first
    assert "speed error" in learning_curves(rows)


def test_plot_text_is_escaped() -> None:
    svg = term_bars({"task.<b>&$x$": 1.0})
    assert "&lt;b&gt;&amp;$x$" in svg


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


def test_a_few_wild_values_do_not_flatten_a_learning_curve() -> None:
    rows = [{"steps": i, "elapsed": i, "metrics": {"speed_error": 0.5}} for i in range(200)]
    rows[7]["metrics"] = {"speed_error": 1e6}
    assert "1e6" not in learning_curves(rows)
    assert "1000000" not in learning_curves(rows)


def test_a_place_that_cannot_be_written_is_one_clear_error(
    model: mujoco.MjModel, recording: Recording, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "a"
    for write in (
        lambda: render_video(recording, model, place, width=WIDTH, height=HEIGHT),
        lambda: write_rrd(recording, model, place),
        lambda: recording.save(place),
    ):
        with pytest.raises(SpecError, match="cannot write: "):
            write()
