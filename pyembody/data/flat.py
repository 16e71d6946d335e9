"""Where the parameters of grouped networks lie in one flat array, in the core's words."""

from __future__ import annotations

from typing import TypeAlias

Network: TypeAlias = tuple[int, int, str, list[tuple[int, int, int, int, int, int]]]
"""Groups, floats between them, activation, and layers (in, out, and where weights, biases, and a layer norm's gains and
shifts start in group 0; -1 twice for a layer without a norm).
"""
ALIGN = 16
"""Parameters start at multiples of 64 bytes, so that matrix products take the same path in every run."""


def padded(count: int) -> int:
    """Return the floats that `count` parameters take in a flat array."""
    return -(-count // ALIGN) * ALIGN
