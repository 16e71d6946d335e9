"""Rewards of an episode moved between its steps, in plain NumPy: the definition of the core's kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .returns_reference import Ends, Floats


def redistribute(
    rewards: Floats, terminated: Ends, truncated: Ends, how: str, gamma: Floats | None = None,
    weights: Floats | None = None,
) -> Floats:
    """Return rewards `[T, N, C]` of the same sum per episode, spread over its steps inside the buffer.

    `uniform`: equally; `discounted`: by `gamma [C]` to the power of the steps that are left; `last`: all on the last
    step; `given`: by `weights [T, N]`, equally where all of an episode's are 0.
    """
    out = np.zeros_like(rewards)
    steps, envs, channels = rewards.shape
    for n in range(envs):
        lasts = np.flatnonzero((terminated[:, n] != 0) | (truncated[:, n] != 0)).tolist()
        lasts += [] if lasts and lasts[-1] == steps - 1 else [steps - 1]
        first = 0
        for last in lasts:
            rows = np.arange(first, last + 1)
            for c in range(channels):
                share: NDArray[Any] = np.ones(len(rows))
                if how == "discounted" and gamma is not None:
                    share = float(gamma[c]) ** (last - rows)
                elif how == "last":
                    share = (rows == last).astype(float)
                elif how == "given" and weights is not None:
                    share = weights[rows, n].astype(float)
                share = share / share.sum() if share.sum() > 0 else np.full(len(rows), 1 / len(rows))
                out[rows, n, c] = rewards[rows, n, c].sum(dtype=np.float64) * share
            first = last + 1
    return out


def turn_rewards(
    log_probs: Floats, terminated: Ends, truncated: Ends, start: Floats, before: Floats
) -> tuple[Floats, Floats]:
    """Return what each turn added to a log-probability `[T, N]`, and what the next buffer begins with `[N]`.

    The first turn of an episode is compared with `start [N]`, the first row with `before [N]`: an episode's rewards add
    up to the gain from its start to its end.
    """
    out = np.zeros_like(log_probs)
    for t in range(len(log_probs)):
        out[t] = log_probs[t] - before
        before = np.where((terminated[t] != 0) | (truncated[t] != 0), start, log_probs[t])
    return out, before
