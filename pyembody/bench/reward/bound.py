"""A program of the C++ core with its arrays, bound once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ... import _core
from ...program import CompiledTask


class TimedProgram:
    """`step()` evaluates every row of the bound signals; `outputs` are its groups by name."""

    def __init__(
        self,
        program: CompiledTask,
        signals: Mapping[str, NDArray[np.float32]],
        threads: int,
        core: _core.Program,
    ) -> None:
        n = len(next(iter(signals.values())))
        bound = program.outputs(n)
        self.outputs = bound.groups
        self.params = program.defaults.copy()
        self._state = _core.State(core, n)
        inputs = [signals[s.name] for s in program.inputs]
        self.step = bound.evaluator(core, self._state, inputs, self.params, threads).step
