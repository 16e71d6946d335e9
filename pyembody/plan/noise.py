"""Counter-based normal numbers: what a candidate gets depends on its place alone, on no thread or other candidate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ROUNDS = 1 << 16
UNIT = 2.0**-53


def normals(seed: int, plan: int, planning_round: int, shape: tuple[int, int, int]) -> Floats:
    """Return standard normal numbers `[N, K, A]` for a seed, a plan and a round of it.

    Number (candidate, knot, actuator) is drawn with its place as counter (Philox: Salmon et al. 2011; Box and Muller
    1958), so more candidates only append rows.
    """
    philox = np.random.Philox(key=np.array([seed, plan * ROUNDS + planning_round], np.uint64))
    count = int(np.prod(shape))
    raw = (philox.random_raw(2 * count) >> np.uint64(11)).astype(np.float64).reshape(count, 2)
    radius = np.sqrt(-2.0 * np.log((raw[:, 0] + 1.0) * UNIT))
    result: Floats = (radius * np.cos(2.0 * np.pi * UNIT * raw[:, 1])).reshape(shape)
    return result
