"""Learned signals: numbers that training writes now and then, with their age."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..spec.errors import unknown
from ..spec.tables import Learned as LearnedSpec


class Learned:
    """Arrays `learned.NAME` [N, 2] float32: the value and its age in seconds, infinite before the first write."""

    def __init__(self, specs: Mapping[str, LearnedSpec], n: int, dt: float) -> None:
        self.arrays: dict[str, NDArray[np.float32]] = {
            f"learned.{name}": np.tile(np.array([0, np.inf], np.float32), (n, 1)) for name in specs
        }
        self._names, self._dt = tuple(specs), np.float32(dt)

    def write(self, name: str, values: ArrayLike) -> None:
        """Write values [N] of age 0. Raises SpecError for an unknown name, ValueError for another shape."""
        if name not in self._names:
            raise unknown("learned", "signal", name, self._names)
        array, given = self.arrays[f"learned.{name}"], np.asarray(values, np.float32)
        if given.shape != array.shape[:1]:
            raise ValueError(f"learned.{name}: expected {array.shape[:1]}, got {given.shape}")
        array[:, 0], array[:, 1] = given, 0

    def advance(self) -> None:
        """Everything is a control step older."""
        for array in self.arrays.values():
            array[:, 1] += self._dt
