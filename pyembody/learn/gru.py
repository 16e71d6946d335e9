"""The memory of a trained policy in plain NumPy; `recurrent.py` is what was trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pyembody.spec import SpecError

Array = npt.NDArray[Any]
PARTS = ("input_weights", "input_biases", "hidden_weights", "hidden_biases")


class Gru:
    """States `[G, N, H]` of G units that see the rows of N environments, one a call."""

    def __init__(self, arrays: dict[str, Array], name: str, place: str) -> None:
        """`arrays` has `<name>.input_weights` and so on. Raises SpecError naming `place` if some are missing."""
        try:
            found = [arrays[f"{name}.{part}"] for part in PARTS]
        except KeyError as error:
            raise SpecError(f"{place}: expected an array {error}, found none") from None
        self._input, self._input_bias, self._hidden, self._hidden_bias = found
        self.groups, self.width = self._hidden.shape[:2]
        self._state = np.zeros((self.groups, 0, self.width), np.float32)
        self._scaling: tuple[Array, Array, float] | None = None

    def normalise(self, mean: Array, inverse_std: Array, clip: float) -> None:
        """Have the units see rows as `(row - mean [F]) * inverse_std [F]`, within +-clip."""
        self._scaling = (mean.copy(), inverse_std.copy(), clip)

    def __call__(self, rows: Array) -> Array:
        """Return the new states with the normalised rows behind them, `[G, N, H + F]`, for rows `[N, F]` float32.

        Another N than before starts with no memory.
        """
        if self._state.shape[1] != len(rows):
            self._state = np.zeros((self.groups, len(rows), self.width), np.float32)
        if self._scaling is not None:
            mean, inverse_std, clip = self._scaling
            rows = np.clip((rows - mean) * inverse_std, -clip, clip)
        inputs = rows @ self._input + self._input_bias
        hidden = self._state @ self._hidden + self._hidden_bias
        both, h = inputs + hidden, self.width
        reset, update = _sigmoid(both[..., :h]), _sigmoid(both[..., h : 2 * h])
        candidate = np.tanh(inputs[..., 2 * h :] + reset * hidden[..., 2 * h :])
        self._state = candidate + update * (self._state - candidate)
        return np.concatenate([self._state, np.broadcast_to(rows, (self.groups, *rows.shape))], -1)

    def forget(self, ended: Array | None) -> None:
        """Forget the environments of `ended [N]` bool, all of them for None."""
        if ended is None:
            self._state = self._state[:, :0]
        elif self._state.shape[1]:
            self._state[:, ended] = 0.0


def _sigmoid(x: Array) -> Array:
    out: Array = 0.5 + 0.5 * np.tanh(0.5 * x)
    return out


def read_memory(arrays: dict[str, Array], name: str, place: str) -> Gru | None:
    """Return the memory of that name, None for a network without one. Raises SpecError."""
    return Gru(arrays, name, place) if any(key.startswith(f"{name}.") for key in arrays) else None
