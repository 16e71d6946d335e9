"""Returns and advantages per channel in plain NumPy: the definition that the core's kernels are compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ends = NDArray[Any]

LEAST_DIVISOR = 1e-8
MOMENTUM = 0.05


def gae(
    rewards: Floats,
    values: Floats,
    next_values: Floats,
    terminated: Ends,
    truncated: Ends,
    gamma: Floats,
    lam: Floats,
    valid: Ends | None = None,
    episodic: Ends | None = None,
) -> tuple[Floats, Floats]:
    """Return advantages and returns `[T, N, C]` by generalised advantage estimation (Schulman et al. 2016).

    `rewards`, `values`, `next_values` are `[T, N, C]`; `next_values` is the value of each step's true successor.
    `terminated` and `truncated` are `[T, N]`, `gamma` and `lam` `[C]`. A terminated step has no successor; a truncated
    one bootstraps from its successor but ends the trace; terminated wins. Rows that are not `valid [T, N]` belong to no
    episode. Channels that are not `episodic [C]` go on beyond the end of an episode; their successor is the next row.
    """
    advantages = np.zeros_like(rewards)
    later = np.zeros_like(rewards[0])
    dead, cut, empty = _ends(rewards, terminated, truncated, valid, episodic)
    for t in reversed(range(len(rewards))):
        delta = rewards[t] + gamma * np.where(dead[t], np.float32(0), next_values[t]) - values[t]
        trace = np.where(dead[t] | cut[t], np.float32(0), later)
        advantages[t] = later = np.where(empty[t], np.float32(0), delta + gamma * lam * trace)
    return advantages, advantages + values


def discounted_returns(
    rewards: Floats,
    next_values: Floats,
    terminated: Ends,
    truncated: Ends,
    gamma: Floats,
    valid: Ends | None = None,
    episodic: Ends | None = None,
) -> Floats:
    """Return discounted returns `[T, N, C]`, bootstrapped from `next_values` where truncated and at the end."""
    ones = np.ones_like(gamma)
    return lambda_returns(rewards, next_values, terminated, truncated, gamma, ones, valid, episodic)


def lambda_returns(
    rewards: Floats,
    next_values: Floats,
    terminated: Ends,
    truncated: Ends,
    gamma: Floats,
    lam: Floats,
    valid: Ends | None = None,
    episodic: Ends | None = None,
) -> Floats:
    """Return lambda returns `[T, N, C]`: `lam [C]` of the next step's return, the rest of its value (Sutton 1988)."""
    returns = np.zeros_like(rewards)
    later = next_values[-1]
    dead, cut, empty = _ends(rewards, terminated, truncated, valid, episodic)
    for t in reversed(range(len(rewards))):
        value = np.where(dead[t], np.float32(0), next_values[t])
        whole = np.where(lam == 1, later, (1 - lam) * value + lam * later)
        successor = np.where(cut[t] | (t == len(rewards) - 1), value, whole)
        following = rewards[t] + gamma * np.where(dead[t], np.float32(0), successor)
        returns[t] = later = np.where(empty[t], np.float32(0), following)
    return returns


def segment_returns(rewards: Floats, ends: Ends, gamma: Floats) -> Floats:
    """Return the discounted sum of rewards `[T, N, C]` from each step to the end of its segment.

    A segment (an option, a turn, a macro action) lasts up to and including a row of `ends [T, N]`, or the last row.
    """
    ended = np.array(ends, bool)
    ended[-1] = True
    return discounted_returns(rewards, rewards, ended, ended, gamma)


def _ends(
    rewards: Floats, terminated: Ends, truncated: Ends, valid: Ends | None, episodic: Ends | None
) -> tuple[Ends, Ends, Ends]:
    """Terminated and truncated cells `[T, N, C]`, and those of rows that are not valid."""
    cells = np.ones(rewards.shape, bool)
    reach = cells if episodic is None else cells & (np.asarray(episodic) != 0)
    empty = ~cells if valid is None else cells & (np.asarray(valid) == 0)[..., None]
    return reach & (terminated != 0)[..., None], reach & (truncated != 0)[..., None], empty


def normalise_advantages(
    advantages: Floats, floor: Floats, running_std: Doubles, *, first: bool, valid: Ends | None = None
) -> tuple[Floats, Doubles]:
    """Return advantages `[T, N, C]` of zero mean and unit deviation per channel, and new running deviations `[C]`.

    The divisor is never below `floor` times the running deviation, so that a nearly constant channel stays small.
    What is not finite, and rows that are not `valid [T, N]`, is left out of the moments and becomes 0.
    """
    out = np.zeros_like(advantages)
    running = running_std.copy()
    for c in range(advantages.shape[-1]):
        channel = advantages[..., c].astype(np.float64)
        known = np.isfinite(channel) if valid is None else np.isfinite(channel) & (valid != 0)
        if not known.any():
            continue
        mean, std = channel[known].mean(), channel[known].std()
        running[c] = std if first else running[c] + MOMENTUM * (std - running[c])
        divisor = max(std, float(floor[c]) * running[c], LEAST_DIVISOR)
        out[..., c] = np.where(known, (channel - mean) / divisor, 0.0)
    return out, running


def combine(advantages: Floats, weights: Floats, *, renormalise: bool, valid: Ends | None = None) -> Floats:
    """Return the weighted sum over channels `[T, N]`, with zero mean and unit deviation if `renormalise`.

    What is not finite adds nothing. Rows that are not `valid [T, N]` are left out of the moments and become 0.
    """
    cells = np.where(np.isfinite(advantages), advantages, np.float32(0))
    rows = np.ones(cells.shape[:2], bool) if valid is None else valid != 0
    total: Floats = weights[0] * cells[..., 0]
    for c in range(1, len(weights)):
        total = total + weights[c] * cells[..., c]
    if renormalise and rows.any():
        wide = total.astype(np.float64)
        known = wide[rows]
        total = ((wide - known.mean()) / max(known.std(), LEAST_DIVISOR)).astype(np.float32)
    return np.where(rows, total, np.float32(0))


def group_advantages(
    rewards: NDArray[Any], weights: Floats, order: str = "normalise_then_sum", style: str = "grpo"
) -> Doubles:
    """Return advantages `[B, G]` of B groups of G rollouts with rewards `[B, G, C]`, weighted by `[C]`.

    `grpo` subtracts the group's mean and divides by its deviation (Shao et al. 2024), `rloo` subtracts the mean of the
    others (Ahmadian et al. 2024). `normalise_then_sum` does so for each channel before they are weighted and added (Liu
    et al., GDPO, 2026), `sum_then_normalise` once for the weighted sum. A reward of NaN is of a channel that does not
    apply to that rollout: it is left out and gives 0.
    """
    valid = np.isfinite(rewards)
    if order == "sum_then_normalise":
        total = np.where(valid, rewards * weights, 0.0).sum(-1, keepdims=True, dtype=np.float64)
        rewards, weights = np.where(valid.any(-1, keepdims=True), total, np.nan), np.ones(1, np.float32)
        valid = np.isfinite(rewards)
    count = np.maximum(valid.sum(1, keepdims=True), 1)
    known = np.where(valid, rewards, 0.0).astype(np.float64)
    centred = np.where(valid, known - known.sum(1, keepdims=True) / count, 0.0)
    if style == "rloo":
        own = centred * count / np.maximum(count - 1, 1)
    else:
        std = np.sqrt(np.square(centred).sum(1, keepdims=True) / count)
        own = centred / np.maximum(std, LEAST_DIVISOR)
    out: Doubles = (own * weights).sum(-1)
    return out
