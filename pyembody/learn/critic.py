"""The trained critics of a checkpoint as a function of NumPy arrays, for pictures and recordings."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pyembody.spec import SpecError

from .gru import read_memory
from .networks import activate
from .normaliser import ObservationNormaliser, ValueNormaliser

Array = npt.NDArray[Any]


class Critic:
    """Values of critic observations that are already canonical (mirrored where the policy's are)."""

    def __init__(self, arrays: dict[str, Array], activation: str, clip: float, place: str) -> None:
        """`arrays` are those of model.safetensors. Raises SpecError naming `place` if some are missing."""
        self._activation = activation
        layers = sum(name.startswith("critic.weights.") for name in arrays)
        try:
            self._layers = [
                tuple(torch.from_numpy(arrays[f"critic.{kind}.{i}"].copy()) for kind in ("weights", "biases"))
                for i in range(layers)
            ]
            own = "critic_observations" if "critic_observations.mean" in arrays else "observations"
            moments = {k: torch.from_numpy(arrays[f"{own}.{k}"].copy()) for k in ("count", "mean", "var")}
            scale = {k: torch.from_numpy(arrays[f"values.{k}"].copy()) for k in ("count", "mean", "square")}
        except KeyError as error:
            raise SpecError(f"{place}: expected an array {error}, found none") from None
        if layers == 0:
            raise SpecError(f"{place}: expected arrays 'critic.weights.*', found none")
        self.observation_size = len(moments["mean"])
        self._normaliser = ObservationNormaliser(self.observation_size, clip)
        self._normaliser.load(moments)
        self.memory = read_memory(arrays, "critic_memory", place)
        self._scale = ValueNormaliser(len(scale["mean"]))
        self._scale.load(scale)

    def __call__(self, rows: Array) -> Array:
        """Return values `[N, C]` float32 of canonical critic observations `[N, Oc]` float32."""
        with torch.inference_mode():
            hidden = torch.from_numpy(np.ascontiguousarray(rows, np.float32))
            hidden = self._normaliser(hidden, out=torch.empty_like(hidden))
            if self.memory is not None:
                hidden = torch.from_numpy(self.memory(hidden.numpy()))
            hidden = hidden.expand(self._layers[0][0].shape[0], *hidden.shape[-2:])
            for i, (weight, bias) in enumerate(self._layers):
                hidden = torch.baddbmm(bias, hidden, weight)
                if i < len(self._layers) - 1:
                    hidden = activate(hidden, self._activation)
            outputs = hidden[:, :, 0].t() if hidden.shape[2] == 1 else hidden[0]
            values: Array = self._scale.denormalise(outputs).numpy()
        return values
