"""The formulas of PPO as pure functions. Paper: Schulman et al., Proximal policy optimization algorithms (2017)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)


def log_prob(actions: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Return log N(actions; mean, exp(log_std)) summed over the last axis: `[B]` of `[B, A]`, `[B, A]`, `[A]`."""
    z = (actions - mean) * torch.exp(-log_std)
    return -0.5 * z.square().sum(-1) - log_std.sum() - LOG_SQRT_2PI * actions.shape[-1]


def entropy(log_std: Tensor) -> Tensor:
    """Return the entropy of a Gaussian with log standard deviations `[A]`, in nats."""
    return (log_std + LOG_SQRT_2PI + 0.5).sum()


def gaussian_kl(old_mean: Tensor, old_log_std: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Return the mean over rows of KL(old || new) of two diagonal Gaussians, means `[B, A]`, log stds `[A]`."""
    # sum_i log(s/s0) + (s0^2 + (m0 - m)^2) / (2 s^2) - 1/2
    inverse = 0.5 * torch.exp(-2.0 * log_std)
    spread = log_std - old_log_std + torch.exp(2.0 * old_log_std) * inverse - 0.5
    return spread.sum() + ((old_mean - mean).square() * inverse).sum(-1).mean()


def policy_loss(
    log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, clip: float
) -> Tensor:
    """Return the clipped surrogate loss of rows `[B]`: -mean min(rho A, clamp(rho, 1 - clip, 1 + clip) A)."""
    # exp(20) is beyond any clip already; an overflow to infinity would turn a clipped row's zero gradient into NaN
    ratio = torch.exp((log_probs - old_log_probs).clamp_max(20.0))
    clipped = ratio.clamp(1.0 - clip, 1.0 + clip)
    return -torch.minimum(ratio * advantages, clipped * advantages).mean()


def value_losses(values: Tensor, targets: Tensor) -> Tensor:
    """Return half the mean squared error of each channel `[C]`; values and targets `[B, C]` in normalised units."""
    return 0.5 * (values - targets).square().mean(0)


def adapted_rate(rate: float, kl: float, target: float, low: float, high: float) -> float:
    """Return the learning rate divided by 1.5 when kl > 2 target, times 1.5 when kl < target / 2, within [low, high].

    A target of zero leaves the rate alone.
    """
    if target <= 0.0:
        return rate
    if kl > 2.0 * target:
        return max(rate / 1.5, low)
    return min(rate * 1.5, high) if kl < 0.5 * target else rate
