"""Which stage a behaviour is in: its table run on the executed state, never on imagined ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..envs.model import BuiltModel
from ..program import compile_task
from ..spec.robot import Robot
from ..spec.signal import Signal
from ..spec.vocabulary import Vocabulary, make_task
from .behaviour import Behaviour, parameters
from .signals import behaviour_signals
from .stages import stage_machine

Floats = NDArray[np.float64]


class StageWatch:
    """The stages of a behaviour. `index` is the present one, `failed` true once one failed for good.

    Raises SpecError for stages whose expressions or names are wrong.
    """

    def __init__(
        self, vocabulary: Vocabulary, robot: Robot, built: BuiltModel, behaviour: Behaviour, dt: float
    ) -> None:
        self.behaviour, self.dt, self.index, self.failed = behaviour, dt, 0, False
        self._time = np.zeros((1, 1))
        self.inputs: tuple[Signal, ...] = ()
        """What the stages' expressions read."""
        if len(behaviour.stages) < 2:
            return
        self._machine, self._state = stage_machine(behaviour), 0
        task = make_task(vocabulary, "stages", machine=self._machine.edges, staging=self._machine.staging)
        compiled = compile_task(task, behaviour_signals(robot, built), dt=dt)
        self._program = compiled.only(["stage"])
        core = self._program.build()
        self.inputs = self._program.inputs
        self._rows = {s.name: np.zeros((1, s.lanes)) for s in self.inputs}
        self._params = self._program.defaults.copy()
        self._vocabulary = vocabulary
        self._outputs = self._program.outputs(1)
        state = _core.State(core, 1)
        self._evaluator = self._outputs.evaluator(core, state, list(self._rows.values()), self._params)
        self._started = False
        self._write_params()

    def edits(self) -> dict[str, float]:
        """Return the edits in force: the behaviour's, and the present stage's on top."""
        stages = self.behaviour.stages
        return {**self.behaviour.edits, **(stages[self.index].edits if stages else {})}

    @property
    def planner(self) -> str:
        """The name of the planner's settings of the present stage."""
        stages = self.behaviour.stages
        return (stages[self.index].planner if stages else "") or self.behaviour.planner

    def step(self, arrays: dict[str, NDArray[np.float64]]) -> bool:
        """Take in the executed state's signals `[1, lanes]`; return whether another stage has begun."""
        if len(self.behaviour.stages) < 2 or self.failed:
            return False
        self._time += self.dt
        for name, row in self._rows.items():
            row[:] = self._time if name == "time_in_stage" else arrays[name]
        if not self._started:
            self._evaluator.reset(np.ones(1, np.bool_))
            self._started = True
        self._evaluator.step()
        state = int(self._outputs.groups["stage"][0, 0])
        if state == self._state:
            return False
        self._state, stage = state, self._machine.stages[state]
        self._time[:] = 0.0
        if stage is None:
            self.failed = True
            return False
        self.index = stage
        self._write_params()
        return True

    def _write_params(self) -> None:
        self._params[:] = self._program.defaults
        self._program.set_params(self._params, parameters(self._vocabulary, self.edits()))
