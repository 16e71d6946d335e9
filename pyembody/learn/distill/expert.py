"""The planner as a teacher: what it would do in the state that a robot is in, whoever brought it there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pyembody.plan import Runner
from pyembody.plan.runner import WARM_UP

from .pilot import PolicyPilot, action_of, control_of

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
SEEDS_APART = 1_000_003
KEPT_STEPS = 5
"""Control steps for which a disturbance stays as it is: joints follow what lasts."""
DISTURBED_STEPS, QUIET_STEPS = 50, 75
"""Disturbances come and go, as an episode has to succeed to be learnt from and many tasks are done by being still."""


class Expert:
    """The mean of `count` planners that start from one plan and differ in their random numbers.

    One sampling planner's answers are noisy; all of them go on from the mean, as from a plan of their own.
    """

    def __init__(self, count: int, seed: int) -> None:
        self.seeds = [seed + k * SEEDS_APART for k in range(count)]
        self._doing: Any = None

    def __call__(self, runner: Runner) -> Floats:
        """Return the control `[A]` that the planners give for the present state."""
        doing = (id(runner), runner.behaviour, runner.watch.index)
        if doing != self._doing:
            self._doing = doing
            for _ in range(WARM_UP):
                self._replan(runner, 0.0)
        self._replan(runner, runner.control_dt if len(runner.trace) else 0.0)
        return runner.planner.control(0.0)

    def _replan(self, runner: Runner, elapsed: float) -> None:
        planner, start = runner.planner, runner.start()
        before, plans = planner.plan, []
        for seed in self.seeds:
            planner.plan, planner.seed = before, seed
            plans.append(planner.replan(start, elapsed))
        best = min(plans, key=lambda plan: plan.cost)
        planner.plan = replace(best, knots=np.mean([plan.knots for plan in plans], axis=0))


@dataclass
class Teaching:
    """A pilot that writes down observations and what the expert says of them, and lets the policy act in a `share` of
    the control steps. Now and then the expert's own controls are disturbed by normal numbers of deviation `jitter`
    in actions: else where a joint is would say where it is to go, and the policy would learn to stay (noise injection:
    Laskey et al., DART, 2017).
    """

    expert: Expert
    student: PolicyPilot
    share: float
    rng: np.random.Generator
    jitter: float = 0.0
    observations: list[Array] = field(default_factory=list)
    labels: list[Array] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)
    _noise: Array = field(default_factory=lambda: np.zeros(0, np.float32))
    _block: int = -1

    def __call__(self, runner: Runner) -> Floats:
        """Return the control `[A]` of whoever's turn it is."""
        observation, lost = self.student.observe(runner), runner.planner.lost
        control = self.expert(runner)
        if runner.planner.lost == lost:  # where every candidate diverges there is nothing to learn
            self.observations.append(observation[0])
            self.labels.append(action_of(runner, control))
            self.ticks.append(len(runner.trace))
        if self.share and self.rng.random() < self.share:
            return control_of(runner, self.student.act(observation)[0])
        return control_of(runner, action_of(runner, control) + self._disturbance(runner)) if self.jitter else control

    def _disturbance(self, runner: Runner) -> Array:
        tick = len(runner.trace)
        if tick // KEPT_STEPS != self._block:  # the policy may have had the block's first steps
            self._block = tick // KEPT_STEPS
            size = self.jitter * (tick % (DISTURBED_STEPS + QUIET_STEPS) < DISTURBED_STEPS)
            self._noise = (size * self.rng.standard_normal(len(runner.control))).astype(np.float32)
        return self._noise
