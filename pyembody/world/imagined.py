"""What a rollout gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Precision: TypeAlias = Literal["float32", "bfloat16"]
"""Of the networks' inputs, weights and hidden outputs; sums are float32 in both."""


@dataclass(frozen=True)
class Imagined:
    """L steps of B rows. `observations [L, B, O]` are those before a step, `next_states [L, B, S]` those after it.

    `channels [L, B, C]` and `terminated [L, B]` are the program's for the state after the step. Where `valid [L, B]` is
    false the row had ended: all else is 0, and `member [L, B]` int8, who predicted the step (-1: all), is -1.
    `critic_observations [L, B, P]` are what the critics see, where that is not what the policy sees (else P is 0).
    `penalty [L, B]` is the uncertainty that was asked for. `final_observations [B, O]` and `final_critic_observations
    [B, P]` follow a row's last valid step.
    `credible [L, B]` is the dynamics reward of a filtered step, and `rejected [B]` tells the rows that a filter ended.
    `diverged` rows left the finite numbers, and ended before that step.
    """

    observations: Floats
    actions: Floats
    next_states: Floats
    channels: Floats
    terminated: Bools
    valid: Bools
    penalty: Floats
    member: NDArray[np.int8]
    credible: Floats
    rejected: Bools
    final_observations: Floats
    critic_observations: Floats
    final_critic_observations: Floats
    diverged: int = 0

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays by name."""
        return {name: value for name, value in vars(self).items() if name != "diverged"}


def empty(
    steps: int, rows: int, *, observation: int, action: int, state: int, channels: int, critic: int = 0
) -> Imagined:
    """Return arrays of these widths that nothing was written to yet."""
    shape = (steps, rows)

    def floats(*shape: int) -> Floats:
        return np.empty(shape, np.float32)

    return Imagined(
        observations=floats(*shape, observation),
        actions=floats(*shape, action),
        next_states=floats(*shape, state),
        channels=floats(*shape, channels),
        terminated=np.empty(shape, np.bool_),
        valid=np.empty(shape, np.bool_),
        penalty=floats(*shape),
        member=np.empty(shape, np.int8),
        credible=floats(*shape),
        rejected=np.empty(rows, np.bool_),
        final_observations=floats(rows, observation),
        critic_observations=floats(*shape, critic),
        final_critic_observations=floats(rows, critic),
    )
