"""A point mass on a line that honours the contract of `VectorEnv`: the toy that the learner's tests train on."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from pyembody.spec import Channel, Control, Robot, Task, Term, Train

HORIZON_STEPS = 40
DT = 0.1
LIMIT = 3.0


class PointMass:
    """N double integrators: observation (x, v), action a push; pay for being at 0, charge for pushing.

    `scales` multiply the rewards of the channels `goal` and `effort`. The step reward of `goal` is DT at x = 0. An
    episode is truncated after HORIZON_STEPS and terminated beyond |x| = LIMIT.
    """

    channel_names = ("goal", "effort")
    term_names = ("goal.near", "effort.push")
    metric_names = ("distance",)
    control_dt = DT
    max_steps = HORIZON_STEPS
    mirror: Any = None
    single_action_space = spaces.Box(-2, 2, (1,), np.float32)

    def __init__(
        self, num_envs: int = 64, seed: int = 0, scales: tuple[float, float] = (1.0, 1.0)
    ) -> None:
        self.num_envs = num_envs
        self.scales = np.array(scales, np.float32)
        self.rng = np.random.Generator(np.random.SFC64(seed))
        self.state = np.zeros((num_envs, 2))
        self.age = np.zeros(num_envs, np.int64)
        self.observations = np.zeros((num_envs, 2), np.float32)
        self.critic_observations = self.observations
        self.final_observations = np.zeros_like(self.observations)
        self.final_critic_observations = self.final_observations
        self.channels = np.zeros((num_envs, 2), np.float32)
        self.weighted = self.channels
        self.metrics = np.zeros((num_envs, 1), np.float32)
        self.seconds = {"physics": 0.0}

    def reset(
        self, *, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start all episodes; with `stagger` at random ages, with `group` alike in each group."""
        self._start(np.ones(self.num_envs, np.bool_))
        if options and options.get("stagger"):
            self.age[:] = self.rng.integers(0, HORIZON_STEPS, self.num_envs)
        if options and "group" in options:
            group = options["group"]
            self.observations[:] = self.state[:] = np.repeat(self.state[::group], group, axis=0)
        return self.observations.copy(), {}

    def step(self, actions: np.ndarray) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Push, move, pay; finished rows start anew at once."""
        push = np.clip(actions[:, 0].astype(np.float64), -2, 2)
        self.state[:, 1] += DT * push
        self.state[:, 0] += DT * self.state[:, 1]
        self.age += 1
        self.seconds["physics"] += 1.0
        x = self.state[:, 0]
        self.channels[:, 0] = DT * np.exp(-4 * x**2) * self.scales[0]
        self.channels[:, 1] = -0.02 * DT * push**2 * self.scales[1]
        self.metrics[:, 0] = np.abs(x)
        self.observations[:] = self.state
        terminated = np.abs(x) > LIMIT
        truncated = (self.age >= HORIZON_STEPS) & ~terminated
        rewards = self.channels.sum(1, dtype=np.float64)
        info = {
            "channels": self.channels.copy(),
            "metrics": self.metrics.copy(),
            "success": np.abs(x) < 0.1,
        }
        ended = terminated | truncated
        self.final_observations[ended] = self.observations[ended]
        self._start(ended)
        return self.observations.copy(), rewards, terminated, truncated, info

    def state_dict(self) -> dict[str, np.ndarray]:
        """Everything that changes, random numbers included."""
        state: Any = self.rng.bit_generator.state
        words = np.array(
            [*state["state"]["state"], state["has_uint32"], state["uinteger"]], np.uint64
        )
        return {
            "state": self.state.copy(),
            "age": self.age.copy(),
            "observations": self.observations.copy(),
            "random": words,
        }

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Continue where `state_dict` was taken."""
        self.state[:], self.age[:], self.observations[:] = (
            state["state"],
            state["age"],
            state["observations"],
        )
        words = state["random"]
        self.rng.bit_generator.state = {
            "bit_generator": "SFC64",
            "state": {"state": words[:4].copy()},
            "has_uint32": int(words[4]),
            "uinteger": int(words[5]),
        }

    def _start(self, rows: np.ndarray) -> None:
        self.state[rows] = self.rng.uniform(-1, 1, (int(rows.sum()), 2))
        self.age[rows] = 0
        self.observations[rows] = self.state[rows]


def toy_task() -> Task:
    """The toy's task: only channel settings matter to the learner."""
    goal = Channel({"near": Term("0")}, gamma=0.97)
    effort = Channel({"push": Term("0")}, weight=0.3, gamma=0.95)
    return Task("point", {"policy": {"x": "0"}}, {"goal": goal, "effort": effort})


def toy_robot() -> Robot:
    """A robot in name only."""
    return Robot("mass", ("slide",), Control())


def toy_train(**changes: Any) -> Train:
    """Small settings that solve the toy in about a second."""
    settings: dict[str, Any] = {
        "num_envs": 64,
        "horizon": 16,
        "iterations": 30,
        "actor_hidden": (32, 32),
        "critic_hidden": (32, 32),
        "checkpoint_every": 5,
    }
    return Train(**settings | changes)


def test_toy_keeps_the_true_successor_of_a_truncated_row() -> None:
    env = PointMass(3)
    env.reset()
    env.age[1] = HORIZON_STEPS - 1
    _, _, terminated, truncated, _ = env.step(np.zeros((3, 1), np.float32))
    assert truncated.tolist() == [False, True, False] and not terminated.any()
    assert not np.array_equal(env.final_observations[1], env.observations[1])
