"""From rewards to one advantage for the actor: by critics, or by comparing the episodes of a group."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pyembody import _core
from pyembody.spec import SpecError, Train

from .buffers import Rollout
from .channels import Channels
from .distributed import Group

Array = npt.NDArray[Any]


class Advantages(Protocol):
    """Fills `rollout.combined`. `begin` runs before an iteration collects."""

    def begin(self, env: Any) -> bool:
        """Bring the environments to where the iteration starts; return whether they were reset."""

    def __call__(self, rollout: Rollout, paid: Array, first: bool) -> Array:
        """Combine; `paid [T, N, K]` is what the critics are paid, `rollout.advantages` what they say of it.

        Returns moments `[K, 4]` as `_core.normalise_advantages` does.
        """

    def rows(self, rollout: Rollout) -> Tensor | None:
        """Return the flat rows `[M]` int64 to learn from, None for all."""


class CriticAdvantages:
    """Normalised per critic, weighted, added, normalised again. `running_std [K]` changes in place."""

    def __init__(
        self, channels: Channels, config: Train, group: Group, envs: int, running_std: Array
    ) -> None:
        self.channels, self.config, self.group, self.running_std = channels, config, group, running_std
        self._gathered = torch.zeros(group.size * config.horizon, envs, len(channels.names))
        self._combined = np.zeros(self._gathered.shape[:2], np.float32)

    def begin(self, env: Any) -> bool:
        """Episodes go on from where they are."""
        del env
        return False

    def __call__(self, rollout: Rollout, paid: Array, first: bool) -> Array:
        """Combine the advantages of all ranks; see `Advantages`."""
        del paid  # the critics have said what it is worth
        advantages = self.group.gather(torch.from_numpy(rollout.advantages), self._gathered).numpy()
        normalised = advantages if self.config.normalise else advantages.copy()
        moments: Array = _core.normalise_advantages(
            normalised, self.channels.std_floor, self.running_std, first
        )
        if not self.config.normalise:
            moments[:, 2] = 1.0  # what is divided by
        _core.combine(advantages, self.channels.weights, self.config.renormalise, self._combined)
        rank = slice(self.group.rank * rollout.horizon, (self.group.rank + 1) * rollout.horizon)
        rollout.combined.copy_(torch.from_numpy(self._combined[rank]))
        return moments

    def rows(self, rollout: Rollout) -> None:
        """All rows."""
        del rollout
        return


class GroupAdvantages:
    """Each episode against those of its group, which started in the same state; no critic has a say.

    Every iteration starts all episodes anew and uses the first one of each environment; its steps share the advantage
    of its return, which is not discounted. Papers: Shao et al., DeepSeekMath (2024: `grpo`); Ahmadian et al., Back to
    basics (2024: `rloo`).
    """

    def __init__(self, channels: Channels, config: Train, group: Group, env: Any) -> None:
        """Raises SpecError unless the horizon holds a whole episode and the group divides the environments."""
        if config.horizon < env.max_steps:
            raise SpecError(
                f"horizon: advantage '{config.advantage}' compares whole episodes: expected at least"
                f" {env.max_steps} steps, got {config.horizon}"
            )
        if env.num_envs % config.group:
            raise SpecError(f"group: expected a divisor of {env.num_envs} environments, got {config.group}")
        self.channels, self.config, self.group = channels, config, group

    def begin(self, env: Any) -> bool:
        """Start a new episode everywhere, in the same state throughout a group."""
        env.reset(options={"group": self.config.group})
        return True

    def __call__(self, rollout: Rollout, paid: Array, first: bool) -> Array:
        """Combine; see `Advantages`. The deviation in the moments is the mean of those inside the groups."""
        del first  # nothing is carried from one iteration to the next
        config = self.config
        mask = first_episodes(rollout)
        returns = (paid.astype(np.float64) * mask[..., None]).sum(0)
        grouped = returns.reshape(-1, config.group, returns.shape[1])
        found = np.empty(grouped.shape[:2])
        _core.group_advantages(grouped, self.channels.weights, found, config.group_order, config.advantage)
        rows = np.where(mask, found.reshape(-1).astype(np.float32), np.float32(np.nan))[..., None]
        together = torch.zeros(self.group.size * rollout.horizon, *rows.shape[1:])
        everyone = self.group.gather(torch.from_numpy(rows), together).numpy()
        if config.renormalise:
            _core.normalise_advantages(everyone, np.zeros(1, np.float32), np.zeros(1), True)
        rank = slice(self.group.rank * rollout.horizon, (self.group.rank + 1) * rollout.horizon)
        rollout.combined.copy_(torch.from_numpy(np.nan_to_num(everyone[rank, :, 0])))
        return self._moments(grouped)

    def rows(self, rollout: Rollout) -> Tensor:
        """The steps of the first episodes."""
        return torch.from_numpy(np.flatnonzero(first_episodes(rollout)))

    def _moments(self, grouped: Array) -> Array:
        std = grouped.std(axis=1).mean(axis=0)
        moments = np.stack([grouped.mean(axis=(0, 1)), std, np.maximum(std, 1e-8), np.ones_like(std)], axis=1)
        moments = self.group.average(torch.from_numpy(moments)).numpy()
        moments[:, 3] = grouped.shape[0] * grouped.shape[1] * self.group.size
        return moments


def first_episodes(rollout: Rollout) -> Array:
    """Return which steps `[T, N]` belong to the first episode of their environment."""
    ended = rollout.terminated | rollout.truncated
    mask: Array = (np.cumsum(ended, axis=0) - ended) == 0
    return mask
