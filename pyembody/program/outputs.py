"""The arrays that a program writes for N rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .reference import Group

if TYPE_CHECKING:
    from .. import _core

KINDS: dict[str, Any] = {"f4": np.float32, "u1": np.uint8}
LINE = 64


def empty_lines(shape: Sequence[int], dtype: Any) -> NDArray[Any]:
    """Return an array that begins at a cache line, as writing whole lines needs."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.empty(size + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    lines: NDArray[Any] = memory[start : start + size].view(dtype).reshape(shape)
    return lines


@dataclass(frozen=True)
class Outputs:
    """`groups` `[N, width]` by name, float32 or uint8; `flags` `[N]` uint32, `bad_term` `[N]` int32 (see `Flag`)."""

    groups: dict[str, NDArray[Any]]
    flags: NDArray[np.uint32]
    bad_term: NDArray[np.int32]

    @staticmethod
    def zeros(groups: Iterable[Group], n: int) -> Outputs:
        """Return arrays of `n` rows that nothing was written to yet."""
        arrays = {g.name: empty_lines((n, g.width), KINDS[g.dtype]) for g in groups}
        for array in arrays.values():
            array.fill(0)
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
