"""Random numbers by counter, in NumPy: the definition of those in the core."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MEMBER, STATE, ACTION, CHOICE = range(4)
"""What numbers are for: the third word of a counter."""
ROUNDS = 10
MULTIPLIERS = np.array([0xD2511F53, 0xCD9E8D57], np.uint64)
WEYL = np.array([0x9E3779B9, 0xBB67AE85], np.uint64)
LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def philox(counters: NDArray[Any], seed: int) -> NDArray[np.uint32]:
    """Return four words `[..., 4]` for counters `[..., 4]`, by Philox 4x32-10.

    Paper: Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (2011).
    """
    c = [np.asarray(counters)[..., i].astype(np.uint64) & LOW for i in range(4)]
    key = np.array([seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF], np.uint64)
    for _ in range(ROUNDS):
        first, second = MULTIPLIERS[0] * c[0], MULTIPLIERS[1] * c[2]
        c = [second >> HALF ^ c[1] ^ key[0], second & LOW, first >> HALF ^ c[3] ^ key[1], first & LOW]
        key = (key + WEYL) & LOW
    return np.stack(c, -1).astype(np.uint32)


def uniforms(words: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Return numbers between 0 and 1, neither included, of 23 bits each."""
    numbers: NDArray[np.float64] = (words >> 9).astype(np.float64) * 2.0**-23 + 2.0**-24
    return numbers


def counters(ids: NDArray[np.uint32], step: int, stream: int, draws: int) -> NDArray[np.uint32]:
    """Return the counters `[N, draws, 4]` of rows: id, step, stream, number of the draw."""
    out = np.zeros((len(ids), draws, 4), np.uint32)
    out[..., 0], out[..., 1], out[..., 2], out[..., 3] = ids[:, None], step, stream, np.arange(draws)
    return out


def normals(ids: NDArray[np.uint32], step: int, stream: int, columns: int, seed: int) -> NDArray[np.float64]:
    """Return standard normal numbers `[N, columns]`: a draw gives four, two pairs by Box and Muller's transform."""
    u = uniforms(philox(counters(ids, step, stream, -(-columns // 4)), seed))
    radius, turn = np.sqrt(-2.0 * np.log(u[..., 0::2])), 2.0 * np.pi * (u[..., 1::2] - 0.5)
    pairs = np.stack([radius * np.cos(turn), radius * np.sin(turn)], -1)
    numbers: NDArray[np.float64] = pairs.reshape(len(ids), -1)[:, :columns]
    return numbers


def choices(ids: NDArray[np.uint32], step: int, stream: int, count: int, seed: int) -> NDArray[np.int64]:
    """Return a number from 0 to count - 1 for each row `[N]`."""
    words = philox(counters(ids, step, stream, 1), seed)[:, 0, 0].astype(np.int64)
    return words * count >> 32
