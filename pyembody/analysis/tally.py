"""Running episodes and adding up what happened in each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .gait import GaitTracker
from .record import Policy, Progress
from .signals import read_signal
from .statistics import finite

if TYPE_CHECKING:
    from ..envs.vector import VectorEnv

Array = npt.NDArray[Any]

GRAVITY = 9.81
MIN_DISTANCE = 0.5  # m; energy over a shorter way says nothing about the cost of walking


@dataclass(frozen=True)
class TermShare:
    """One reward term: mean raw value, mean reward per second, share of all terms' absolute
    rewards.
    """

    raw: float
    per_second: float
    share: float

    def to_json(self) -> dict[str, float | None]:
        """Return the numbers by name."""
        return {
            "raw": finite(self.raw),
            "per_second": finite(self.per_second),
            "share": finite(self.share),
        }


@dataclass(frozen=True)
class Tally:
    """E episodes: steps [E]; success, terminated [E] bool; metrics [E, M] means; raw, weighted [E,
    K] sums.

    `power` [E] W and `transport` [E] (energy over weight and distance; NaN for short ways), None
    where the robot does not provide torques and speeds.
    """

    steps: Array
    success: Array
    terminated: Array
    metrics: Array
    raw: Array
    weighted: Array
    power: Array | None
    transport: Array | None

    def term_shares(self, env: VectorEnv) -> dict[str, TermShare]:
        """Return each term's figures over all steps of all episodes."""
        steps = max(int(self.steps.sum()), 1)
        weighted = self.weighted.sum(axis=0) / steps
        total = max(float(np.abs(weighted).sum()), 1e-12)
        raw = self.raw.sum(axis=0) / steps
        return {
            name: TermShare(float(raw[k]), float(weighted[k] / env.control_dt), float(abs(weighted[k]) / total))
            for k, name in enumerate(env.term_names)
        }


class _Sums:
    """Sums of every row over its first episode."""

    def __init__(self, env: VectorEnv, rows: int) -> None:
        n = env.num_envs
        self.env, self.rows = env, rows
        self.alive = np.arange(n) < rows
        self.steps = np.zeros(n, np.int64)
        self.success, self.terminated = np.zeros(n, bool), np.zeros(n, bool)
        self.metrics = np.zeros((n, len(env.metric_names)))
        self.raw, self.weighted = np.zeros((2, n, len(env.term_names)))
        self.energy, self.distance = np.zeros(n), np.zeros(n)
        self.measured = np.zeros(n, np.int64)

    def add(self, terminated: Array, truncated: Array, info: dict[str, Any]) -> Array:
        """Take in one step of the rows alive; return those [N] bool whose episode goes on."""
        now, last = self.alive, info.get("final_info", info)
        self.steps += now
        self.metrics += np.where(now[:, None], last["metrics"], 0)
        self.raw += np.where(now[:, None], self.env.raw, 0)
        self.weighted += np.where(now[:, None], self.env.weighted, 0)
        ended = now & (terminated | truncated)
        # a task that says nothing of success wants an episode to last
        won = np.asarray(last["success"], bool) if self.env.task.success else ~terminated
        self.success |= ended & won
        self.terminated |= ended & terminated
        self.alive = now & ~ended
        self._add_power()
        return self.alive

    def _add_power(self) -> None:
        """Add the mechanical power of the rows alive; a row that just ended already shows its next
        episode.
        """
        torque, speed = read_signal(self.env, "joint_torque"), read_signal(self.env, "joint_vel")
        if torque is None or speed is None:
            return
        self.measured += self.alive
        self.energy += np.where(self.alive, np.abs(torque * speed).sum(axis=1), 0) * self.env.control_dt
        velocity = read_signal(self.env, "base_lin_vel_world")
        if velocity is not None:
            way = np.linalg.norm(velocity[:, :2], axis=1) * self.env.control_dt
            self.distance += np.where(self.alive, way, 0)

    def tally(self) -> Tally:
        rows, env = slice(self.rows), self.env
        steps = np.maximum(self.steps[rows], 1)
        power = transport = None
        if self.measured.any():
            power = self.energy[rows] / np.maximum(self.measured[rows] * env.control_dt, env.control_dt)
        if self.distance.any():
            weight = float(env.model.body_mass.sum()) * GRAVITY
            far = self.distance[rows] >= MIN_DISTANCE
            way = np.maximum(self.distance[rows], MIN_DISTANCE)
            transport = np.where(far, self.energy[rows] / (weight * way), np.nan)
        metrics = self.metrics[rows] / steps[:, None]
        return Tally(
            self.steps[rows],
            self.success[rows],
            self.terminated[rows],
            metrics,
            self.raw[rows],
            self.weighted[rows],
            power,
            transport,
        )


def run_episodes(
    env: VectorEnv,
    policy: Policy,
    counts: dict[int, int],
    label: str,
    tracker: GaitTracker | None,
    progress: Progress | None,
) -> Tally:
    """Run the first episode of `counts[seed]` rows after a reset with each seed and return what
    happened in them.
    """
    tallies = []
    for name in (
        "joint_torque",
        "joint_vel",
        "base_lin_vel_world",
    ):  # asked once, so that the reset fills them
        read_signal(env, name)
    for k, (seed, rows) in enumerate(counts.items()):
        observations, _ = env.reset(seed=seed)
        sums = _Sums(env, rows)
        if tracker is not None:
            tracker.start()
        for t in range(env.max_steps + 1):
            observations, _, terminated, truncated, info = env.step(np.asarray(policy(observations), np.float32))
            alive = sums.add(np.asarray(terminated), np.asarray(truncated), info)
            if tracker is not None:
                tracker.update(alive)
            if progress is not None:
                progress(label, (k + min(1.0, (t + 1) / env.max_steps)) / len(counts))
            if not alive.any():
                break
        tallies.append(sums.tally())
    if progress is not None:
        progress(label, 1.0)
    return _join(tallies)


def _join(tallies: list[Tally]) -> Tally:
    def together(name: str) -> Array:
        return np.concatenate([getattr(t, name) for t in tallies])

    def where_measured(name: str) -> Array | None:
        parts = [getattr(t, name) for t in tallies]
        return None if any(p is None for p in parts) else np.concatenate(parts)

    plain = {name: together(name) for name in ("steps", "success", "terminated", "metrics", "raw", "weighted")}
    return Tally(**plain, power=where_measured("power"), transport=where_measured("transport"))
