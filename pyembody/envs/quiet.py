"""Divergence is data, counted by the environment: MuJoCo's own warning file and prints are not needed for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import mujoco


def _ignore(message: str) -> None:
    """The batch counts warnings per simulation; the text adds nothing."""


@contextmanager
def quiet() -> Iterator[None]:
    """Keep MuJoCo from printing warnings and from writing its log file; the previous handler comes back afterwards."""
    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(_ignore)
    try:
        yield
    finally:
        mujoco.set_mju_user_warning(before)
