"""The skills of N environments: a signal that is drawn at reset and held for the episode."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..spec.signal import Signal
from ..spec.skills import SIGNAL, Skills
from .commands import Rows

Floats = NDArray[np.float32]
SHORTEST = 1e-6
"""Length from which numbers have a direction."""


class SkillSource:
    """Draws `skill` [N, Z] float32 at each reset, but where one is `held` [N]."""

    def __init__(self, spec: Skills, n: int) -> None:
        self.spec = spec
        self.skill = np.zeros((n, spec.size), np.float32)
        self.held = np.zeros(n, np.bool_)

    @staticmethod
    def signals(spec: Skills) -> list[Signal]:
        """The signal `skill`."""
        return [Signal(SIGNAL, "vector", spec.size)]

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The signal's array by name."""
        return {SIGNAL: self.skill}

    def hold(self, skill: ArrayLike | None) -> None:
        """Hold `skill`, [Z] or [N, Z], from now on; with None the next resets draw again. Raises ValueError."""
        self.held[:] = skill is not None
        if skill is None:
            return
        given = np.asarray(skill, np.float32)
        if given.shape not in (self.skill.shape[1:], self.skill.shape):
            raise ValueError(f"skill: expected {self.skill.shape[1:]} or {self.skill.shape}, got {given.shape}")
        if not np.isfinite(given).all():
            raise ValueError("skill: expected finite numbers")
        self.skill[:] = given

    def reset(self, rng: np.random.Generator, rows: Rows) -> None:
        """Draw for new episodes in `rows`, unless they are held."""
        drawn, free = draw_skills(self.spec, rng, len(rows)), ~self.held[rows]
        self.skill[rows[free]] = drawn[free]


def draw_skills(spec: Skills, rng: np.random.Generator, count: int) -> Floats:
    """Return `count` skills [count, Z] by the prior."""
    if spec.prior == "discrete":
        return all_skills(spec)[rng.integers(0, spec.size, count)]
    drawn = rng.standard_normal((count, spec.size))
    unit: Floats = (drawn / np.maximum(np.linalg.norm(drawn, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    return unit


def all_skills(spec: Skills) -> Floats:
    """Return the centred one-hot vectors [Z, Z] of a discrete prior: 1 for oneself, together 0."""
    size = spec.size
    rows: Floats = ((size * np.eye(size) - 1) / (size - 1)).astype(np.float32)
    return rows


def spread_skills(spec: Skills, count: int, seed: int = 0) -> Floats:
    """Return about `count` skills [K, Z] that cover the prior: all of a discrete one, else evenly spread directions.

    In two dimensions they are `count` angles a step apart, from the first axis on; in more they are drawn by `seed`.
    """
    if spec.prior == "discrete":
        return all_skills(spec)
    if spec.size > 2:
        return draw_skills(spec, np.random.default_rng(seed), count)
    angle = 2 * np.pi * np.arange(count) / count
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def named_skill(spec: Skills, numbers: ArrayLike) -> Floats:
    """Return the skill [Z] that a person means: its number (from 0) of a discrete prior, or a direction.

    Raises ValueError saying what was expected.
    """
    given = np.asarray(numbers, np.float32)
    if spec.prior == "discrete":
        if given.shape != (1,) or given[0] not in range(spec.size):
            raise ValueError(f"skill: expected a whole number from 0 to {spec.size - 1}, got {given.tolist()}")
        chosen: Floats = all_skills(spec)[int(given[0])]
        return chosen
    length = float(np.linalg.norm(given)) if given.shape == (spec.size,) else 0.0
    if not (length > SHORTEST and np.isfinite(length)):
        raise ValueError(f"skill: expected {spec.size} numbers that are not all 0, got {given.tolist()}")
    unit: Floats = given / np.float32(length)
    return unit
