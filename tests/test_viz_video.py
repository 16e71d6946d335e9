"""Videos of a recording, what is written over them, and clear errors."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest

from pyembody.analysis import Recording
from pyembody.spec import SpecError
from pyembody.spec.extra import EXTRA
from pyembody.viz import render_video, write_rrd
from pyembody.viz.overlay import FAINT, FAR, INK, NEAR, Overlay, slack
from pyembody.viz.raycast import Raycaster
from viz_toy import HEIGHT, WIDTH, toy_model, toy_recording


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return toy_model()


@pytest.fixture(scope="module")
def recording(model: mujoco.MjModel) -> Recording:
    return toy_recording(model)


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


def test_measured_velocity_is_green_near_the_command_and_orange_far_from_it(recording: Recording) -> None:
    lateral = recording.command * [0.9, 1.0, 1.0] + [0.0, 0.3, 0.0]
    recording = replace(recording, signals=recording.signals | {"base_lin_vel": lateral})
    rows = Overlay(recording, 640, 360)._rows(15)
    assert rows[0][1:] == [("forward m/s", FAINT), ("lateral m/s", FAINT), ("turn rad/s", FAINT)]
    assert rows[1] == [("command", FAINT), ("+1.00", INK), ("+0.00", INK), ("+0.20", INK)]
    assert rows[2] == [("measured", FAINT), ("+0.90", NEAR), ("+0.30", FAR), ("+0.18", NEAR)]


def test_close_is_a_share_of_the_commanded_speed_so_that_standing_is_far_from_a_slow_command() -> None:
    commands = np.array([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [0.0, 0.0, 0.2], [0.6, 0.8, -1.0]])
    assert slack(commands) == pytest.approx(
        np.array([[0.05] * 3, [0.05] * 3, [0.05] * 3, [0.25] * 3])
    )
    assert (np.abs(commands) > slack(commands)).any(axis=1).tolist() == [False, True, True, True]


def test_shown_velocity_is_the_mean_of_the_last_half_second(recording: Recording) -> None:
    swaying = recording.command.copy()
    swaying[:, 0] += np.where(np.arange(len(recording)) % 2, 0.6, -0.6)
    recording = replace(recording, signals=recording.signals | {"base_lin_vel": swaying})
    assert Overlay(recording, 640, 360)._rows(15)[2][1] == ("+1.00", NEAR)
    assert Overlay(recording, 640, 360)._rows(0)[2][1] == ("+0.40", FAR)


def test_text_is_drawn_over_the_top_left_and_nowhere_else(recording: Recording) -> None:
    frame = np.full((360, 640, 3), 90, np.uint8)
    changed = (Overlay(recording, 640, 360).draw(frame, 15) != frame).any(axis=2)
    assert changed[:100, :360].any()
    assert not changed[120:].any()
    assert not changed[:, 400:].any()


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
