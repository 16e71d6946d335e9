"""Running means and standard deviations for `normalise`: of earlier steps, in double, in a fixed order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CHUNK = 64
"""Rows that are summed together before they join the running moments, whatever the number of threads."""


class Moments:
    """Count, mean and sum of squared deviations of K values, `[3, K]` float64: `array` is all there is to save.

    Call `update` after a step that trains; without a call the statistics stay as they are (evaluation, planning, logs).
    """

    def __init__(self, params: Sequence[tuple[int, int]]) -> None:
        self.array = np.zeros((3, len(params)), np.float64)
        self._params = list(params)

    def update(self, values: NDArray[np.float32], params: NDArray[np.float32]) -> None:
        """Take in values `[N, K]` of one step (the group `statistics`) and write means and deviations into `params`.

        Numbers that are not finite are left out.
        """
        for start in range(0, len(values), CHUNK):
            self._merge(values[start : start + CHUNK].astype(np.float64))
        self.write(params)

    def write(self, params: NDArray[np.float32]) -> None:
        """Write means and standard deviations into a parameter buffer; 0 and 1 before the first value."""
        count, mean, squares = self.array
        std = np.sqrt(np.divide(squares, count, out=np.ones_like(squares), where=count > 1))
        for k, (mean_index, std_index) in enumerate(self._params):
            params[mean_index], params[std_index] = mean[k], std[k]

    def _merge(self, rows: NDArray[np.float64]) -> None:
        """Chan's formula for the moments of two sets together."""
        fine = np.isfinite(rows)
        n = fine.sum(axis=0)
        used = n > 0
        share = np.where(used, n, 1)
        mean = np.where(fine, rows, 0.0).sum(axis=0) / share
        squares = np.where(fine, (rows - mean) ** 2, 0.0).sum(axis=0)
        count, old, old_squares = self.array
        total = count + n
        delta = np.where(used, mean - old, 0.0)
        safe = np.where(total > 0, total, 1)
        self.array[:] = total, old + delta * n / safe, old_squares + squares + delta**2 * count * n / safe
