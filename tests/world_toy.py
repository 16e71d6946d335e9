"""A swinging point whose equation is known: data from a strip of its states, and rollouts that leave it."""

from __future__ import annotations

import numpy as np

from pyembody.data.dataset import Transitions
from pyembody.world import Fit, FitSettings
from pyembody.world.ensemble import Ensemble

STRIP = 0.6


def move(state: np.ndarray, action: np.ndarray) -> np.ndarray:
    """The next (place, speed) `[M, 2]` under a force `[M, 1]`."""
    place, speed = state[:, 0], state[:, 1]
    speed = speed + 0.1 * (-np.sin(2 * place) - 0.3 * speed + action[:, 0])
    return np.stack([place + 0.1 * speed, speed], axis=1).astype(np.float32)


def off_strip(state: np.ndarray) -> np.ndarray:
    return np.abs(state[:, 1] - 0.5 * state[:, 0])


def strip(seed: int, count: int = 12_000, noise: float = 0.0) -> Transitions:
    """Rows whose states lie in the strip, about a quarter of `count`."""
    rng = np.random.default_rng(seed)
    state = np.stack([rng.uniform(-3, 3, count), rng.uniform(-2.5, 2.5, count)], axis=1).astype(np.float32)
    state = state[off_strip(state) < STRIP]
    action = rng.uniform(-1, 1, (len(state), 1)).astype(np.float32)
    successor = move(state, action) + np.float32(noise) * rng.standard_normal(state.shape, dtype=np.float32)
    no = np.zeros(len(state), np.bool_)
    return Transitions(state, action, successor, np.zeros((len(state), 0), np.float32), no, no)


def fitted(rows: Transitions, epochs: int = 15, **settings: object) -> tuple[Fit, list[Ensemble]]:
    """A fit that is done, and the ensemble after every epoch of it."""
    fit = Fit(rows, FitSettings(hidden=(64, 64), members=5, elites=5, epochs=epochs, **settings))
    stages = []
    while not fit.done:
        fit.epoch()
        stages.append(fit.present())
    return fit, stages
