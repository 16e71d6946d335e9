"""One task of a suite with one seed: turns said one after the other, the last one scored."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from msgspec.structs import replace

from ..spec.load import load_robot
from ..spec.vocabulary import load_vocabulary
from .behaviour import Behaviour
from .runner import Mode, Pilot, Runner
from .score import Score, Scorer
from .start import place_things
from .suite import Suite, SuiteTask, behaviours, instance_of
from .trace import Trace

VARIANT = "planning"
LOOK_S = 0.5
"""How often a running trial is scored, to stop where it has succeeded."""


@dataclass(frozen=True)
class Trial:
    """What came of it: the score, simulated, wall and processor seconds, and the trace."""

    task: str
    seed: int
    score: Score
    simulated_s: float
    wall_s: float
    cpu_s: float
    trace: Trace = field(repr=False)


class Stage:
    """A suite's robot ready to run its tasks; models and programs are made once."""

    def __init__(self, suite: Suite, *, threads: int = 1, mode: Mode = "paused") -> None:
        self.suite, self.vocabulary = suite, load_vocabulary(suite.vocabulary)
        self.robot = load_robot(suite.robot, VARIANT)
        self.threads, self.mode = threads, mode
        self._scorers: dict[tuple[str, int], Scorer] = {}

    def run(
        self,
        name: str,
        seed: int,
        translate: Callable[[SuiteTask], list[Behaviour]] | None = None,
        pilot: Pilot | None = None,
    ) -> Trial:
        """Run a task with a seed; `translate` gives the behaviours of its sentences, by default the suite's own. With
        a `pilot`, that steers instead of the planner.
        """
        task = instance_of(self.suite.tasks[name], seed)
        wanted = translate(task) if translate else behaviours(self.vocabulary, task)
        runner = Runner(
            self.vocabulary, self.robot, self.suite.planners, seed=seed, threads=self.threads, mode=self.mode
        )
        runner.pilot = pilot
        scorer = self._scorer(name, task, seed, runner)
        self._begin(runner, task, seed)
        wall, cpu = time.perf_counter(), time.process_time()
        turns: list[int] = []
        score = Score(False, 0.0, "nothing was asked for")
        for k, (turn, behaviour) in enumerate(zip(task.turns, wanted, strict=True)):
            turns.append(len(runner.trace))
            runner.say(behaviour)
            score = self._turn(runner, scorer, turn.limit_s, turns, last=k == len(wanted) - 1)
            if score.reason in ("diverged", *scorer.fall):
                break
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        runner.close()
        return Trial(name, seed, score, len(runner.trace) * runner.control_dt, wall, cpu, runner.trace)

    def _turn(self, runner: Runner, scorer: Scorer, limit_s: float, turns: list[int], last: bool) -> Score:
        end = turns[-1] + round(limit_s / runner.control_dt)
        score = Score(False, 0.0, "too short")
        while len(runner.trace) < end:
            runner.run(min(LOOK_S, (end - len(runner.trace)) * runner.control_dt))
            if runner.diverged:
                return Score(False, 0.0, "diverged")
            fallen = scorer.fell(runner.trace, turns[-1])
            if fallen:
                return Score(False, 0.0, fallen)
            if last and not scorer.task.at_end:
                score = scorer.score(runner.trace, turns)
                if score.success:
                    return score
        return scorer.score(runner.trace, turns) if last else score

    def _scorer(self, name: str, task: SuiteTask, seed: int, runner: Runner) -> Scorer:
        turn = seed % max(1, len(self.suite.tasks[name].instances))
        if (name, turn) not in self._scorers:
            suite = replace(self.suite, tasks={name: task})
            self._scorers[name, turn] = Scorer(suite, name, self.vocabulary, self.robot, runner.built)
        return self._scorers[name, turn]

    def _begin(self, runner: Runner, task: SuiteTask, seed: int) -> None:
        rng = np.random.default_rng(seed)
        built, noise = runner.built, self.suite.start.joint_noise_rad
        qpos = built.home_qpos.copy()
        qpos[built.joint_qpos] += rng.uniform(-noise, noise, len(built.joint_qpos))
        if built.base_qpos >= 0:
            low, high = task.start_yaw_deg
            yaw = math.radians(rng.uniform(low, high))
            qpos[built.base_qpos + 3 : built.base_qpos + 7] = math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)
        place_things(built.model, qpos, self.suite.start, task.lies, rng)
        runner.reset(qpos)
