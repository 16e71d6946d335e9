"""Costs of candidates that may go on into later stages of a behaviour, for behaviours that ask for it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..envs.model import BuiltModel
from ..program import compile_task
from ..spec.errors import SpecError
from ..spec.robot import Robot
from ..spec.vocabulary import Vocabulary, make_task
from .behaviour import Behaviour, counting, parameters
from .cost import CostProgram
from .signals import behaviour_signals

Floats = NDArray[np.float64]
IMAGINED = ("ctrl", "prev_ctrl", "gait_cycles")
"""Signals of planned behaviours that imagined states have beside those of the robot."""


class Lookahead:
    """The costs of stages from the present one, `index`, on.

    A stage's cost c counts as c / (1 + c), which is below 1, and each stage that is left as 1, so that to have gone on
    is never dearer than to have stayed. Raises SpecError for an `until` that needs what imagined states do not have.
    """

    def __init__(
        self, vocabulary: Vocabulary, robot: Robot, built: BuiltModel, behaviour: Behaviour, dt: float, threads: int = 1
    ) -> None:
        self.index = 0
        self.begin(0)
        self._least = [max(1, math.ceil(s.hold_s / dt - 1e-9)) for s in behaviour.stages]
        signals = behaviour_signals(robot, built)
        self._costs: list[CostProgram] = []
        self._ends: dict[int, CostProgram] = {}
        for i, stage in enumerate(behaviour.stages):
            edits = {**behaviour.edits, **stage.edits}
            until = {"until": f"num({stage.until})"} if stage.until else {}
            task = make_task(vocabulary, f"stage_{i}", counting(vocabulary, edits), metrics=until)
            program = compile_task(task, signals, dt=dt)
            self._costs.append(CostProgram(program, threads))
            if until:
                self._ends[i] = CostProgram(program, threads, kind="metrics")
            values = {k: v for k, v in parameters(vocabulary, edits).items() if k in program.params}
            for rows in (self._costs[i], self._ends.get(i, self._costs[i])):
                rows.set(values)
        self.inputs = tuple({s.name: s for p in (*self._costs, *self._ends.values()) for s in p.inputs}.values())
        for signal in self.inputs:
            if signal.name not in (*built.sources, *IMAGINED):
                raise SpecError(f"lookahead: an until asks for '{signal.name}', which imagined states do not have")

    def begin(self, count: int) -> None:
        """Let `count` candidates begin in the present stage."""
        self._stage, self._held = np.full(count, self.index), np.zeros(count, np.int64)

    def __call__(self, signals: Mapping[str, Floats], ids: NDArray[np.int64]) -> Floats:
        """Return the cost `[T, N]` of rows of signals `[T, N, lanes]` of the candidates `ids`, which go on by them."""
        last = len(self._costs) - 1
        stages = range(self.index, last + 1)
        costs = np.array([self._costs[i](signals) for i in stages])
        costs = np.where(np.isfinite(costs), costs / (1.0 + costs), np.inf)
        never = np.zeros(costs.shape[1:], np.bool_)
        ended = np.array([self._ends[i](signals) > 0.5 if i in self._ends else never for i in stages])
        stage, held, column = self._stage[ids], self._held[ids], np.arange(len(ids))
        least = np.array(self._least)
        found = np.empty(costs.shape[1:])
        for t in range(len(found)):
            row = stage - self.index
            found[t] = costs[row, t, column] + (last - stage)
            held = np.where(ended[row, t, column], held + 1, 0)
            on = (held >= least[stage]) & (stage < last)
            stage, held = stage + on, np.where(on, 0, held)
        self._stage[ids], self._held[ids] = stage, held
        return found
