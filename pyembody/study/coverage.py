"""Where skills take a thing, and how safely: what studies of skills compare."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..analysis.record import Policy, forget
from ..envs import VectorEnv
from ..envs.skills import spread_skills
from ..spec import SpecError
from ..spec.errors import unknown
from .spec import Cover

Array = npt.NDArray[Any]
METRICS = ("coverage", "safe", "hypervolume", "moved_share", "told_apart")


def cover_metrics(env: VectorEnv, policy: Policy, cover: Cover, seed: int) -> dict[str, float]:
    """Return what the skills of a policy do in an episode of each row of `env`, which are divided among the skills.

    `coverage`: share of the grid's cells that the thing was in; `safe`: share of steps that were not unsafe;
    `hypervolume`: their product; `moved_share`: share of skills that move the thing by more than `cover.moved_m` in the
    mean; `told_apart`: share of the variance of where it ends that is between skills, starts being drawn for each row.
    Raises SpecError for a task without skills or without the metric.
    """
    if env.task.skills is None:
        raise SpecError(f"cover: expected a task with [skills], got {env.task.name}")
    if cover.unsafe not in env.metric_names:
        raise unknown("cover.unsafe", "metric", cover.unsafe, env.metric_names)
    skills = spread_skills(env.task.skills, cover.skills, seed)
    which = np.arange(env.num_envs) % len(skills)
    places, unsafe = _episode(env, policy, cover, skills[which], seed)
    coverage, safe = visited(places, cover), 1.0 - float(unsafe)
    way, ends = places[-1] - places[0], places[-1]
    moved = [np.linalg.norm(way[which == k], axis=1).mean() > cover.moved_m for k in range(len(skills))]
    return {
        "coverage": coverage, "safe": safe, "hypervolume": coverage * safe, "moved_share": float(np.mean(moved)),
        "told_apart": between(ends, which),
    }  # fmt: skip


def _episode(env: VectorEnv, policy: Policy, cover: Cover, skills: Array, seed: int) -> tuple[Array, float]:
    """Places `[T, N, 2]` of the thing in all rows' first episodes, and the share of their steps that was unsafe."""
    place = env.signal(cover.signal)
    unsafe = env.metric_names.index(cover.unsafe)
    observations, _ = env.reset(seed=seed, options={"skill": skills})
    forget(policy)
    places, running, bad, steps = [place[:, :2].copy()], np.ones(env.num_envs, np.bool_), 0.0, 0
    while running.any():
        observations, _, terminated, truncated, info = env.step(policy(observations))
        forget(policy, terminated | truncated)
        bad += float(info["metrics"][running, unsafe].sum())
        steps += int(running.sum())
        running = running & ~(terminated | truncated)
        # an episode that is over stays where it was last seen: its row has started anew
        places.append(np.where(running[:, None], place[:, :2], places[-1]))
    return np.array(places), bad / steps


def visited(places: Array, cover: Cover) -> float:
    """Return the share of the cells of the grid that some of the places `[..., 2]` (m) are in."""
    low, high = np.array(cover.low), np.array(cover.high)
    cells = np.floor((places.reshape(-1, 2) - low) / (high - low) * cover.cells).astype(np.int64)
    inside = cells[((cells >= 0) & (cells < cover.cells)).all(axis=1)]
    return len(np.unique(inside, axis=0)) / cover.cells**2


def between(values: Array, which: Array) -> float:
    """Return the share of the variance of `values [N, D]` that lies between the groups `which [N]`; 0 if all agree."""
    middle = values.mean(axis=0)
    total = float(np.square(values - middle).sum())
    means = np.array([values[which == k].mean(axis=0) for k in which])
    return float(np.square(means - middle).sum()) / total if total > 0 else 0.0


def hypervolume(points: Iterable[tuple[float, float]]) -> float:
    """Return the area that is dominated by points (x, y) with x, y >= 0, from the origin on.

    >>> hypervolume([(0.5, 1.0), (1.0, 0.5), (0.2, 0.2)])
    0.75
    """
    area, reached = 0.0, 0.0
    for x, y in sorted(points, reverse=True):
        area += x * max(y - reached, 0.0)
        reached = max(reached, y)
    return area
