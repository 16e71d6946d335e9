"""Acting in the simulator by plans that are made in a model, an episode at a time, timed."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from msgspec import Struct
from numpy.typing import NDArray

from ..envs.vector import VectorEnv
from ..spec import Robot, Task
from .planner import Planner, PlannerSettings
from .runner import WARM_UP
from .task_rollouts import ImaginedTask, SimulatedTask, look

Floats = NDArray[np.float64]


class PlannedEpisode(Struct, frozen=True):
    """What came of an episode: `paid` is the sum of its rewards, `plan_s` the time that each plan took, `cpu_s` the
    processor's for all of them.
    """

    seed: int
    success: bool
    terminated: bool
    paid: float
    length_s: float
    plan_s: tuple[float, ...]
    cpu_s: float


class PlanFigures(Struct, frozen=True):
    """Episodes of one model together: the times of a plan in ms, `cpu_ms` the processor's, and plans per second."""

    episodes: int
    successes: int
    paid: float
    p50_ms: float
    p99_ms: float
    plans_per_s: float
    cpu_ms: float


def acting_env(task: Task, robot: Robot, threads: int = 1) -> VectorEnv:
    """Return the one environment that is acted in: undisturbed, and left as it is where an episode ends."""
    return VectorEnv(task, robot, 1, threads=threads, autoreset_mode=AutoresetMode.DISABLED, randomize=False)


def planned_episode(
    env: VectorEnv, rollouts: SimulatedTask | ImaginedTask, settings: PlannerSettings, seed: int
) -> PlannedEpisode:
    """Act from the start of a seed to the end of the episode, planning anew before every step.

    The same seed gives the same episode for any number of threads.
    """
    env.reset(seed=seed)
    planner = make_planner(env, rollouts, settings, seed)
    for _ in range(WARM_UP):
        planner.replan(look(env, rollouts.state), 0.0)
    paid, plan_s, cpu_s, terminated = 0.0, list[float](), 0.0, False
    while True:
        start = look(env, rollouts.state)
        began, cpu = time.perf_counter(), time.process_time()
        planner.replan(start, rollouts.dt if plan_s else 0.0)
        plan_s.append(time.perf_counter() - began)
        cpu_s += time.process_time() - cpu
        _, rewards, ended, truncated, _ = env.step(planner.control(0.0)[None])
        paid, terminated = paid + float(rewards[0]), bool(ended[0])
        if terminated or truncated[0]:
            break
    length_s = len(plan_s) * rollouts.dt
    return PlannedEpisode(seed, bool(env.success[0]), terminated, paid, length_s, tuple(plan_s), cpu_s)


def make_planner(env: VectorEnv, rollouts: Any, settings: PlannerSettings, seed: int) -> Planner[Any]:
    """Return a planner of actions, in a policy's units, that rests at zero."""
    limit = np.full(env.action.shape[1], env.robot.control.action_limit, np.float64)
    return Planner(rollouts, settings, np.stack([-limit, limit], axis=1), np.zeros(len(limit)), seed)


def figures(episodes: list[PlannedEpisode]) -> PlanFigures:
    """Return what episodes of one model come to."""
    plans: Floats = np.concatenate([e.plan_s for e in episodes])
    p50, p99 = (float(1e3 * np.percentile(plans, q)) for q in (50, 99))
    paid = float(np.mean([e.paid for e in episodes]))
    successes = sum(e.success for e in episodes)
    cpu = 1e3 * sum(e.cpu_s for e in episodes) / len(plans)
    return PlanFigures(len(episodes), successes, paid, p50, p99, len(plans) / float(plans.sum()), cpu)
