"""A program of the C++ core with its arrays, bound once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ... import _core
from ...program import CompiledTask


class BoundProgram:
    """`step()` evaluates every row of the bound signals; `outputs` are its groups by name."""

    def __init__(
        self,
        program: CompiledTask,
        signals: Mapping[str, NDArray[np.float32]],
        threads: int,
        core: _core.Program,
    ) -> None:
        n = len(next(iter(signals.values())))
        kinds = {"f4": np.float32, "u1": np.uint8}
        self.outputs = {g.name: np.zeros((n, g.width), kinds[g.dtype]) for g in program.groups.values()}
        self.params = program.defaults.copy()
        self.flags, self.bad_term = np.zeros(n, np.uint32), np.full(n, -1, np.int32)
        self._state = _core.State(core, n)
        self.step = _core.Evaluator(
            core,
            self._state,
            [signals[s.name] for s in program.inputs],
            list(self.outputs.values()),
            self.params,
            self.flags,
            self.bad_term,
            threads,
        ).step
