"""The limit: MuJoCo's own `mj_step` in a bare compiled loop, one MjData a thread, nothing computed
beside it.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mujoco
import numba
import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
STATE = int(mujoco.mjtState.mjSTATE_INTEGRATION.value)


class BareLoop:
    """A loop of `mj_setState` and `mj_step` over recorded rows, compiled, without Python in it and
    without the GIL.

    Args:
        model: the model that the rows belong to.
        rows: states `[T, N, S]` of `mjSTATE_INTEGRATION`, controls included: the rows that an
            environment stepped.
        substeps: calls of `mj_step` per row.
        threads: each has its own MjData and an equal share of the N environments; they meet only
            at the end.
    """

    def __init__(self, model: mujoco.MjModel, rows: Doubles, substeps: int, threads: int) -> None:
        expected = mujoco.mj_stateSize(model, STATE)
        if rows.ndim != 3 or rows.shape[2] != expected or rows.dtype != np.float64:
            raise ValueError(f"rows: expected float64 [T, N, {expected}], got {rows.dtype} {rows.shape}")
        self._model, self._substeps = model, substeps
        self.data = [mujoco.MjData(model) for _ in range(threads)]
        self._shares = [np.ascontiguousarray(part) for part in np.array_split(rows, threads, axis=1)]
        self._count = rows.shape[0] * rows.shape[1]
        self._loop = _compile()

    def run(self) -> int:
        """Step every row once and return how many environment steps that were."""
        jobs = [
            threading.Thread(target=self._loop, args=(self._model._address, data._address, share, self._substeps))
            for data, share in zip(self.data, self._shares, strict=True)
        ]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
        return int(self._count)


def _compile() -> Callable[..., None]:
    """The loop as machine code that calls the C functions of the MuJoCo library that Python has
    loaded.
    """
    folder = Path(mujoco.__file__).parent
    library = ctypes.CDLL(str(next(p for p in sorted(folder.glob("*mujoco*")) if _is_library(p))))
    step: Any = library.mj_step
    step.argtypes, step.restype = [ctypes.c_void_p, ctypes.c_void_p], None
    set_state: Any = library.mj_setState
    set_state.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
    set_state.restype = None
    signature = STATE

    def loop(model: int, data: int, rows: Doubles, substeps: int) -> None:
        for t in range(rows.shape[0]):
            for i in range(rows.shape[1]):
                set_state(model, data, rows[t, i].ctypes.data, signature)
                for _ in range(substeps):
                    step(model, data)

    compiled: Callable[..., None] = numba.njit("void(uintp, uintp, float64[:, :, ::1], int64)", nogil=True)(loop)
    return compiled


def _is_library(path: Path) -> bool:
    return path.is_file() and (".so" in path.suffixes or path.suffix in (".dylib", ".dll"))
