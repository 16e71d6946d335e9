"""The hand-fused C++ loop of the core, with its arrays."""

from __future__ import annotations

import numpy as np

from ... import _core
from . import DEFAULT, DT, LOWER, UPPER, Floats


class HandFused:
    """The limit: what a loop written for this one reward does, compiled with fast-math."""

    def __init__(self, rows: Floats, weights: Floats, threads: int) -> None:
        n = len(rows)
        self.raw, self.weighted = np.zeros((n, 12), np.float32), np.zeros((n, 12), np.float32)
        self.total = np.zeros(n, np.float32)
        joints = np.array([LOWER, UPPER, DEFAULT], np.float32)
        self.step = _core.LeggedTerms(
            rows, joints, weights, DT, self.raw, self.weighted, self.total, threads
        ).step
