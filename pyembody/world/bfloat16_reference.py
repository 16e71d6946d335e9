"""The twin of bfloat16: numbers of eight bits of precision, kept in wider ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
LEAST = np.float32(2.0**-126)
"""The least normal number; what is smaller becomes 0, as processors with bfloat16 units have it."""


def rounded(x: Array) -> NDArray[np.float32]:
    """Return float32 numbers rounded to the nearest bfloat16, halves to even; a NaN stays one."""
    whole = np.ascontiguousarray(x, np.float32)
    words: NDArray[np.uint64] = whole.view(np.uint32).astype(np.uint64)
    nearest = ((words + 0x7FFF + (words >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    normal = np.where(np.abs(whole) < LEAST, np.copysign(np.float32(0.0), whole), nearest)
    result: NDArray[np.float32] = np.where(np.isnan(whole), whole, normal)
    return result
