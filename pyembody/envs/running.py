"""A task's program on the arrays of an environment."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from ..program import CompiledTask
from ..spec.errors import SpecError
from .bindings import Bindings


class Running:
    """What a program of N environments writes (`outputs`), remembers (`state`, `moments`) and is told (`params`, and
    `rows` `[N, 1]` of the parameters that have a value an environment). `evaluator` evaluates it.
    """

    def __init__(self, program: CompiledTask, bindings: Bindings, n: int, threads: int) -> None:
        self.program = program
        self.params = program.defaults.copy()
        self.rows = program.param_rows(n)
        self.moments = program.make_moments()
        self.outputs = program.outputs(n)
        core = program.build()
        self.state = _core.State(core, n)
        signals = [s for s in program.inputs if s.name not in self.rows]
        arrays: dict[str, NDArray[Any]] = dict(zip((s.name for s in signals), bindings.inputs(signals), strict=True))
        arrays |= self.rows
        inputs = [arrays[s.name] for s in program.inputs]
        self.evaluator = self.outputs.evaluator(core, self.state, inputs, self.params, threads)
        self.inputs = {s.name: arrays[s.name] for s in program.inputs}

    def load_moments(self, moments: ArrayLike) -> None:
        """Put running statistics [3, K] in force. Raises SpecError for another number of them."""
        given, own = np.asarray(moments, np.float64), self.moments
        if given.shape != own.array.shape:
            raise SpecError(f"statistics: expected {own.array.shape}, a column for each 'normalise', got {given.shape}")
        own.array[:] = given
        own.write(self.params)
