"""Costs of rollouts: one call of the reward program over all steps of all candidates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from ..program import CompiledTask
from ..program.outputs import empty_lines
from ..spec.errors import SpecError
from ..spec.vocabulary import COST

Floats = NDArray[np.float64]
LINEAR_FROM = 40.0
NO_RISK = 1e-6


class CostProgram:
    """The channel `cost` of a compiled task (of the kind "metrics": its first metric) for rows `[T, N]`.

    Its operations must not remember: a candidate's steps may be evaluated in parts. Raises SpecError for a program that
    does.
    """

    def __init__(
        self,
        program: CompiledTask,
        threads: int = 1,
        risk: float = 0.0,
        kind: Literal["channels", "metrics"] = "channels",
    ) -> None:
        self.program = program.only([kind])
        self.width = len(program.channel_names if kind == "channels" else program.metric_names)
        self.column = program.channel_names.index(COST) if kind == "channels" else 0
        self.threads, self.risk = threads, risk
        self._core = self.program.build()
        if self._core.state_slots:
            raise SpecError(f"{COST}: expected terms without memory, as planners evaluate them on imagined states")
        self.inputs = self.program.inputs
        self.params = self.program.defaults.copy()

    def set(self, edits: Mapping[str, ArrayLike]) -> None:
        """Start from the defaults and write parameters and weights. Raises SpecError for unknown names and ranges."""
        self.params[:] = self.program.defaults
        self.program.set_params(self.params, edits)

    def __call__(self, signals: Mapping[str, Floats]) -> Floats:
        """Return the cost `[T, N]` of every row of signals `[T, N, lanes]`; not finite where a term was not.

        The risk transform `(exp(R l) - 1) / R` of the summed cost l is in it.
        """
        inputs = [signals[s.name] for s in self.inputs]
        steps, rows = inputs[0].shape[:2]
        out = empty_lines((steps, rows, self.width), np.float32)
        flags, bad = np.zeros((steps, rows), np.uint32), np.full((steps, rows), -1, np.int32)
        resets = np.zeros((steps, rows), np.bool_)
        state = _core.State(self._core, rows)
        _core.evaluate_log(self._core, state, inputs, [out], self.params, resets, flags, bad, self.threads)
        cost: Floats = out[:, :, self.column].astype(np.float64)
        cost[bad >= 0] = np.inf
        return risk(cost, self.risk)


def risk(cost: Floats, level: float) -> Floats:
    """Return `(exp(R l) - 1) / R` of costs l, linear beyond R l = 40, l itself for R = 0."""
    if abs(level) < NO_RISK:
        return cost
    scaled = level * cost
    beyond = np.exp(LINEAR_FROM) * np.maximum(scaled - LINEAR_FROM, 0.0)
    result: Floats = (np.expm1(np.minimum(scaled, LINEAR_FROM)) + beyond) / level
    return result
