"""Two goals whose rewards differ a thousandfold: which arms of critics learn both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from pyembody.learn import create_run, load_policy, train
from pyembody.spec import Channel, Task, Term
from test_learn_toy import DT, HORIZON_STEPS, PointMass, toy_robot, toy_train

GOAL, WIDTH = 1.0, 0.5
ARMS: dict[str, dict[str, Any]] = {
    "a": {"critics": "single"},
    "b": {"critics": "single", "reward_scale": "return_std"},
    "c": {"normalise": False},
    "d": {"std_floor": 0.0},
    "e": {"critics": "heads"},
    "f": {},
    "g": {"critics": "single", "reward_scale": "log"},
}


class TwoGoals(PointMass):
    """A point in the plane, pushed at up to 1 m/s: `small` pays at x = GOAL, `large` a thousandfold at y = GOAL."""

    channel_names = ("small", "large")
    term_names = ("small.x", "large.y")
    single_action_space = spaces.Box(-1, 1, (2,), np.float32)

    def step(self, actions: np.ndarray) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Move, pay; finished rows start anew at once."""
        self.state += DT * np.clip(actions.astype(np.float64), -1, 1)
        self.age += 1
        self.channels[:] = pay(self.state) * (1.0, 1e3)
        self.observations[:] = self.state
        truncated = self.age >= HORIZON_STEPS
        success = np.zeros(self.num_envs, np.bool_)
        info = {"channels": self.channels.copy(), "metrics": self.metrics.copy(), "success": success}
        self.final_observations[truncated] = self.observations[truncated]
        self._start(truncated)
        return self.observations.copy(), info["channels"].sum(1), np.zeros_like(truncated), truncated, info

    def _start(self, rows: np.ndarray) -> None:
        self.state[rows] = self.rng.uniform(-0.3, 0.3, (int(rows.sum()), 2))
        self.age[rows] = 0
        self.observations[rows] = self.state[rows]


def pay(places: np.ndarray) -> np.ndarray:
    """What each coordinate earns in a step, before the factor."""
    paid: np.ndarray = np.exp(-np.abs(places - GOAL) / WIDTH)
    return paid


def task() -> Task:
    channels = {n: Channel({"x": Term("0")}, gamma=0.95) for n in TwoGoals.channel_names}
    return Task("goals", {"policy": {"x": "0"}}, channels)


def reached(tmp_path: Path, **changes: Any) -> tuple[np.ndarray, Path]:
    """Train an arm; return each channel's share of what going straight to its goal would earn, and the run."""
    run = create_run(task(), toy_robot(), toy_train(**changes), 0, (), tmp_path)
    train(run, progress=False, make_env=lambda _s, n, _t, first: TwoGoals(n, seed=first))
    policy, env = load_policy(run), TwoGoals(256, seed=9)
    env.reset()
    best, earned, optimum = env.state.copy(), np.zeros(2), np.zeros(2)
    for _ in range(HORIZON_STEPS):
        best += np.clip(GOAL - best, -DT, DT)
        optimum += pay(best).mean(0)
        _, _, _, _, info = env.step(policy(env.observations))
        earned += info["channels"].mean(0) / (1.0, 1e3)
    return earned / optimum, run


def test_normalised_critics_reach_both_goals_and_plain_sums_only_the_large_one(tmp_path: Path) -> None:
    (*both, logged), shares = reached(tmp_path), {}
    for arm, settings in ARMS.items():
        log = {"reward_log": str(logged)} if arm == "g" else {}
        shares[arm], _ = reached(tmp_path, **settings, **log)
    small, large = ({arm: share[i] for arm, share in shares.items()} for i in (0, 1))
    np.testing.assert_array_equal(both[0], shares["f"])
    assert all(share >= 0.9 for share in large.values())
    assert small["a"] <= 0.5
    assert small["c"] == pytest.approx(small["a"], abs=0.05) and large["c"] == pytest.approx(large["a"], abs=0.05)
    # what is scale-free reaches both, with one critic too
    assert all(small[arm] >= 0.9 for arm in "bdefg")
