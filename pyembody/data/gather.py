"""Datasets made by acting: at random, or as a policy does with noise on its actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .header import Header
from .recorder import Recorder

if TYPE_CHECKING:
    from ..envs.vector import VectorEnv

Array = npt.NDArray[Any]
Policy = Callable[[Array], Array]
Progress = Callable[[str, float], None]
RANDOM_RANGE = 1.0
"""Random actions are uniform within this, in the policy's units."""


def uniform(actions: int, seed: int) -> Policy:
    """Return a policy of `actions` numbers that looks at nothing."""
    rng = np.random.default_rng(seed)
    return lambda rows: rng.uniform(-RANDOM_RANGE, RANDOM_RANGE, (len(rows), actions)).astype(np.float32)


class Noisy:
    """`policy` with normal noise of a standard deviation added to its actions."""

    def __init__(self, policy: Policy, deviation: float, seed: int) -> None:
        self.policy, self.deviation, self.rng = policy, deviation, np.random.default_rng(seed)

    def __call__(self, rows: Array) -> Array:
        """Return actions `[N, A]` for observations `[N, O]`."""
        actions = self.policy(rows)
        return (actions + self.deviation * self.rng.standard_normal(actions.shape)).astype(np.float32)

    def forget(self, ended: Array | None = None) -> None:
        """Let a policy with memory begin anew where `ended [N]` bool, everywhere for None."""
        begin: Callable[[Array | None], None] = getattr(self.policy, "forget", lambda _: None)
        begin(ended)


def gather(
    env: VectorEnv,
    policy: Policy,
    path: Path | str,
    steps: int,
    *,
    kind: str = "",
    source: str = "",
    seed: int = 0,
    command: Sequence[float] | None = None,
    progress: Progress | None = None,
) -> Header:
    """Record at least `steps` transitions of `policy` in `env` into a new folder and return the header.

    With a `command` all rows hold it. Raises SpecError where the folder is there already or cannot be written,
    ValueError for a number of steps below one.
    """
    if steps < 1:
        raise ValueError(f"steps: expected at least 1, got {steps}")
    count = -(-steps // env.num_envs)
    # an env's reset by seed starts all clocks alike; staggered, episodes end at different steps
    options: dict[str, Any] = {"stagger": True} | ({} if command is None else {"command": list(command)})
    observations, _ = env.reset(seed=seed, options=options)
    forget: Callable[[Array | None], None] = getattr(policy, "forget", lambda _: None)
    forget(None)
    with Recorder(env, path, kind=kind, source=source, seeds=(seed,)) as recorder:
        for step in range(count):
            observations, _, terminated, truncated, _ = env.step(policy(observations))
            forget(terminated | truncated)
            if progress is not None:
                progress("recording", (step + 1) / count)
    return recorder.header
