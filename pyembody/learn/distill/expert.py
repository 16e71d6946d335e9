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
TURN_STEPS = 25
"""Control steps for which the policy, or the planner, has its turn where they share an episode."""


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

    def go_on_from(self, runner: Runner, done: Floats) -> None:
        """Move the plan to the control `[A]` that somebody else chose in its place.

        What the planner does next is a small step away from what was done, the same for whoever sees what was done.
        """
        planner = runner.planner
        planner.plan = replace(planner.plan, knots=planner.plan.knots + (done - planner.control(0.0)))

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
    the turns.
    """

    expert: Expert
    student: PolicyPilot
    share: float
    rng: np.random.Generator
    observations: list[Array] = field(default_factory=list)
    labels: list[Array] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)
    _policy_acts: bool = False

    def __call__(self, runner: Runner) -> Floats:
        """Return the control `[A]` of whoever's turn it is."""
        observation, lost = self.student.observe(runner), runner.planner.lost
        control = self.expert(runner)
        if runner.planner.lost == lost:  # where every candidate diverges there is nothing to learn
            self.observations.append(observation[0])
            self.labels.append(action_of(runner, control))
            self.ticks.append(len(runner.trace))
        if len(runner.trace) % TURN_STEPS == 0:
            self._policy_acts = bool(self.rng.random() < self.share)
        if not self._policy_acts:
            return control
        done = control_of(runner, self.student.act(observation)[0])
        self.expert.go_on_from(runner, done)
        return done
