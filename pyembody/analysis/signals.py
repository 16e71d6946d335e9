"""Reading what a robot measures out of an environment, whatever that robot provides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ..envs.vector import VectorEnv

Array = npt.NDArray[Any]

CONTACT_FORCE = 1.0  # N; below it a foot hangs free


def read_signal(env: VectorEnv, name: str) -> Array | None:
    """Return the present values [N, lanes] of a signal, or None if the environment does not provide
    it.

    A signal that is read for the first time holds zeros until the next reset or step. The
    body-frame velocity is computed here, because the program computes it for itself.
    """
    if name == "base_lin_vel":
        quat, world = read_signal(env, "base_quat"), read_signal(env, "base_lin_vel_world")
        return None if quat is None or world is None else rotate_inverse(quat, world)
    try:
        return np.asarray(env.signal(name)).reshape(env.num_envs, -1)
    except (KeyError, ValueError):  # SpecError is a ValueError
        return None


def need_signal(env: VectorEnv, name: str) -> Array:
    """Return the present values [N, lanes] of a signal; ValueError if the environment does not
    provide it.
    """
    values = read_signal(env, name)
    if values is None:
        raise ValueError(f"env: expected a robot with the signal '{name}', got {env.robot.name} without it")
    return values


def rotate_inverse(quat: Array, vector: Array) -> Array:
    """Return world vectors [N, 3] in the frame of unit quaternions [N, 4] (w, x, y, z)."""
    w, q = quat[:, :1], quat[:, 1:]
    twice = 2 * np.cross(vector, q)
    turned: Array = vector + w * twice + np.cross(twice, q)
    return turned
