"""Cases that step an environment of pyembody, and the bare loop over the very rows that it
stepped.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..envs import VectorEnv
from .bare import BareLoop
from .timing import Case

Sampler = Callable[[], float]

SETTLE = 50
"""Steps before anything is recorded, so that rows are in all phases of an episode."""


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def draw_actions(steps: int, num_envs: int, width: int, std: float) -> NDArray[np.float32]:
    """Return normal actions [T, N, A] with standard deviation `std`, always the same ones."""
    return np.random.default_rng(0).normal(0.0, std, (steps, num_envs, width)).astype(np.float32)


def stepping_samplers(env: VectorEnv, actions: NDArray[np.float32], threads: int) -> dict[str, Sampler]:
    """Return `ours`, the environment stepped by `actions` [T, N, A], and `limit`, the same physics
    in a bare loop.

    Both step the same states under the same controls; ours adds the program, observations,
    commands and resets.
    """
    env.reset(seed=0, options={"stagger": True})
    for t in range(SETTLE):
        env.step(actions[t % len(actions)])
    start = env.state_dict()
    rows = record_rows(env, actions)
    bare = BareLoop(env.model, rows, env.built.decimation, threads)

    def prepare() -> None:
        env.load_state_dict(start)

    def run() -> int:
        for action in actions:
            env.step(action)
        return len(actions) * env.num_envs

    return {"ours": Case(run, prepare).sample, "limit": Case(bare.run).sample}


def record_rows(env: VectorEnv, actions: NDArray[np.float32]) -> NDArray[np.float64]:
    """Step through `actions` [T, N, A] and return the state rows [T, N, S] that the physics
    started each step from.
    """
    ctrl = env.batch.bind("ctrl")
    first = (ctrl.ctypes.data - env.batch.state.ctypes.data) // ctrl.itemsize
    columns = slice(first, first + ctrl.shape[1])
    rows = np.empty((len(actions), *env.batch.state.shape))
    for t, action in enumerate(actions):
        rows[t] = env.batch.state
        env.step(action)
        # The controls were written inside step. A row that was reset there shows those of its new
        # episode instead.
        rows[t, :, columns] = env.batch.state[:, columns]
    return rows
