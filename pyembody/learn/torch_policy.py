"""A trained policy as a torch module, to be trained further, exported or looked into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

Array: TypeAlias = npt.NDArray[Any]
Mirror: TypeAlias = tuple[Array, Array]

ACTIVATIONS: dict[str, type[nn.Module]] = {"elu": nn.ELU, "relu": nn.ReLU, "tanh": nn.Tanh, "silu": nn.SiLU}


class TorchPolicy(nn.Module):
    """Actions `[N, A]` of observations `[N, O]`, as `Policy` gives them; `network` holds the layers as `nn.Linear`.

    `mean` and `inverse_std` `[O]` normalise observations, which are then clipped to +-`clip`. A squashed policy's first
    A outputs are means, which tanh and `scale` bring to actions. `mirror` has index and sign of observations and of
    actions: rows whose component `clock` is negative are mirrored, and so are their actions.
    """

    mean: Tensor
    inverse_std: Tensor
    scale: Tensor

    def __init__(
        self,
        layers: Sequence[tuple[Array, Array]],
        activation: str,
        normaliser: tuple[Array, Array, float],
        scale: Array | None,
        mirror: tuple[Mirror, Mirror, int] | None,
    ) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for weight, bias in layers:
            linear = nn.Linear(*weight.shape)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(np.array(weight.T)))
                linear.bias.copy_(torch.from_numpy(np.array(bias)))
            parts += [linear, ACTIVATIONS[activation]()]
        self.network = nn.Sequential(*parts[:-1])
        mean, inverse_std, self.clip = normaliser
        self.register_buffer("mean", torch.from_numpy(np.array(mean)))
        self.register_buffer("inverse_std", torch.from_numpy(np.array(inverse_std)))
        self.squashed = scale is not None
        self.register_buffer("scale", torch.from_numpy(np.array(1.0 if scale is None else scale, np.float32)))
        self.clock = -1
        if mirror is not None:
            (obs_index, obs_sign), (action_index, action_sign), self.clock = mirror
            self.register_buffer("observation_map", _signed_map(obs_index, obs_sign))
            self.register_buffer("action_map", _signed_map(action_index, action_sign))

    def forward(self, observations: Tensor) -> Tensor:
        """Return actions `[N, A]` for observations `[N, O]` float32."""
        mirrored = observations[:, self.clock, None] < 0 if self.clock >= 0 else None
        if mirrored is not None:
            observations = torch.where(mirrored, observations @ self.get_buffer("observation_map"), observations)
        outputs = self.network(((observations - self.mean) * self.inverse_std).clamp(-self.clip, self.clip))
        actions: Tensor = torch.tanh(outputs.chunk(2, -1)[0]) * self.scale if self.squashed else outputs
        return actions if mirrored is None else torch.where(mirrored, actions @ self.get_buffer("action_map"), actions)


def _signed_map(index: Array, sign: Array) -> Tensor:
    """The matrix by which rows are multiplied to become row[index] * sign."""
    matrix = np.zeros((len(index), len(index)), np.float32)
    matrix[index, np.arange(len(index))] = sign
    return torch.from_numpy(matrix)
