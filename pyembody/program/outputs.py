"""The arrays that a program writes for N rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .reference import Group

if TYPE_CHECKING:
    from .. import _core

KINDS: dict[str, Any] = {"f4": np.float32, "u1": np.uint8}


@dataclass(frozen=True)
class Outputs:
    """`groups` `[N, width]` by name, float32 or uint8; `flags` `[N]` uint32, `bad_term` `[N]` int32 (see `Flag`)."""

    groups: dict[str, NDArray[Any]]
    flags: NDArray[np.uint32]
    bad_term: NDArray[np.int32]

    @staticmethod
    def zeros(groups: Iterable[Group], n: int) -> Outputs:
        """Return arrays of `n` rows that nothing was written to yet."""
        arrays = {g.name: np.zeros((n, g.width), KINDS[g.dtype]) for g in groups}
        return Outputs(arrays, np.zeros(n, np.uint32), np.full(n, -1, np.int32))

    def evaluator(
        self,
        core: _core.Program,
        state: _core.State,
        inputs: list[NDArray[Any]],
        params: NDArray[np.float32],
        threads: int = 1,
    ) -> _core.Evaluator:
        """Return the evaluator that writes these arrays from `inputs`, one `[N, lanes]` for each of the program's."""
        from .. import _core

        return _core.Evaluator(
            core, state, inputs, list(self.groups.values()), params, self.flags, self.bad_term, threads
        )
