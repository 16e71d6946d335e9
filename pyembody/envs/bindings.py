"""Which array each signal of a program is read from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from ..spec.errors import unknown
from ..spec.signal import Signal
from .model import BuiltModel


class Bindings:
    """Arrays [N, lanes] of signals: views of the simulator's rows, the environment's own arrays, and copies.

    A view is bound once and read in place. A signal whose columns are not adjacent, and the height of rough ground,
    are copied by `refresh` after each step. `constants` are signals that never change.
    """

    def __init__(self, built: BuiltModel, batch: Batch, own: dict[str, NDArray[Any]]) -> None:
        self.built, self.batch = built, batch
        self.constants = {k: s.values for k, s in built.sources.items() if s.values}
        self.arrays: dict[str, NDArray[Any]] = dict(own)
        self._copies: list[tuple[NDArray[Any], NDArray[np.int64], NDArray[Any]]] = []
        self._off = np.zeros(batch.nsim, np.bool_)
        if built.terrain is not None:
            self._bind_ground()

    def inputs(self, signals: Sequence[Signal]) -> list[NDArray[Any]]:
        """Return the array of each signal, in order. Raises SpecError for a signal that nothing provides."""
        arrays = [self.array(s.name) for s in signals]
        self.refresh()
        return arrays

    def array(self, name: str) -> NDArray[Any]:
        """Return the array [N, lanes] of a signal, binding it on first use."""
        if name not in self.arrays:
            source = self.built.sources.get(name)
            if source is None or source.values:
                raise unknown("environment", "signal", name, [*self.arrays, *self.built.sources])
            self.arrays[name] = self._view(source.field, np.asarray(source.columns, np.int64))
        return self.arrays[name]

    def refresh(self) -> None:
        """Copy what cannot be read in place."""
        for rows, columns, copy in self._copies:
            np.take(rows, columns, axis=1, out=copy)
        if self.built.terrain is not None:
            self._refresh_ground()

    def off_ground(self) -> NDArray[np.bool_]:
        """Return which rows [N] have left the terrain."""
        return self._off

    def _view(self, field: str, columns: NDArray[np.int64]) -> NDArray[Any]:
        bound = self.batch.bind(field)
        rows = bound.reshape(bound.shape[0], -1)
        if (np.diff(columns) == 1).all():
            view: NDArray[Any] = rows[:, columns[0] : columns[-1] + 1]
            return view
        copy = np.zeros((len(rows), len(columns)), rows.dtype)
        self._copies.append((rows, columns, copy))
        return copy

    def _bind_ground(self) -> None:
        n = self.batch.nsim
        self._base = self.array("base_pos")
        self._feet = self.array("foot_pos") if "foot_pos" in self.built.sources else np.zeros((n, 0))
        self.arrays["ground_height"] = np.zeros((n, 1), np.float32)
        self.arrays["foot_ground"] = np.zeros((n, self._feet.shape[1] // 3), np.float32)

    def _refresh_ground(self) -> None:
        terrain = self.built.terrain
        assert terrain is not None
        feet = self._feet.reshape(len(self._feet), -1, 3)
        self.arrays["ground_height"][:, 0] = terrain.height_at(self._base[:, 0], self._base[:, 1])
        self.arrays["foot_ground"][:] = terrain.height_at(feet[..., 0], feet[..., 1])
        self._off[:] = terrain.left(self._base[:, 0], self._base[:, 1])
