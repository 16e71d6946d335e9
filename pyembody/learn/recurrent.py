"""A gated recurrent unit for each network of a group. Paper: Cho et al., Learning phrase representations (2014)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class GroupedGRU(nn.Module):
    """`groups` equal units of `width` run as one batched product; parameters have a leading axis `[G]`.

    Columns of the products are the reset gate, the update gate and the candidate, in torch's order and with its
    formulas.
    """

    def __init__(self, groups: int, inputs: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.width = width
        bound = 1.0 / math.sqrt(width)

        def drawn(rows: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(groups, rows, 3 * width).uniform_(-bound, bound, generator=generator))

        self.input_weights, self.hidden_weights = drawn(inputs), drawn(width)
        self.input_biases, self.hidden_biases = (nn.Parameter(torch.zeros(groups, 1, 3 * width)) for _ in range(2))

    def forward(self, rows: Tensor, state: Tensor, starts: Tensor) -> Tensor:
        """Return the states `[T, G, B, H]` after each of the rows `[T, B, F]`.

        `state [G, B, H]` is the one before the first row; where `starts [T, B]` bool, it is zero before that row.
        """
        steps, batch, features = rows.shape
        groups = state.shape[0]
        flat = rows.reshape(1, steps * batch, features).expand(groups, -1, -1)
        inputs = torch.baddbmm(self.input_biases, flat, self.input_weights).view(groups, steps, batch, 3 * self.width)
        keep = (~starts).to(rows.dtype).unsqueeze(-1)
        states = []
        for t in range(steps):
            state = self.cell(inputs[:, t], state * keep[t])
            states.append(state)
        return torch.stack(states)

    def cell(self, inputs: Tensor, state: Tensor) -> Tensor:
        """Return the next state `[G, B, H]` for products of the inputs `[G, B, 3 H]`."""
        hidden = torch.baddbmm(self.hidden_biases, state, self.hidden_weights)
        gates = torch.sigmoid(inputs[..., : 2 * self.width] + hidden[..., : 2 * self.width])
        reset, update = gates[..., : self.width], gates[..., self.width :]
        candidate = torch.tanh(torch.addcmul(inputs[..., 2 * self.width :], reset, hidden[..., 2 * self.width :]))
        return torch.lerp(candidate, state, update)
