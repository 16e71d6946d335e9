"""Learned signals: numbers that training writes now and then, with their age."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..spec.errors import SpecError, unknown
from ..spec.tables import Learned as LearnedSpec


class Learned:
    """Arrays `learned.NAME` [N, 2] float32: the value and its age in seconds, infinite before the first write."""

    def __init__(self, specs: Mapping[str, LearnedSpec], n: int, dt: float) -> None:
        self.arrays: dict[str, NDArray[np.float32]] = {
            f"learned.{name}": np.tile(np.array([0, np.inf], np.float32), (n, 1)) for name in specs
        }
        self._versions, self._dt = {name: spec.version for name, spec in specs.items()}, np.float32(dt)

    def write(self, name: str, values: ArrayLike, version: str) -> None:
        """Write values [N] of age 0.

        Raises SpecError for an unknown name or another version than the task's, ValueError for another shape.
        """
        if name not in self._versions:
            raise unknown("learned", "signal", name, self._versions)
        self._check(name, version)
        array, given = self.arrays[f"learned.{name}"], np.asarray(values, np.float32)
        if given.shape != array.shape[:1]:
            raise ValueError(f"learned.{name}: expected {array.shape[:1]}, got {given.shape}")
        array[:, 0], array[:, 1] = given, 0

    def saved_versions(self) -> dict[str, NDArray[np.uint8]]:
        """Return the versions that the task names, as bytes of text by name."""
        versions = {f"learned.{name}.version": v.encode() for name, v in self._versions.items()}
        return {name: np.frombuffer(v, np.uint8).copy() for name, v in versions.items() if v}

    def check_versions(self, saved: Mapping[str, NDArray[Any]]) -> None:
        """Raise SpecError unless what was saved is of the versions that the task names."""
        for name in self._versions:
            self._check(name, bytes(saved.get(f"learned.{name}.version", np.zeros(0, np.uint8))).decode())

    def _check(self, name: str, version: str) -> None:
        if version != self._versions[name]:
            raise SpecError(f"learned.{name}: version: expected '{self._versions[name]}', got '{version}'")

    def advance(self) -> None:
        """Everything is a control step older."""
        for array in self.arrays.values():
            array[:, 1] += self._dt
