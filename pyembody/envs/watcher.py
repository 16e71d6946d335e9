"""Who is told of every step of an environment: nobody, or a recorder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]


class Watcher:
    """What `VectorEnv.watcher` is told. This one ignores it."""

    def before_step(self) -> None:
        """Look at the present states, before the action is taken."""

    def after_step(self, terminated: Bools, truncated: Bools) -> None:
        """Look at the states that the actions led to, before rows `[N]` that ended begin anew."""

    def before_reset(self, rows: Bools) -> None:
        """Look at the states of rows `[N]` that are about to be reset from outside."""
