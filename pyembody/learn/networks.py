"""Actor and critics: stacks of equal multi-layer perceptrons whose parameters live in one flat tensor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import elu, layer_norm, silu

from pyembody.data.flat import padded
from pyembody.spec import Train

from .recurrent import GroupedGRU


class GroupedMLP(nn.Module):
    """`groups` equal networks evaluated as one batched product; weights `[G, in, out]`, biases `[G, 1, out]`.

    With `layer_norm` a hidden layer's rows have zero mean and unit variance before a gain, a shift and the activation.

    Each group is initialised by itself: orthogonal weights of gain sqrt(2), the last layer of `last_gain`, zero biases.
    """

    def __init__(
        self,
        groups: int,
        sizes: Sequence[int],
        activation: str,
        last_gain: float,
        generator: torch.Generator,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        self.gains, self.shifts = nn.ParameterList(), nn.ParameterList()
        for i, (inputs, outputs) in enumerate(pairwise(sizes)):
            gain = last_gain if i == len(sizes) - 2 else math.sqrt(2.0)
            weight = torch.empty(groups, inputs, outputs)
            for g in range(groups):
                nn.init.orthogonal_(weight[g], gain, generator=generator)
            self.weights.append(nn.Parameter(weight))
            self.biases.append(nn.Parameter(torch.zeros(groups, 1, outputs)))
            if layer_norm and i < len(sizes) - 2:
                self.gains.append(nn.Parameter(torch.ones(groups, 1, outputs)))
                self.shifts.append(nn.Parameter(torch.zeros(groups, 1, outputs)))

    def forward(self, rows: Tensor) -> Tensor:
        """Return `[G, B, out]` for rows `[B, in]`, or for those of each network `[G, B, in]`."""
        groups = self.weights[0].shape[0]
        hidden = rows.expand(groups, *rows.shape[-2:])
        last = len(self.weights) - 1
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = torch.baddbmm(bias, hidden, weight)
            if i < last and len(self.gains):
                hidden = torch.addcmul(self.shifts[i], layer_norm(hidden, hidden.shape[-1:]), self.gains[i])
            if i < last:
                hidden = activate(hidden, self.activation)
        return hidden


def activate(x: Tensor, name: str) -> Tensor:
    """Return the activation `elu`, `relu`, `tanh` or `silu` of x."""
    if name == "elu":
        return elu(x, inplace=True)
    if name == "silu":
        return silu(x)
    return torch.relu(x) if name == "relu" else torch.tanh(x)


class ActorCritic:
    """A Gaussian policy with a state-independent log standard deviation, and the critics of C channels.

    `critics = "heads"` gives the channels one network with C outputs, otherwise each of them (or the one that they are
    added up to) has its own. With `memory` a GRU stands before each network, which sees its state and the observation.

    `flat [P]` holds every parameter and `grads [P]` every gradient: one optimiser call serves all of them, and
    `message [P + 2 + C]`, the gradients followed by the step's `statistics` (KL, policy loss, value losses), is what
    ranks average. Row g of `critic_grads [G, .]` is the gradient of critic g alone.
    """

    def __init__(
        self,
        config: Train,
        observations: int,
        critic_observations: int,
        actions: int,
        channels: Sequence[str],
        seed: int,
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        grouped = config.critics != "heads"
        self.channels = tuple(channels)
        self.actor = GroupedMLP(
            1, (observations + config.memory, *config.actor_hidden, actions), config.activation, 0.01, generator
        )
        self._log_std = nn.Parameter(torch.full((1, actions), math.log(config.initial_std)))
        self.critic = GroupedMLP(
            len(channels) if grouped else 1,
            (critic_observations + config.memory, *config.critic_hidden, 1 if grouped else len(channels)),
            config.activation,
            0.01,
            generator,
        )
        self.actor_memory: GroupedGRU | None = None
        self.critic_memory: GroupedGRU | None = None
        if config.memory:
            groups = self.critic.weights[0].shape[0]
            self.actor_memory = GroupedGRU(1, observations, config.memory, generator)
            self.critic_memory = GroupedGRU(groups, critic_observations, config.memory, generator)
        self._log_std_range = (math.log(config.min_std), math.log(config.max_std))
        self._flatten()

    @property
    def log_std(self) -> Tensor:
        """Log standard deviation of the actions `[A]`."""
        return self._log_std[0]

    def mean(self, observations: Tensor) -> Tensor:
        """Return the mean action `[B, A]` of normalised observations `[B, O]`."""
        mean: Tensor = self.actor(observations)[0]
        return mean

    def values(self, observations: Tensor) -> Tensor:
        """Return values in normalised units `[B, C]` of normalised critic observations `[B, Oc]`."""
        return self.by_channel(self.critic(observations))

    @staticmethod
    def by_channel(out: Tensor) -> Tensor:
        """Return the critics' outputs `[G, B, out]` as `[B, C]`."""
        return out[:, :, 0].t() if out.shape[2] == 1 else out[0]

    def clamp_std(self) -> None:
        """Bring the standard deviation back into its range; the parameter itself, so that its gradient never dies."""
        with torch.no_grad():
            self._log_std.clamp_(*self._log_std_range)

    def rescale_values(self, ratio: Tensor, shift: Tensor) -> None:
        """Change the last critic layer so that its outputs `[C]` become `output * ratio + shift` (PopArt)."""
        weight, bias = self.critic.weights[-1], self.critic.biases[-1]
        shape = (-1, 1, 1) if weight.shape[2] == 1 else (1, 1, -1)
        with torch.no_grad():
            weight.copy_(weight.double() * ratio.view(shape))
            bias.copy_(bias.double() * ratio.view(shape) + shift.view(shape))

    def differentiate(self, loss: Tensor) -> None:
        """Write the gradient of a scalar loss into `grads`."""
        write_gradient(loss, self.leaves, self._leaf_grads)

    def parameters(self) -> dict[str, Tensor]:
        """Return every parameter by name: `actor.weights.0`, `log_std`, `critic.biases.2`, ..."""
        parts: dict[str, nn.Module | None] = {"actor": self.actor, "critic": self.critic}
        parts |= {"actor_memory": self.actor_memory, "critic_memory": self.critic_memory}
        named = {
            f"{part}.{n}": p.data for part, m in parts.items() if m is not None for n, p in m.named_parameters()
        }
        return named | {"log_std": self._log_std.data[0]}

    def _flatten(self) -> None:
        """Move all parameters into `flat`: a row for the actor, then a row per critic."""
        own = [*self.actor.parameters(), *_parameters(self.actor_memory), self._log_std]
        critic = [*self.critic.parameters(), *_parameters(self.critic_memory)]
        groups = critic[0].shape[0]
        first = sum(padded(p[0].numel()) for p in own)
        size = first + groups * sum(padded(p[0].numel()) for p in critic)
        self.flat = torch.zeros(size)
        self.message = torch.zeros(size + 2 + len(self.channels))
        self.grads, self.statistics = self.message[:size], self.message[size:]
        self.actor_grads = self.grads[:first].view(1, -1)
        self.critic_grads = self.grads[first:].view(groups, -1)
        self.leaves = [*own, *critic]
        self._leaf_grads = [
            *rebind(own, self.flat[:first].view(1, -1), self.actor_grads),
            *rebind(critic, self.flat[first:].view(groups, -1), self.critic_grads),
        ]


def _parameters(module: nn.Module | None) -> list[nn.Parameter]:
    return [] if module is None else list(module.parameters())


def write_gradient(loss: Tensor, parameters: Sequence[nn.Parameter], views: Sequence[Tensor]) -> None:
    """Write the gradient of a scalar loss with respect to parameters into their views."""
    for view, gradient in zip(views, torch.autograd.grad(loss, parameters), strict=True):
        view.copy_(gradient)


def rebind(parameters: Sequence[nn.Parameter], values: Tensor, grads: Tensor) -> list[Tensor]:
    """Make parameters `[G, ...]` views of the columns of `values [G, P]`; return the same views of `grads [G, P]`."""
    offset = 0
    views = []
    for p in parameters:
        columns = slice(offset, offset + p[0].numel())
        view, gradient = (x[:, columns].view(p.shape) for x in (values, grads))
        view.copy_(p.data)
        p.data = view
        views.append(gradient)
        offset += padded(p[0].numel())
    return views
