"""The formulas of PPO as pure functions. Paper: Schulman et al., Proximal policy optimization algorithms (2017).

The loss is the policy's surrogate and a weighted sum of `QUANTITIES`; `loss_weights` says which of them, and how much.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pyembody.spec import Train

from .batch import Batch

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


def entropy_band(log_std: Tensor, low: float, high: float) -> Tensor:
    """Return the squared distance of the entropy per action, in nats, from the band [low, high]; smooth everywhere."""
    per_action = entropy(log_std) / log_std.numel()
    return torch.relu(low - per_action).square() + torch.relu(per_action - high).square()


def symmetry_loss(mean: Tensor, mirrored_mean: Tensor, index: Tensor, sign: Tensor) -> Tensor:
    """Return the mean over rows of |a - mirror(a')|^2: a of a state, a' of the mirrored state, both `[B, A]`.

    Paper: Yu et al., Learning symmetric and low-energy locomotion (2018).
    """
    return (mean - mirrored_mean[:, index] * sign).square().sum(-1).mean()


def policy_loss(
    log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, clip: float, log_ratio_clip: float = 20.0
) -> Tensor:
    """Return the clipped surrogate loss of rows `[B]`: -mean min(rho A, clamp(rho, 1 - clip, 1 + clip) A).

    log rho is clipped to +-log_ratio_clip first; a row beyond that has no gradient.
    """
    # exp(20) is beyond any clip already; an overflow to infinity would turn a clipped row's zero gradient into NaN
    ratio = torch.exp((log_probs - old_log_probs).clamp(-log_ratio_clip, log_ratio_clip))
    clipped = ratio.clamp(1.0 - clip, 1.0 + clip)
    return -torch.minimum(ratio * advantages, clipped * advantages).mean()


def value_losses(values: Tensor, targets: Tensor) -> Tensor:
    """Return half the mean squared error of each channel `[C]`; values and targets `[B, C]` in normalised units."""
    return 0.5 * (values - targets).square().mean(0)


@dataclass
class Outputs:
    """What the networks said about the rows of a minibatch: means `[B, A]`, values `[B, C]`, log std `[A]`."""

    mean: Tensor
    values: Tensor
    log_std: Tensor
    mirrored_mean: Tensor | None = None

    def mirrored(self, rows: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return the means of the mirrored states, and index and sign that mirror them back."""
        assert self.mirrored_mean is not None
        assert rows.mirror is not None
        return self.mirrored_mean, *rows.mirror


QUANTITIES: dict[str, Callable[[Outputs, Batch, Train], Tensor]] = {
    "entropy": lambda out, rows, config: entropy(out.log_std),
    # a sum, not a mean: with its own network a critic learns as if the other channels did not exist
    "value": lambda out, rows, config: value_losses(out.values, rows.targets).sum(),
    "entropy_band": lambda out, rows, config: entropy_band(out.log_std, *(config.entropy_band or ())),
    "symmetry": lambda out, rows, config: symmetry_loss(out.mean, *out.mirrored(rows)),
}


def loss_weights(config: Train) -> dict[str, float]:
    """Return the weight of each quantity in the loss, without those that the settings do not ask for."""
    weights = {"entropy": -config.entropy, "value": config.value_weight}
    if config.entropy_band is not None:
        weights["entropy_band"] = config.entropy_band_weight
    if config.symmetry == "loss":
        weights["symmetry"] = config.symmetry_weight
    return weights


def surrogate_loss(out: Outputs, rows: Batch, config: Train) -> Tensor:
    """Return the policy's loss alone."""
    log_probs = log_prob(rows.actions, out.mean, out.log_std)
    return policy_loss(log_probs, rows.log_probs, rows.advantages, config.clip, config.log_ratio_clip)


def weighted_loss(surrogate: Tensor, out: Outputs, rows: Batch, config: Train) -> Tensor:
    """Return the whole loss of a minibatch."""
    total = surrogate
    for name, weight in loss_weights(config).items():
        total = total + weight * QUANTITIES[name](out, rows, config)
    return total


def entropy_pull(log_std: Tensor, config: Train) -> float:
    """Return the weight with which an entropy bonus would have the gradient of bonus and band together."""
    if config.entropy_band is None:
        return config.entropy
    low, high = config.entropy_band
    count = log_std.numel()
    per_action = float(entropy(log_std)) / count
    slope = 2.0 * (max(per_action - high, 0.0) - max(low - per_action, 0.0))
    return config.entropy - config.entropy_band_weight * slope / count


def adapted_rate(rate: float, kl: float, target: float, low: float, high: float) -> float:
    """Return the learning rate divided by 1.5 when kl > 2 target, times 1.5 when kl < target / 2, within [low, high].

    A target of zero leaves the rate alone.
    """
    if target <= 0.0:
        return rate
    if kl > 2.0 * target:
        return max(rate / 1.5, low)
    return min(rate * 1.5, high) if kl < 0.5 * target else rate
