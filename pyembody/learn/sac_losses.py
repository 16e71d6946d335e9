"""The formulas of soft actor-critic as pure functions, with a pair of critics for each reward channel.

Papers: Haarnoja et al., Soft actor-critic algorithms and applications (2018); Fujimoto et al., Addressing function
approximation error in actor-critic methods (2018).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from .losses import LOG_SQRT_2PI

LOW, HIGH = -5.0, 2.0
"""Range of the log standard deviation before squashing."""


def spread(raw: Tensor) -> Tensor:
    """Return log standard deviations within [LOW, HIGH] of unbounded network outputs."""
    return LOW + 0.5 * (HIGH - LOW) * (torch.tanh(raw) + 1.0)


def raw_spread(log_std: float) -> float:
    """Return the network output whose `spread` is `log_std`."""
    return math.atanh(2.0 * (log_std - LOW) / (HIGH - LOW) - 1.0)


def squash(outputs: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Return actions in (-1, 1) `[B, A]` and their log density `[B]` of actor outputs `[B, 2A]` and noise `[B, A]`."""
    mean, raw = outputs.chunk(2, -1)
    log_std = spread(raw)
    x = torch.addcmul(mean, noise, log_std.exp())
    # log pi(u) = log N(x) - sum log(1 - tanh(x)^2), the latter in the form that does not cancel
    gaussian = (-0.5 * noise.square() - log_std - LOG_SQRT_2PI).sum(-1)
    return torch.tanh(x), gaussian - (2.0 * (math.log(2.0) - x - softplus(-2.0 * x))).sum(-1)


def least(values: Tensor) -> Tensor:
    """Return the lesser of each channel's two critics `[B, C]` of outputs `[2C, B]`; channel c owns rows 2c, 2c + 1."""
    return values.view(-1, 2, values.shape[-1]).amin(1).t()


def critic_losses(values: Tensor, targets: Tensor) -> Tensor:
    """Return half the mean squared error of each critic `[2C]` of values `[2C, B]`, targets `[B, C]`."""
    return 0.5 * (values - targets.t().repeat_interleave(2, 0)).square().mean(1)


def actor_loss(log_probs: Tensor, values: Tensor, weights: Tensor, temperature: float) -> Tensor:
    """Return mean(temperature log pi - sum_c w_c Q_c) of log densities `[B]`, values `[B, C]`, weights `[C]`."""
    return (temperature * log_probs - values @ weights).mean()
