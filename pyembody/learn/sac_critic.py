"""The trained critics of soft actor-critic as a function of NumPy arrays, for pictures and recordings."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pyembody import _core
from pyembody.spec import SpecError

from .core_engine import as_array, describe
from .networks import GroupedMLP
from .normaliser import critic_normalisers
from .sac_losses import least
from .sac_networks import flatten

Array = npt.NDArray[Any]


class SacCritic:
    """Values of canonical critic observations and of actions in (-1, 1)."""

    memory: None = None

    def __init__(self, arrays: dict[str, Array], activation: str, clip: float, place: str) -> None:
        """`arrays` are those of model.safetensors. Raises SpecError naming `place` if some are missing."""
        try:
            self._network = _network(arrays, activation)
            self._groups = len(arrays["critic.weights.0"])
            self._normaliser, self._scale = critic_normalisers(arrays, clip)
        except KeyError as error:
            raise SpecError(f"{place}: expected an array {error}, found none") from None

    def __call__(self, rows: Array, actions: Array) -> Array:
        """Return values `[N, C]` float32 of canonical critic observations `[N, Oc]` and actions `[N, A]`, float32."""
        seen = torch.from_numpy(np.ascontiguousarray(rows, np.float32))
        inputs = torch.cat([self._normaliser(seen, out=torch.empty_like(seen)), torch.from_numpy(actions)], 1)
        outputs = torch.empty(len(inputs), self._groups)
        self._network.forward(as_array(inputs), as_array(outputs))
        values: Array = self._scale.denormalise(least(outputs.t())).numpy()
        return values


def _network(arrays: dict[str, Array], activation: str) -> _core.Mlp:
    """The critics' stack in the core. Raises KeyError naming an array that is missing."""
    weights = [arrays["critic.weights.0"]]
    while f"critic.weights.{len(weights)}" in arrays:
        weights.append(arrays[f"critic.weights.{len(weights)}"])
    sizes = [weights[0].shape[1], *(w.shape[2] for w in weights)]
    norm = "critic.gains.0" in arrays
    network = GroupedMLP(len(weights[0]), sizes, activation, 1.0, torch.Generator(), norm)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(torch.from_numpy(arrays[f"critic.{name}"].copy()))
        flat, _, _ = flatten(network, 0)
    frozen = _core.Mlp(describe(network), flat.numel())
    frozen.load(as_array(flat))
    return frozen
