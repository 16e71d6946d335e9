"""Replay: the newest transitions of all environments, and n-step targets drawn from them.

Memory is a ring of whole iterations. Every step keeps its true successor, so that truncated episodes bootstrap from the
observation they ended with, not from the one that the next episode began with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pyembody.spec import SpecError

from .buffers import Rollout, Views

Array = npt.NDArray[Any]


@dataclass
class Transitions:
    """Rows `[B, ...]`: raw observations, actions, n-step rewards `[B, C]`, and what is `steps` later: the successor and
    the factor `discount [B, C]` of its value, zero after a termination.
    """

    observations: Tensor
    critic_observations: Tensor
    actions: Tensor
    rewards: Tensor
    discount: Tensor
    successors: Tensor
    critic_successors: Tensor


class Replay:
    """The last `capacity` steps of all environments: arrays `[S, N, ...]`, preallocated."""

    def __init__(self, capacity: int, rollout: Rollout) -> None:
        """`capacity` transitions, rounded up to whole iterations; widths are those of `rollout`."""
        envs, horizon = rollout.envs, rollout.horizon
        self.capacity = -(-capacity // (envs * horizon)) * horizon
        self.counts = np.zeros(2, np.int64)
        self.arrays = {name: torch.zeros(self.capacity, envs, width) for name, width in _widths(rollout).items()}
        self.terminated = torch.zeros(self.capacity, envs, dtype=torch.bool)
        self.ended = torch.zeros(self.capacity, envs, dtype=torch.bool)

    @property
    def head(self) -> int:
        """The step written next."""
        return int(self.counts[0])

    @property
    def filled(self) -> int:
        """How many steps are there."""
        return int(self.counts[1])

    def add(self, rollout: Rollout) -> None:
        """Copy one iteration, over the oldest one once the ring is full."""
        rows = slice(self.head, self.head + rollout.horizon)
        for name, views in _groups(rollout).items():
            self.arrays[f"{name}_observations"][rows] = torch.from_numpy(views.raw[:-1])
            self.arrays[f"{name}_successors"][rows] = _successors(rollout, views)
        self.arrays["actions"][rows] = rollout.actions
        self.arrays["rewards"][rows] = torch.from_numpy(rollout.rewards)
        self.terminated[rows] = torch.from_numpy(rollout.terminated)
        self.ended[rows] = torch.from_numpy(rollout.terminated | rollout.truncated)
        self.counts[:] = (rows.stop % self.capacity, min(self.filled + rollout.horizon, self.capacity))

    def sample(self, count: int, steps: int, gamma: Tensor, generator: torch.Generator, dead: Tensor) -> Transitions:
        """Return `count` transitions drawn with replacement, each over at most `steps` steps; gamma `[C]`.

        Their rewards count a value of `dead [C]` after a termination.
        """
        return self.take(self.draw(count, generator), steps, gamma, dead)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Return `count` numbers of steps drawn with replacement, `age * N + environment`, age 0 being the oldest."""
        return torch.randint(self.filled * self.ended.shape[1], (count,), generator=generator)

    def rows(self, name: str, drawn: Tensor) -> Tensor:
        """Return an array's rows of drawn steps."""
        first, env = self._place(drawn)
        return self._rows(name, first * self.ended.shape[1] + env)

    def take(self, drawn: Tensor, steps: int, gamma: Tensor, dead: Tensor) -> Transitions:
        """Return the transitions of drawn steps, as `sample` does."""
        envs = self.ended.shape[1]
        first, env = self._place(drawn)
        age = drawn // envs
        rewards, discount, last = self._walk(first, age, env, steps, gamma, dead)
        start, end = first * envs + env, last * envs + env
        kind = "critic" if "critic_observations" in self.arrays else "policy"
        return Transitions(
            self._rows("policy_observations", start),
            self._rows(f"{kind}_observations", start),
            self._rows("actions", start),
            rewards,
            discount,
            self._rows("policy_successors", end),
            self._rows(f"{kind}_successors", end),
        )

    def reward_moments(self) -> Tensor:
        """Return mean and standard deviation `[2, C]` of rewards, of steps that ended in no termination."""
        alive = ~self.terminated[: self.filled, :, None]
        rewards, count = self.arrays["rewards"][: self.filled], alive.sum().clamp_min(1)
        mean = (rewards * alive).sum((0, 1)) / count
        square = ((rewards - mean) * alive).square().sum((0, 1)) / count
        return torch.stack([mean, square.sqrt()])

    def state(self) -> dict[str, Array]:
        """Return counts and the filled part of every array, live, by name."""
        named = self.arrays | {"terminated": self.terminated, "ended": self.ended}
        return {"replay.counts": self.counts} | {f"replay.{k}": v[: self.filled].numpy() for k, v in named.items()}

    def expect(self, state: dict[str, Array]) -> None:
        """Let `state` have the size of a saved one, whose arrays are to be copied there. Raises SpecError."""
        counts = state.get("replay.counts", self.counts)
        if counts.shape != (2,) or not 0 <= counts[0] < self.capacity or not 0 <= counts[1] <= self.capacity:
            raise SpecError(f"replay.counts: expected (step, steps) within {self.capacity}, got {counts.tolist()}")
        self.counts[:] = counts

    def _place(self, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Return the step's place in the ring, and the environment."""
        envs = self.ended.shape[1]
        return (drawn // envs + self.head - self.filled) % self.capacity, drawn % envs

    def _walk(
        self, first: Tensor, age: Tensor, env: Tensor, steps: int, gamma: Tensor, dead: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Sum rewards from `first [B]` on until the episode or the ring ends, or `steps` are done."""
        envs = self.ended.shape[1]
        terminated, ended = self.terminated.view(-1), self.ended.view(-1)
        last, going = first, torch.ones(len(first), dtype=torch.bool)
        discount = torch.ones(len(first), len(gamma))
        rewards = torch.zeros_like(discount)
        for k in range(steps):
            going = going & (age + k < self.filled)
            row = (first + k) % self.capacity
            flat = row * envs + env
            over = terminated[flat][:, None]
            # R <- R + D (r + gamma dead);  D <- gamma D, and 0 once terminated, for rows whose episode still runs
            paid = self._rows("rewards", flat) + torch.where(over, gamma * dead, 0.0)
            rewards += torch.where(going[:, None], discount * paid, 0.0)
            factor = gamma * ~over
            discount = torch.where(going[:, None], discount * factor, discount)
            last = torch.where(going, row, last)
            going = going & ~ended[flat]
        return rewards, discount, last

    def _rows(self, name: str, flat: Tensor) -> Tensor:
        array = self.arrays[name]
        return array.flatten(0, 1).index_select(0, flat)


def _groups(rollout: Rollout) -> dict[str, Views]:
    own = rollout.critic is not rollout.policy
    return {"policy": rollout.policy} | ({"critic": rollout.critic} if own else {})


def _widths(rollout: Rollout) -> dict[str, int]:
    widths = {"actions": rollout.actions.shape[2], "rewards": rollout.rewards.shape[2]}
    for name, views in _groups(rollout).items():
        widths |= {f"{name}_observations": views.raw.shape[2], f"{name}_successors": views.raw.shape[2]}
    return widths


def _successors(rollout: Rollout, views: Views) -> Tensor:
    """True successors `[T, N, O]`; a terminated row, whose successor has no value, keeps the next episode's start."""
    rows = torch.from_numpy(views.raw[1:]).clone()
    if views.finals:
        finals = torch.cat([torch.from_numpy(f) for f in views.finals])
        rows[torch.from_numpy(rollout.bootstrapped)] = finals
    return rows
