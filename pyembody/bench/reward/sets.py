"""Many sets of parameters over one stored batch, bound once."""

from __future__ import annotations

import numpy as np

from ... import _core
from ...program import CompiledTask
from ...program.outputs import empty_lines
from . import COLUMNS, Floats


class ParameterSets:
    """`step()` evaluates `params` `[P, n]` over `rows` `[N, 100]` into `totals` `[P, 1, N, 1]`."""

    def __init__(self, program: CompiledTask, rows: Floats, params: Floats, threads: int) -> None:
        n = len(rows)
        self.totals: Floats = empty_lines((len(params), 1, n, 1), np.float32)
        self._arguments = (
            program.build(sets=True),
            None,
            [rows[None, :, COLUMNS[s.name]] for s in program.inputs],
            [self.totals],
            params,
            np.zeros((1, n), np.bool_),
            np.zeros((1, n), np.uint32),
            None,
            threads,
        )

    def step(self) -> None:
        """Evaluate all sets."""
        _core.evaluate_log(*self._arguments)
