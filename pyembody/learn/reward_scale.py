"""Divisors of the channels' rewards that change from one iteration to the next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pyembody.spec import SpecError, Train

from .distributed import Group
from .logs import read_metrics

Array = npt.NDArray[Any]
LEAST = 1e-8


class RewardScale:
    """Leaves rewards as they are."""

    def __init__(self, channels: int) -> None:
        """`shared` arrays are the same on all ranks, `own` ones are of one rank; both are kept in checkpoints."""
        self.divisor = np.ones(channels)
        self.shared: dict[str, Array] = {}
        self.own: dict[str, Array] = {}

    def __call__(self, rewards: Array, ended: Array, iteration: int, group: Group) -> None:
        """Divide the rewards `[T, N, C]` of an iteration (counted from 0) in place; `ended [T, N]` bool."""

    def forget(self, ended: Array) -> None:
        """The environments of `ended [N]` bool start new episodes."""


class ReturnStd(RewardScale):
    """Divides each channel by the running standard deviation of its discounted return, as it has grown so far.

    It is what one critic is usually given: Engstrom et al., Implementation matters in deep policy gradients (2020).
    """

    def __init__(self, channels: int, envs: int, gamma: Array) -> None:
        super().__init__(channels)
        self.gamma = gamma.astype(np.float64)
        self.shared = {"moments": np.zeros((3, channels))}
        self.own = {"returns": np.zeros((envs, channels))}

    def __call__(self, rewards: Array, ended: Array, iteration: int, group: Group) -> None:
        """Take the returns into the moments, then divide."""
        del iteration
        running, moments = self.own["returns"], self.shared["moments"]
        sums = np.zeros_like(moments)
        for reward, end in zip(rewards, ended, strict=True):
            running *= self.gamma
            running += reward
            sums += (np.full(len(self.gamma), len(running)), running.sum(0), np.square(running).sum(0))
            self.forget(end)
        moments += group.sum(torch.from_numpy(sums)).numpy()
        count, total, square = moments
        variance = square / count - np.square(total / count)
        self.divisor = np.maximum(np.sqrt(np.maximum(variance, 0.0)), LEAST)
        rewards /= self.divisor.astype(np.float32)

    def forget(self, ended: Array) -> None:
        """The environments of `ended [N]` bool start new episodes, with returns of 0."""
        self.own["returns"][ended] = 0.0


class LoggedStd(RewardScale):
    """Divides each channel by the `advantage_std` of another run in the same iteration (its last one after its end).

    With it one critic of the weighted sum is paid w / std, which is what normalised critics do to the advantages.
    """

    def __init__(self, logged: Array) -> None:
        super().__init__(logged.shape[1])
        self.logged = logged

    def __call__(self, rewards: Array, ended: Array, iteration: int, group: Group) -> None:
        """Divide by the logged row."""
        del ended, group
        self.divisor = np.maximum(self.logged[min(iteration, len(self.logged) - 1)], LEAST)
        rewards /= self.divisor.astype(np.float32)


def reward_scale(config: Train, names: tuple[str, ...], gamma: Array, envs: int) -> RewardScale:
    """Return the scale that the settings name. Raises SpecError if `reward_log` is no run with these channels."""
    if config.reward_scale == "return_std":
        return ReturnStd(len(names), envs, gamma)
    if config.reward_scale == "log":
        return LoggedStd(_logged(config.reward_log, names))
    return RewardScale(len(names))


def _logged(run: str, names: tuple[str, ...]) -> Array:
    """The `advantage_std [I, C]` of a run's iterations."""
    rows = read_metrics(Path(run)) if run else []
    if not rows:
        raise SpecError(f"reward_log: expected the folder of a run with a metrics.jsonl, got '{run}'")
    try:
        return np.array([[row["advantage_std"][name] for name in names] for row in rows])
    except KeyError as error:
        raise SpecError(f"reward_log: {run}: expected an advantage_std of channel {error}, found none") from None
