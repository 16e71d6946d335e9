"""Running episodes and adding up what happened in each."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..envs.paid import joined_terms, paid_names
from .gait import GaitTracker
from .record import Policy, Progress, forget
from .signals import read_signal
from .statistics import finite

if TYPE_CHECKING:
    from ..envs.vector import VectorEnv

Array = npt.NDArray[Any]

GRAVITY = 9.81
MIN_DISTANCE = 0.5  # m; energy over a shorter way says nothing about the cost of walking


@dataclass(frozen=True)
class TermShare:
    """One reward term, or what a channel pays besides: mean raw value, mean reward per step, second and episode, and
    its share of all absolute rewards.

    NaN where there is no such number: a line has no raw value, a term that is joined with others no reward.
    """

    raw: float
    per_step: float
    per_second: float
    per_episode: float
    share: float

    def to_json(self) -> dict[str, float | None]:
        """Return the numbers by name, None for those that are not there."""
        return {f.name: finite(getattr(self, f.name)) for f in fields(self)}


@dataclass(frozen=True)
class Tally:
    """E episodes: steps [E]; success, terminated [E] bool; metrics [E, M] means; sums of raw [E, K] and of what was
    paid [E, K + L], see `paid_names`.

    `power` [E] W and `transport` [E] (energy over weight and distance; NaN for short ways), None
    where the robot does not provide torques and speeds.
    """

    steps: Array
    success: Array
    terminated: Array
    metrics: Array
    raw: Array
    paid: Array
    power: Array | None
    transport: Array | None

    def term_shares(self, env: VectorEnv) -> dict[str, TermShare]:
        """Return the figures of each term, and of what channels pay besides, over all steps of all episodes."""
        steps, episodes = max(int(self.steps.sum()), 1), max(len(self.steps), 1)
        total = self.paid.sum(axis=0)
        lines = len(env.line_names)
        raw = np.append(self.raw.sum(axis=0) / steps, np.full(lines, np.nan))
        joined = np.append(joined_terms(env), np.zeros(lines, bool)).astype(bool)
        paid = np.where(joined, np.nan, total)
        share = np.abs(paid) / max(float(np.abs(total).sum()), 1e-12)
        columns = (raw, paid / steps, paid / steps / env.control_dt, paid / episodes, share)
        rows = np.stack(columns, axis=1).tolist()
        return {name: TermShare(*row) for name, row in zip(paid_names(env), rows, strict=True)}


class _Sums:
    """Sums of every row over its first episode."""

    def __init__(self, env: VectorEnv, rows: int) -> None:
        n = env.num_envs
        self.env, self.rows = env, rows
        self.alive = np.arange(n) < rows
        self.steps = np.zeros(n, np.int64)
        self.success, self.terminated = np.zeros(n, bool), np.zeros(n, bool)
        self.metrics = np.zeros((n, len(env.metric_names)))
        self.raw = np.zeros((n, len(env.term_names)))
        self.paid = np.zeros((n, len(paid_names(env))))
        self.energy, self.distance = np.zeros(n), np.zeros(n)
        self.measured = np.zeros(n, np.int64)

    def add(self, terminated: Array, truncated: Array, info: dict[str, Any]) -> Array:
        """Take in one step of the rows alive; return those [N] bool whose episode goes on."""
        now, last = self.alive, info.get("final_info", info)
        self.steps += now
        self.metrics += np.where(now[:, None], last["metrics"], 0)
        self.raw += np.where(now[:, None], self.env.raw, 0)
        self.paid += np.where(now[:, None], np.concatenate([self.env.weighted, self.env.lines], axis=1), 0)
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
            self.paid[rows],
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
        forget(policy)
        sums = _Sums(env, rows)
        if tracker is not None:
            tracker.start()
        for t in range(env.max_steps + 1):
            observations, _, terminated, truncated, info = env.step(np.asarray(policy(observations), np.float32))
            forget(policy, terminated | truncated)
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

    plain = {name: together(name) for name in ("steps", "success", "terminated", "metrics", "raw", "paid")}
    return Tally(**plain, power=where_measured("power"), transport=where_measured("transport"))
