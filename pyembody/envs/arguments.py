"""Arguments of `VectorEnv` that a caller may get wrong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .commands import Rows


def take_actions(actions: ArrayLike, limit: float, out: NDArray[np.float32]) -> None:
    """Write actions [N, A], clipped to ±limit, into `out`. Raises ValueError for shapes, kinds and bad numbers."""
    given = np.asarray(actions)
    if given.shape != out.shape:
        raise ValueError(f"actions: expected {out.shape}, got {given.shape}")
    if given.dtype.kind not in "fiu":
        raise ValueError(f"actions: expected numbers, got dtype {given.dtype}")
    if not np.isfinite(given.sum(dtype=np.float64)):
        row, column = np.argwhere(~np.isfinite(given))[0]
        place = f"row {row}, column {column}"
        raise ValueError(f"actions: expected finite numbers, got {given[row, column]} at {place}")
    most = np.float32(limit)
    np.clip(given, -most, most, out=out, casting="same_kind" if given.dtype.kind == "f" else "unsafe")


def command_target(command: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """Return a command as float32, `[3]` or of `shape` [N, 3]; None for None. Raises ValueError."""
    if command is None:
        return None
    target = np.asarray(command, np.float32)
    if target.shape not in ((3,), shape):
        raise ValueError(f"command: expected (3,) or {shape}, got {target.shape}")
    if not np.isfinite(target).all():
        raise ValueError("command: expected finite numbers")
    return target


def reset_mask(mask: object, n: int) -> NDArray[np.bool_]:
    """Return which rows [N] to reset: all of them for None. Raises ValueError for anything but a mask of some."""
    if mask is None:
        return np.ones(n, np.bool_)
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (n,):
        raise ValueError(f"reset_mask: expected a bool array of shape ({n},), got {mask!r:.80}")
    if not mask.any():
        raise ValueError("reset_mask: expected at least one True")
    return mask


def parts_alike(rng: np.random.Generator, group: object, rows: Rows) -> Iterator[Rows]:
    """Yield the first, second, ... members of all groups of neighbouring rows; each part draws the same numbers.

    All rows at once for None. Raises ValueError unless `group` divides the rows.
    """
    size = 1 if group is None else group
    if not isinstance(size, int) or size < 1 or len(rows) % size:
        raise ValueError(f"group: expected a divisor of the {len(rows)} rows that are reset, got {group!r:.80}")
    before = rng.bit_generator.state
    for member in range(size):
        rng.bit_generator.state = before
        yield rows[member::size]
