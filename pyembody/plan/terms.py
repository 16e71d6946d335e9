"""What each term of a behaviour says of the executed state: how far off it is, what it costs, whether it is reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..envs.model import BuiltModel
from ..program import compile_task
from ..spec.robot import Robot
from ..spec.vocabulary import Vocabulary, flat_name, make_task
from .behaviour import Edits, counting, parameters
from .signals import behaviour_signals


@dataclass(frozen=True)
class TermValue:
    """One term: the size of its residual in its unit, its weighted cost a step, and whether its target is reached."""

    term: str
    off: float
    cost: float
    reached: bool


class TermWatch:
    """The terms that count under edits, by address, evaluated on one state at a time."""

    def __init__(self, vocabulary: Vocabulary, robot: Robot, built: BuiltModel, edits: Edits, dt: float) -> None:
        counted = counting(vocabulary, edits)
        self.terms = tuple(address for address in vocabulary.terms() if flat_name(address) in counted)
        names = [flat_name(term) for term in self.terms]
        metrics = {f"off_{n}": f"norminf(r_{n})" for n in names} | {f"at_{n}": f"num(reached_{n})" for n in names}
        task = make_task(vocabulary, "terms", counted, metrics=metrics)
        compiled = compile_task(task, behaviour_signals(robot, built), dt=dt)
        program = compiled.only(["weighted", "metrics"])
        self.inputs = program.inputs
        self._columns = {name.partition(".")[2]: i for i, name in enumerate(compiled.term_names)}
        self.units = dict(zip(self.terms, compiled.metric_units[: len(names)], strict=True))
        """The unit of each term's residual."""
        params = program.defaults.copy()
        program.set_params(params, {k: v for k, v in parameters(vocabulary, edits).items() if k in program.params})
        core = program.build()
        self._rows = {s.name: np.zeros((1, s.lanes)) for s in self.inputs}
        self._outputs = program.outputs(1)
        self._evaluator = self._outputs.evaluator(core, _core.State(core, 1), list(self._rows.values()), params)
        self._evaluator.reset(np.ones(1, np.bool_))

    def __call__(self, signals: Mapping[str, NDArray[np.float64]]) -> list[TermValue]:
        """Return the value of every term for signals `[1, lanes]`."""
        for name, row in self._rows.items():
            row[:] = signals[name]
        self._evaluator.step()
        weighted, metrics = self._outputs.groups["weighted"][0], self._outputs.groups["metrics"][0]
        count = len(self.terms)
        return [
            TermValue(term, float(metrics[i]), float(weighted[self._columns[flat_name(term)]]),
                      bool(metrics[count + i] > 0.5))
            for i, term in enumerate(self.terms)
        ]
