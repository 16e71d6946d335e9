"""A rerun viewer that shows a motion while it happens."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..spec.extra import need
from .rerun_log import body_path, entity_name, log_shapes

if TYPE_CHECKING:
    import mujoco

Array = npt.NDArray[Any]


class LiveView:
    """Sends poses and numbers to a rerun stream as they come; the same shapes and names as `write_rrd`."""

    def __init__(self, model: mujoco.MjModel, stream: Any) -> None:
        """`stream` is a `rerun.RecordingStream` that is connected to a viewer or saves to a file."""
        import mujoco

        self._rr, self._stream = need("rerun", "a live view"), stream
        self._model, self._data = model, mujoco.MjData(model)
        log_shapes(stream, model)

    @staticmethod
    def spawn(model: mujoco.MjModel) -> LiveView:
        """Return a view in a viewer of its own. Raises ValueError without a display, ImportError without rerun."""
        rr = need("rerun", "a live view")
        if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise ValueError("live: expected a display for the rerun viewer, found none; a recording needs none")
        stream = rr.RecordingStream("pyembody")
        stream.spawn()
        return LiveView(model, stream)

    def show(self, time_s: float, qpos: Array, numbers: Mapping[str, float]) -> None:
        """Show the positions `[nq]` and the numbers, by path, of a moment."""
        import mujoco

        rr, stream, data = self._rr, self._stream, self._data
        data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, data)
        stream.set_time("time", duration=time_s)
        for body in range(1, self._model.nbody):
            quat = np.roll(data.xquat[body], -1)  # rerun's quaternions are x, y, z, w
            stream.log(body_path(self._model, body), rr.Transform3D(translation=data.xpos[body], quaternion=quat))
        for name, value in numbers.items():
            stream.log(entity_name(name), rr.Scalars(value))
