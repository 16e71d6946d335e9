"""Vector environments of other libraries on the same Ant, as samplers.

A library that is not installed is left out.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .stepping import SETTLE
from .timing import Case


@dataclass
class Peer:
    """A started peer: what measures it and how to stop its processes."""

    sample: Callable[[], float]
    close: Callable[[], None]


def installed(module: str) -> bool:
    """Return whether a module could be imported."""
    return importlib.util.find_spec(module) is not None


def gymnasium_ant(mode: str, actions: NDArray[np.float32]) -> Peer:
    """Return Gymnasium's `sync` or `async` vector environment of Ant-v5, without contact forces in
    the observation.
    """
    import gymnasium

    settings: dict[str, Any] = {}
    if mode == "async":
        # One process per environment, forked from a clean server that has the simulator loaded
        # already.
        import multiprocessing

        multiprocessing.get_context("forkserver").set_forkserver_preload(["gymnasium.envs.mujoco.ant_v5"])
        settings["vector_kwargs"] = {"context": "forkserver"}
    env = gymnasium.make_vec(
        "Ant-v5",
        actions.shape[1],
        vectorization_mode=mode,
        include_cfrc_ext_in_observation=False,
        **settings,
    )
    return Peer(_stepping(env, actions), env.close)


def envpool_ant(actions: NDArray[np.float32], threads: int) -> Peer:
    """Return EnvPool's Ant-v4 (27 observations, no contact forces), stepped synchronously."""
    import envpool

    n = actions.shape[1]
    env = envpool.make("Ant-v4", env_type="gymnasium", num_envs=n, num_threads=threads)
    return Peer(_stepping(env, actions.astype(np.float64)), env.close)


def _stepping(env: Any, actions: NDArray[Any]) -> Callable[[], float]:
    def prepare() -> None:
        # the same age of episodes as ours
        env.reset()
        for t in range(SETTLE):
            env.step(actions[t % len(actions)])

    def run() -> int:
        for action in actions:
            env.step(action)
        return int(actions.shape[0] * actions.shape[1])

    return Case(run, prepare).sample
