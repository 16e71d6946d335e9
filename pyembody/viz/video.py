"""MP4 videos of recordings."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import local
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ..analysis.record import Progress, Recording
from ..spec.extra import need
from ..spec.files import atomic_path
from .camera import AZIMUTH, Camera, follow, look

if TYPE_CHECKING:
    import mujoco

    from .scene import Scene

Array = npt.NDArray[Any]

CRF = 20  # quality of the H.264 encoder: 18 looks lossless, 28 is small


def render_video(
    recording: Recording,
    model: mujoco.MjModel,
    path: Path | str,
    *,
    width: int = 640,
    height: int = 360,
    fps: float = 25.0,
    renderer: Literal["raycast", "mujoco"] = "raycast",
    overlay: bool = True,
    azimuth: float = AZIMUTH,
    threads: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Write an H.264 MP4 of the recording, in real time, and return its path.

    `raycast` needs no OpenGL; `mujoco` uses MuJoCo's own renderer and raises RuntimeError where there
    is no GL. The camera stands at `azimuth` degrees from where the robot looks at first, left being positive.
    `threads` 0 takes every available core. Raises ImportError if the `viz` extra is not
    installed and ValueError for sizes that H.264 cannot hold (odd or below 16) or a model that does
    not fit the recording.
    """
    _check(recording, model, width, height, fps)
    need("av", "a video")
    text = None
    if overlay:
        from .overlay import Overlay

        text = Overlay(recording, width, height)
    steps = _frame_steps(recording, fps)
    frames = _frames(recording, model, steps, look_from=(width, height, azimuth), renderer=renderer, threads=threads)

    def finished() -> Iterator[Array]:
        for k, (t, frame) in enumerate(zip(steps, frames, strict=True)):
            yield frame if text is None else text.draw(frame, int(t))
            if progress is not None:
                progress("video", (k + 1) / len(steps))

    return encode(finished(), path, width=width, height=height, fps=fps)


def render_frames(
    recording: Recording,
    model: mujoco.MjModel,
    steps: Array,
    *,
    width: int = 640,
    height: int = 360,
    threads: int = 0,
) -> list[Array]:
    """Return ray-cast pictures [height, width, 3] uint8 of the recording's steps `steps`."""
    look_from = (width, height, AZIMUTH)
    return list(_frames(recording, model, steps, look_from=look_from, renderer="raycast", threads=threads))


def encode(frames: Iterator[Array], path: Path | str, *, width: int, height: int, fps: float) -> Path:
    """Write `frames` [height, width, 3] uint8 as H.264 in an MP4; a failure leaves an older file as
    it was.
    """
    from fractions import Fraction

    av = need("av", "a video")
    with (
        atomic_path(path) as temporary,
        av.open(str(temporary), "w", format="mp4", options={"movflags": "faststart"}) as file,
    ):
        stream = file.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": str(CRF), "preset": "veryfast"}
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    return Path(path)


def _check(recording: Recording, model: mujoco.MjModel, width: int, height: int, fps: float) -> None:
    """Raise ValueError for what cannot become a video."""
    if width < 16 or height < 16 or width % 2 or height % 2:
        raise ValueError(f"width, height: expected even numbers from 16 on, got {width} x {height}")
    if not fps > 0:
        raise ValueError(f"fps: expected a positive number, got {fps}")
    if len(recording) == 0 or recording.qpos.shape[1] != model.nq:
        shape = recording.qpos.shape
        raise ValueError(f"recording: expected positions of shape (T, {model.nq}) for this model, got {shape}")


def _frame_steps(recording: Recording, fps: float) -> Array:
    """Return the recording's step shown in each frame."""
    count = max(1, round(len(recording) * recording.control_dt * fps))
    steps: Array = np.minimum((np.arange(count) / (fps * recording.control_dt) + 1e-9).astype(int), len(recording) - 1)
    return steps


def _frames(
    recording: Recording,
    model: mujoco.MjModel,
    steps: Array,
    *,
    look_from: tuple[int, int, float],
    renderer: str,
    threads: int,
) -> Iterator[Array]:
    """Return the pictures of `steps` in order, of width, height and azimuth `look_from`."""
    from .scene import face_along_x, make_scene

    scene = make_scene(model, recording.qpos[0])
    width, height, azimuth = look_from
    camera = look(width, height, scene.radius, azimuth)
    qpos = face_along_x(scene, recording.qpos)
    targets = _targets(recording, qpos, scene)
    jobs = [(qpos[t], targets[t] + camera.offset) for t in steps]
    if renderer == "raycast":
        return _raycast_frames(scene, camera, jobs, threads)
    if renderer == "mujoco":
        from .gl import gl_frames

        return gl_frames(model, camera, jobs)
    raise ValueError(f"renderer: expected 'raycast' or 'mujoco', got '{renderer}'")


def _targets(recording: Recording, qpos: Array, scene: Scene) -> Array:
    """Return what the camera looks at in each step [T, 3]: the base, smoothed within each
    episode.
    """
    from .scene import body_positions

    positions = body_positions(scene.model, qpos, scene.base)
    ends = np.flatnonzero(recording.terminated | recording.truncated) + 1
    parts = [part for part in np.split(positions, ends) if len(part)]
    targets = np.concatenate([follow(part, recording.control_dt) for part in parts])
    # a steady height keeps the horizon still while the robot bounces
    targets[:, 2] += (np.median(positions[:, 2]) - targets[:, 2]) * 0.8
    targets += scene.middle * [1.0, 1.0, 0.8]
    return targets


def _raycast_frames(scene: Scene, camera: Camera, jobs: list[tuple[Array, Array]], threads: int) -> Iterator[Array]:
    """Yield the pictures of (qpos, eye) jobs, a few frames ahead on every core; the casters run
    outside the GIL.
    """
    from .raycast import Raycaster

    workers = threads or len(os.sched_getaffinity(0))
    own = local()

    def draw(job: tuple[Array, Array]) -> Array:
        if not hasattr(own, "caster"):
            own.caster = Raycaster(scene, camera)
        picture: Array = own.caster.frame(*job)
        return picture

    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Array]] = deque()
        for job in jobs:
            waiting.append(pool.submit(draw, job))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
