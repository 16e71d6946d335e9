"""Planner and policy beside each other on the suite's own trials, by the suite's own scorer."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from msgspec import Struct

from pyembody.plan.results import Results, TrialRow, read_results, trial_row, write_results
from pyembody.plan.suite import load_suite
from pyembody.plan.trial import Stage, Trial
from pyembody.spec import SpecError

from .lessons import Distill, Student, load_student, read_settings, taught
from .pilot import PolicyPilot, load_pilot

WHO = ("policy", "held", "planner")
Say = Callable[[str, TrialRow], None]


class Scored(Struct, frozen=True):
    """Successes of a task out of `seeds`: the planner's, the policy's, and the policy's on parameters that were held
    back from it, -1 for a task whose parameters are fixed. `policy_s` is the policy's median time a step in s.
    """

    task: str
    seeds: int
    planner: int
    policy: int
    held: int
    policy_s: float
    planner_s: float


def score(run: Path, say: Say) -> list[Scored]:
    """Run the trials that the run's score files do not hold yet; return a row for each task."""
    settings = read_settings(run)
    suite, student = load_suite(settings.suite), load_student(settings.suite)
    stage = Stage(suite, threads=len(os.sched_getaffinity(0)))
    pilot = load_pilot(run)
    newest = max(int(p.name) for p in (run / "checkpoints").glob("[0-9]*"))
    tables = {who: _table(run, who, suite.version, "planner" if who == "planner" else f"policy {newest}")
              for who in WHO}
    for who in WHO:
        for name in settings.tasks:
            for seed in range(settings.first_seed, settings.first_seed + settings.seeds):
                if tables[who].has(name, seed) or (who == "held" and name not in student.spread):
                    continue
                row = trial_row(_trial(stage, student, settings, who, name, seed, pilot))
                tables[who] = tables[who].with_row(row)
                write_results(run / f"score-{who}.json", tables[who])
                say(who, row)
    return [_scored(name, settings, student, tables) for name in settings.tasks]


def _trial(
    stage: Stage, student: Student, settings: Distill, who: str, name: str, seed: int, pilot: PolicyPilot
) -> Trial:
    if who == "planner":
        return stage.run(name, seed)
    if who == "policy":
        return stage.run(name, seed, pilot=pilot)
    rng = np.random.default_rng([settings.seed, seed])
    wanted = taught(stage.vocabulary, stage.suite, student, name, rng, held=True)
    return stage.run(name, seed, lambda _: wanted, pilot)


def _table(run: Path, who: str, version: int, settings: str) -> Results:
    """The trials that were scored already; those of an older policy do not count."""
    empty = Results(version, settings)
    try:
        found = read_results(run / f"score-{who}.json")
    except SpecError:
        return empty
    return found if (found.version, found.settings) == (empty.version, empty.settings) else empty


def _scored(name: str, settings: Distill, student: Student, tables: dict[str, Results]) -> Scored:
    seeds = range(settings.first_seed, settings.first_seed + settings.seeds)
    rows = {who: [r for r in t.rows if r.task == name and r.seed in seeds] for who, t in tables.items()}
    wins = {who: sum(r.success for r in found) for who, found in rows.items()}
    median = {who: float(np.median([r.plan_p50_s for r in found] or [0.0])) for who, found in rows.items()}
    held = wins["held"] if name in student.spread else -1
    return Scored(name, settings.seeds, wins["planner"], wins["policy"], held, median["policy"], median["planner"])
