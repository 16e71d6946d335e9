"""From the program's observations to what the policy sees: sensor noise and a history of frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .commands import Rows


class Sensing:
    """Adds uniform noise of half-width `noise` [O] to `frame` [N, O] and keeps the last `history` frames.

    `output` is [N, history * O] float32, newest frame first; with history 1 it is `frame` itself. The history goes on
    from that of `before`.
    """

    def __init__(
        self, frame: NDArray[np.float32], noise: NDArray[np.float32], history: int, before: Sensing | None = None
    ) -> None:
        self.frame, self.noise, self.history = frame, noise, history
        n, width = frame.shape
        self.frames = frame[:, None, :] if history == 1 else np.zeros((n, history, width), np.float32)
        self.output = frame if history == 1 else self.frames.reshape(n, history * width)
        self._noisy = np.flatnonzero(noise)
        if before is not None and history > 1:
            self.frames[:] = before.frames

    def step(self, rng: np.random.Generator) -> None:
        """Take in a new frame in every row."""
        self._disturb(rng, slice(None), len(self.frame))
        if self.history > 1:
            self.frames[:, 1:] = self.frames[:, :-1].copy()
            self.frames[:, 0] = self.frame

    def reset(self, rng: np.random.Generator, rows: Rows) -> None:
        """Fill the whole history of `rows` with their first frame."""
        self._disturb(rng, rows, len(rows))
        if self.history > 1:
            self.frames[rows] = self.frame[rows, None]

    def _disturb(self, rng: np.random.Generator, rows: Rows | slice, k: int) -> None:
        if len(self._noisy) == 0:
            return
        draws = rng.random((k, len(self._noisy)), np.float32)
        noise = (2 * draws - 1) * self.noise[self._noisy]
        if isinstance(rows, slice):
            self.frame[:, self._noisy] += noise
        else:
            self.frame[np.ix_(rows, self._noisy)] += noise


class Delay:
    """Lets each environment's action take effect `low`..`high` control steps late, drawn once per episode."""

    def __init__(self, steps: tuple[int, int], n: int, width: int) -> None:
        self.low, self.high = steps
        self.steps = np.zeros(n, np.int64)
        self.past = np.zeros((self.high + 1, n, width), np.float32)
        self._rows = np.arange(n)

    def reset(self, rng: np.random.Generator, rows: Rows) -> None:
        """Draw the delay of new episodes; their past actions are zero."""
        self.steps[rows] = rng.integers(self.low, self.high + 1, len(rows))
        self.past[:, rows] = 0

    def __call__(self, action: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the action [N, A] that takes effect now."""
        if self.high == 0:
            return action
        self.past[1:] = self.past[:-1].copy()
        self.past[0] = action
        delayed: NDArray[np.float32] = self.past[self.steps, self._rows]
        return delayed
