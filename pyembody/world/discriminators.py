"""Discriminators and their making: networks in torch, the loss, the history that is kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import softplus

from ..data.dataset import Transitions
from .fit import BLIND, moments
from .reward import DynamicsReward

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Scales:
    """Means and deviations that states, actions and changes are normalised with, and the rows so normalised."""

    state: tuple[Array, Array]
    action: tuple[Array, Array]
    change: tuple[Array, Array]

    @staticmethod
    def of(rows: Transitions, adrift: Array | None = None) -> Scales:
        """Return those of `rows`; lanes `adrift [S]` of states are not seen."""
        scales = Scales(moments(rows.state), moments(rows.action), moments(rows.successor - rows.state))
        if adrift is not None:
            scales.state[0][adrift], scales.state[1][adrift] = 0.0, BLIND
        return scales

    def rows(self, state: Array, action: Array, successor: Array) -> Tensor:
        """Return normalised states, actions and changes side by side `[M, 2 S + A]`."""
        pairs = ((state, self.state), (action, self.action), (successor - state, self.change))
        return torch.from_numpy(np.concatenate([(x - m) / s for x, (m, s) in pairs], axis=1, dtype=np.float32))


class Stack:
    """Layers of `groups` equal networks: weights `[G, in, out]`, biases `[G, 1, out]`, relu between."""

    def __init__(self, groups: int, sizes: Sequence[int], generator: torch.Generator) -> None:
        self.weights, self.biases = [], []
        for inputs, outputs in pairwise(sizes):
            scale = math.sqrt(2.0 / inputs) if outputs != sizes[-1] else 1 / math.sqrt(inputs)
            weight = scale * torch.randn(groups, inputs, outputs, generator=generator)
            self.weights.append(weight.requires_grad_())
            self.biases.append(torch.zeros(groups, 1, outputs, requires_grad=True))

    def parameters(self) -> list[Tensor]:
        """Return all weights and biases."""
        return [*self.weights, *self.biases]

    def __call__(self, rows: Tensor) -> Tensor:
        """Return outputs `[G, M, out]` of rows `[M, in]` or `[G, M, in]`."""
        x = rows if rows.dim() == 3 else rows.expand(self.weights[0].shape[0], *rows.shape)
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x, weight)
            if k < len(self.weights) - 1:
                x = torch.relu(x)
        return x


def penalised(stack: Stack, data: Tensor, made: Tensor, penalty: float, generator: torch.Generator) -> Tensor:
    """Return the discriminators' loss: cross entropy of data and made-up rows, and a gradient penalty between them.

    Rows `[M, in]` or `[G, M, in]`.

    Paper of the penalty: Gulrajani et al., Improved training of Wasserstein GANs (2017).
    """
    loss = softplus(-stack(data)).mean() + softplus(stack(made)).mean()
    if penalty > 0:
        share = torch.rand(*made.shape[:-1], 1, generator=generator)
        between = (share * data + (1 - share) * made).requires_grad_()
        (slope,) = torch.autograd.grad(stack(between).sum(), between, create_graph=True)
        loss = loss + penalty * (slope.norm(dim=-1) - 1).clamp_min(0).square().mean()
    return loss * stack.weights[0].shape[0]


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread: products as small as these only wait for each other on more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass
class History:
    """Snapshots of discriminators, with their mean logits of data and of what was made up at their time."""

    weights: list[list[Array]] = field(default_factory=list)
    biases: list[list[Array]] = field(default_factory=list)
    logits: list[tuple[float, float]] = field(default_factory=list)

    def keep(self, stack: Stack, data: Tensor, made: Tensor) -> None:
        """Take the present weights of every network of `stack`."""
        with torch.no_grad():
            pairs = zip(stack(data).mean((1, 2)).tolist(), stack(made).mean((1, 2)).tolist(), strict=True)
        for g, pair in enumerate(pairs):
            self.weights.append([w[g].detach().numpy().copy() for w in stack.weights])
            self.biases.append([b[g].detach().numpy().copy() for b in stack.biases])
            self.logits.append(pair)

    def reward(self, scales: Scales, most: int) -> DynamicsReward:
        """Return the reward of at most `most` snapshots, spread evenly from the first that knows data to the last.

        Raises ValueError where no snapshot told data from what was made up.
        """
        sound = [k for k, (data, made) in enumerate(self.logits) if data > made]
        if not sound:
            raise ValueError("history: expected a discriminator that tells data from what is made up, got none")
        kept = [sound[round(i)] for i in np.linspace(0, len(sound) - 1, min(most, len(sound)))]
        layers = range(len(self.weights[0]))
        data, made = (np.array([self.logits[k][i] for k in kept], np.float32) for i in (0, 1))
        return DynamicsReward(
            [np.stack([self.weights[k][i] for k in kept]) for i in layers],
            [np.stack([self.biases[k][i] for k in kept]) for i in layers],
            data, made, *scales.state, *scales.action, *scales.change,
        )
