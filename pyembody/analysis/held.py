"""What a policy makes of one command that is held: the velocities it reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .gait import SETTLE_S, STAND_S
from .record import Policy, Progress, forget
from .signals import read_signal
from .statistics import Mean, bootstrap_mean

if TYPE_CHECKING:
    from ..envs.vector import VectorEnv

Array = npt.NDArray[Any]
VELOCITIES = ("base_lin_vel", "base_ang_vel")


@dataclass(frozen=True)
class Held:
    """A held `command` (forward, lateral m/s; turn rad/s) and the mean velocities once it is settled."""

    command: tuple[float, float, float]
    forward: Mean
    lateral: Mean
    turn: Mean

    def to_json(self) -> dict[str, Any]:
        """Return command and means by name."""
        means = {name: getattr(self, name).to_json() for name in ("forward", "lateral", "turn")}
        return {"command": list(self.command)} | means


def hold(
    env: VectorEnv, policy: Policy, seed: int, command: Sequence[float], progress: Progress | None = None
) -> Held | None:
    """Return what all rows of `env` reach under one command, None if the robot does not tell its velocities.

    Intervals are over rows; one that ends early counts up to its end.
    """
    if any(read_signal(env, name) is None for name in VELOCITIES):
        return None
    asked = np.asarray(command, np.float32)
    observations, _ = env.reset(seed=seed, options={"command": asked})
    forget(policy)
    steps = max(1, min(round(STAND_S / env.control_dt), env.max_steps - 1))
    settle = min(round(SETTLE_S / env.control_dt), steps // 2)
    alive, count = np.ones(env.num_envs, bool), np.zeros(env.num_envs)
    total = np.zeros((env.num_envs, 3))
    for t in range(steps):
        observations, _, terminated, truncated, _ = env.step(np.asarray(policy(observations), np.float32))
        forget(policy, terminated | truncated)
        alive &= ~(np.asarray(terminated) | np.asarray(truncated))
        if t >= settle:
            total[alive] += _velocities(env)[alive]
            count += alive
        if progress is not None:
            progress("held command", (t + 1) / steps)
    env.set_command(None)
    means = np.divide(total, count[:, None], out=np.full_like(total, np.nan), where=count[:, None] > 0)
    forward, lateral, turn = (bootstrap_mean(means[:, k]) for k in range(3))
    return Held((float(asked[0]), float(asked[1]), float(asked[2])), forward, lateral, turn)


def _velocities(env: VectorEnv) -> Array:
    """Forward, lateral and turning velocities [N, 3] in the robot's own frame."""
    linear, angular = (read_signal(env, name) for name in VELOCITIES)
    assert linear is not None  # looked at before the first step
    assert angular is not None
    found: Array = np.stack([linear[:, 0], linear[:, 1], angular[:, 2]], axis=1)
    return found
