"""The trained critics of a checkpoint as a function of NumPy arrays, for pictures and recordings."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pyembody.spec import SpecError

from .frozen import freeze
from .gru import read_memory
from .normaliser import critic_normalisers

Array = npt.NDArray[Any]


class Critic:
    """Values of critic observations that are already canonical (mirrored where the policy's are)."""

    def __init__(self, arrays: dict[str, Array], activation: str, clip: float, place: str) -> None:
        """`arrays` are those of model.safetensors. Raises SpecError naming `place` if some are missing."""
        layers = sum(name.startswith("critic.weights.") for name in arrays)
        try:
            stacks = [(arrays[f"critic.weights.{i}"], arrays[f"critic.biases.{i}"]) for i in range(layers)]
            normaliser, self._scale = critic_normalisers(arrays, clip)
        except KeyError as error:
            raise SpecError(f"{place}: expected an array {error}, found none") from None
        if layers == 0:
            raise SpecError(f"{place}: expected arrays 'critic.weights.*', found none")
        self.observation_size = len(normaliser.mean)
        self.memory = read_memory(arrays, "critic_memory", place)
        self._networks = [freeze([(w[g], b[g, 0]) for w, b in stacks], activation) for g in range(len(stacks[0][0]))]
        for seeing in self._networks if self.memory is None else [self.memory]:
            seeing.normalise(*normaliser.folded(), normaliser.clip)
        self._width = stacks[-1][0].shape[2]

    def __call__(self, rows: Array) -> Array:
        """Return values `[N, C]` float32 of canonical critic observations `[N, Oc]` float32."""
        rows = np.ascontiguousarray(rows, np.float32)
        outputs = np.empty((len(self._networks), len(rows), self._width), np.float32)
        seen = [rows] * len(outputs) if self.memory is None else self.memory(rows)
        for network, inputs, out in zip(self._networks, seen, outputs, strict=True):
            network.forward(inputs, out)
        # groups of one output each, or one group with an output per channel
        by_channel = torch.from_numpy(outputs).transpose(0, 1).reshape(len(rows), -1)
        values: Array = self._scale.denormalise(by_channel).numpy()
        return values
