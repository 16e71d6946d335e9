"""Mirror canonicalisation: policy and critics only ever see one of two mirrored states, so the policy is symmetric."""

from __future__ import annotations

from typing import Any, Protocol

import numpy.typing as npt

Array = npt.NDArray[Any]


class MirrorMap(Protocol):
    """Index and sign of every component under the left-right mirror, and which rows to mirror (see `pyembody.envs`)."""

    obs_index: Array
    obs_sign: Array
    critic_index: Array
    critic_sign: Array
    action_index: Array
    action_sign: Array
    clock: int

    def flag(self, obs: Array) -> Array:
        """Return for observations `[N, O]` which rows `[N]` bool to mirror."""
        ...


def mirrored(rows: Array, flags: Array, index: Array, sign: Array) -> Array:
    """Return a copy of `rows [..., F]` in which the flagged ones are mirrored. `flags [...]` bool."""
    images: Array = rows.copy()
    mirror_rows(images, flags, index, sign)
    return images


def mirror_rows(rows: Array, flags: Array, index: Array, sign: Array) -> None:
    """Mirror the flagged rows of `rows [N, F]` in place: x -> x[index] * sign. `flags [N]` bool."""
    rows[flags] = rows[flags][:, index] * sign
