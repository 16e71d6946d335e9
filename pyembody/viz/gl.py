"""Frames from MuJoCo's own OpenGL renderer, for machines that have one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from .camera import FIELD_OF_VIEW, Camera

Array = npt.NDArray[Any]


def gl_frames(model: mujoco.MjModel, camera: Camera, jobs: list[tuple[Array, Array]]) -> Iterator[Array]:
    """Yield the pictures of (qpos, eye) jobs; RuntimeError if no OpenGL context can be made."""
    model.vis.global_.fovy = FIELD_OF_VIEW
    model.vis.global_.offwidth = max(model.vis.global_.offwidth, camera.width)
    model.vis.global_.offheight = max(model.vis.global_.offheight, camera.height)
    try:
        renderer = mujoco.Renderer(model, camera.height, camera.width)
    except Exception as error:  # each GL platform raises its own kind
        raise RuntimeError(f"renderer 'mujoco': no OpenGL here ({error}); choose 'raycast', or set MUJOCO_GL") from None
    data, view = mujoco.MjData(model), _view(camera)
    try:
        for qpos, eye in jobs:
            data.qpos[:] = qpos
            mujoco.mj_forward(model, data)
            view.lookat[:] = eye - camera.offset
            renderer.update_scene(data, view)
            yield np.array(renderer.render())
    finally:
        renderer.close()


def _view(camera: Camera) -> mujoco.MjvCamera:
    ahead = camera.axes[2]
    view = mujoco.MjvCamera()
    view.type = mujoco.mjtCamera.mjCAMERA_FREE
    view.distance = float(np.linalg.norm(camera.offset))
    view.azimuth = float(np.degrees(np.arctan2(ahead[1], ahead[0])))
    view.elevation = float(np.degrees(np.arcsin(ahead[2])))
    return view
