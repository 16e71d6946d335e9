"""Pushes: sudden changes of the base's horizontal velocity."""

from __future__ import annotations

import numpy as np
from mujoco.batch import Batch

from ..spec.task import Push
from .commands import Rows
from .model import BuiltModel


class Pushes:
    """Changes the base velocity of each environment by up to `velocity` m/s at random times."""

    def __init__(self, spec: Push, n: int, dt: float) -> None:
        self.spec, self.dt = spec, dt
        self.timer = np.zeros(n, np.int32)

    def reset(self, rng: np.random.Generator, rows: Rows) -> None:
        """Draw the time of the next push of `rows`."""
        first, last = (round(s / self.dt) for s in self.spec.interval_s)
        self.timer[rows] = rng.integers(first, last + 1, len(rows))

    def step(self, rng: np.random.Generator, batch: Batch, built: BuiltModel) -> None:
        """Push the rows whose time has come."""
        self.timer -= 1
        rows = np.flatnonzero(self.timer <= 0)
        if len(rows):
            columns = np.arange(built.base_dof, built.base_dof + 2)
            change = rng.uniform(-self.spec.velocity, self.spec.velocity, (len(rows), 2))
            batch.bind("qvel")[np.ix_(rows, columns)] += change
            self.reset(rng, rows)
