"""Preallocated memory of one iteration: T steps of N environments, and what is computed from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .symmetry import MirrorMap, mirror_rows

Array = npt.NDArray[Any]


class Views:
    """Canonical observations of one group: `raw` and `normalised [T + 1, N, O]`, and the finals of this horizon."""

    def __init__(
        self, horizon: int, envs: int, features: int, index: Array | None, sign: Array | None
    ) -> None:
        self.raw = np.zeros((horizon + 1, envs, features), np.float32)
        self.normalised = torch.zeros(horizon + 1, envs, features)
        self.finals: list[Array] = []
        self._index, self._sign = index, sign

    def store(self, t: int, rows: Array, flags: Array | None) -> None:
        """Keep the observations `[N, O]` that the policy sees at step t, mirrored where `flags [N]`."""
        target = self.raw[t]
        target[:] = rows
        self._mirror(target, flags)

    def store_finals(self, rows: Array, flags: Array | None) -> None:
        """Keep true successors `[M, O]` of truncated rows."""
        rows = np.array(rows, np.float32)
        self._mirror(rows, flags)
        self.finals.append(rows)

    def _mirror(self, rows: Array, flags: Array | None) -> None:
        if flags is not None and self._index is not None and self._sign is not None:
            mirror_rows(rows, flags, self._index, self._sign)


class Rollout:
    """Everything of one iteration. Arrays and tensors share memory; `[T, N, ...]` unless said otherwise."""

    def __init__(
        self,
        horizon: int,
        envs: int,
        features: int,
        critic_features: int | None,
        actions: int,
        channels: int,
        mirror: MirrorMap | None,
        critics: int | None = None,
    ) -> None:
        """`critic_features` None: the critics read the policy's observations, and no second copy is kept.

        `critics` is the number of values a row has, None for one per channel.
        """
        self.horizon, self.envs = horizon, envs
        no = (None, None)
        own = (mirror.obs_index, mirror.obs_sign) if mirror is not None else no
        self.policy = Views(horizon, envs, features, *own)
        self.critic = self.policy
        if critic_features is not None:
            theirs = (mirror.critic_index, mirror.critic_sign) if mirror is not None else no
            self.critic = Views(horizon, envs, critic_features, *theirs)
        self.mean = torch.zeros(horizon, envs, actions)
        self.noise = torch.zeros(horizon, envs, actions)
        self.actions = torch.zeros(horizon, envs, actions)
        self.rewards = np.zeros((horizon, envs, channels), np.float32)
        self.terminated = np.zeros((horizon, envs), np.bool_)
        self.truncated = np.zeros((horizon, envs), np.bool_)
        values = channels if critics is None else critics
        self.values = torch.zeros(horizon + 1, envs, values)
        self.next_values = np.zeros((horizon, envs, values), np.float32)
        self.advantages = np.zeros((horizon, envs, values), np.float32)
        self.returns = np.zeros((horizon, envs, values), np.float32)
        self.combined = torch.zeros(horizon, envs)

    def clear(self) -> None:
        """Forget the finals of the last horizon."""
        self.policy.finals.clear()
        self.critic.finals.clear()

    def fill_next_values(self, final_values: Array) -> None:
        """Set the value of each step's true successor: V of the next row, or of the final observation if truncated.

        `final_values [M, C]` in the order in which truncated rows ended. A terminated row is not bootstrapped at all.
        """
        self.next_values[:] = self.values[1:].numpy()
        self.next_values[self.bootstrapped] = final_values

    @property
    def bootstrapped(self) -> Array:
        """Rows `[T, N]` bool that were cut off without having failed."""
        rows: Array = self.truncated & ~self.terminated
        return rows


def flat(x: Tensor) -> Tensor:
    """Return `[T, N, ...]` as `[T * N, ...]` without copying."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])
