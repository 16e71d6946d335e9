"""A policy in the planner's place: it sees the executed state and what is asked for, and answers with a control."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pyembody import _core
from pyembody.envs.provided import provided_signals
from pyembody.plan import Runner
from pyembody.plan.signals import FLAT
from pyembody.program import compile_task
from pyembody.spec.task import Task

from ..policy import load_policy
from ..run_folder import read_run
from .lessons import read_settings
from .student import behaviour_params

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Act = Callable[[Array], Array]
GROUP = "policy"


class Observer:
    """The observations of a student's task, of the robot that a runner moves: one call a control step."""

    def __init__(self, task: Task, runner: Runner) -> None:
        constants = {name: s.values for name, s in runner.built.sources.items() if s.values}
        compiled = compile_task(task, provided_signals(runner.robot, FLAT, constants), dt=runner.control_dt)
        self._program = compiled.only([GROUP])
        core, self._outputs = self._program.build(), self._program.outputs(1)
        self._rows = {s.name: np.zeros((1, s.lanes)) for s in self._program.inputs}
        self._params = self._program.defaults.copy()
        self._evaluator = self._outputs.evaluator(core, _core.State(core, 1), list(self._rows.values()), self._params)
        self._edits: dict[str, float] | None = None

    def __call__(self, runner: Runner) -> Array:
        """Return the observation `[1, O]` float32 of the present state; an episode begins where the trace is empty."""
        edits = runner.watch.edits()
        if edits != self._edits:
            self._edits, known = edits, self._program.params
            asked = behaviour_params(runner.vocabulary, edits)
            self._program.set_params(self._params, {k: v for k, v in asked.items() if k in known})
        for name, values in runner.signals(self._program.inputs).items():
            self._rows[name][:] = values
        if len(runner.trace) == 0:
            self._evaluator.reset(np.ones(1, np.bool_))
        else:
            self._evaluator.step()
        observation: Array = self._outputs.groups[GROUP].copy()
        return observation


class PolicyPilot:
    """Steers a runner by a policy of a student's task. `act` gives actions `[1, A]` for observations `[1, O]`."""

    def __init__(self, task: Task, act: Act) -> None:
        self.task, self.act = task, act
        self._observer: Observer | None = None
        self._runner: Runner | None = None

    def observe(self, runner: Runner) -> Array:
        """Return the observation `[1, O]` of the runner's robot, once a control step."""
        if self._observer is None or self._runner is not runner:
            self._observer, self._runner = Observer(self.task, runner), runner
        return self._observer(runner)

    def __call__(self, runner: Runner) -> Floats:
        """Return the control `[A]` for the present state."""
        return control_of(runner, self.act(self.observe(runner))[0])


def control_of(runner: Runner, action: Array) -> Floats:
    """Return the control `[A]` of an action `[A]`."""
    law = runner.built.control
    control: Floats = np.clip(law.offset + law.scale * action.astype(np.float64), law.low, law.high)
    return control


def action_of(runner: Runner, control: Floats) -> Array:
    """Return the action `[A]` float32 of a control `[A]`."""
    law = runner.built.control
    action: Array = ((control - law.offset) / law.scale).astype(np.float32)
    return action


def load_pilot(run: Path) -> PolicyPilot:
    """Return the newest policy of a distillation, ready to steer. Raises SpecError if the run is none."""
    read_settings(run)
    spec = read_run(run)
    return PolicyPilot(spec.task, load_policy(run))
