"""`pyembody l2r run`: the suite of language to rewards, planned headless and scored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from .options import Count, OptionalPath
from .tables import make_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

    from ..analysis.record import Recording
    from ..plan.behaviour import Behaviour
    from ..plan.results import Results, TrialRow
    from ..plan.suite import Suite, SuiteTask
    from ..plan.trace import Trace
    from ..plan.trial import Trial
    from ..spec.robot import Robot

CAVEAT = """\
paper: the success that Yu et al. 2023 published for the same tasks; robots, models and criteria here are our own, so it
is no head-to-head. speed: simulated seconds a second of the wall. plan: median / 99th percentile of a plan's time."""


@dataclass(frozen=True)
class L2r:
    """Plan the suite's tasks from their sentences, score them, and print a table.

    The exit code is 1 if a task succeeds less often than --least asks for.
    """

    action: tyro.conf.Positional[Literal["run"]]
    """run: all trials that --json does not hold yet."""
    tasks: Annotated[str, tyro.conf.arg(metavar="all|Q1,Q3,...")] = "all"
    """Tasks by name, comma separated, or all."""
    seeds: int = 5
    """Seeds of each task."""
    first_seed: int = 0
    """The first of them."""
    suite: str = ""
    """The task folder whose suite.toml is run; by default the one that has the first of the tasks."""
    translator: Literal["offline", "edits"] = "offline"
    """offline: from the tasks' sentences; edits: from the edits that the suite gives for them."""
    mode: Literal["paused", "live"] = "paused"
    """paused: the simulation waits for each plan; live: it goes on in real time meanwhile."""
    threads: Count = 0
    """Threads of the planner (0: all usable cores). Results of paused runs do not depend on it."""
    least: float = 0.0
    """The least share of successes that every task must have."""
    json: OptionalPath = None
    """Also write every trial to this file, and go on from what it holds already."""
    table: OptionalPath = None
    """Also write the table, with what it leaves out here, to this JSON file."""
    video: OptionalPath = None
    """Also write a video of each task's first seed into this folder."""

    def run(self) -> int:
        """Run what is missing, print the table."""
        from rich.console import Console

        from ..plan.suite import load_suite, suite_of
        from .checks import at_least
        from .files import check_writable

        at_least("seeds", self.seeds, 1)
        at_least("first-seed", self.first_seed, 0)
        at_least("threads", self.threads, 0)
        suite = load_suite(self.suite or suite_of(self.tasks.split(",")[0].strip()))
        names = self._names(suite)
        for file in (self.json, self.table):
            if file is not None:
                check_writable(file)
        console = Console()
        results = self._trials(suite, names)
        rows = [r for r in results.rows if r.task in names and r.seed in self._seeds()]
        console.print(l2r_table(suite, rows))
        console.print(CAVEAT, soft_wrap=True)
        for row in rows:
            if not row.success:
                console.print(f"{row.task} seed {row.seed}: {row.reason}", soft_wrap=True)
        if self.table is not None:
            write_table(self.table, suite, rows, results.settings)
        return int(any(share < self.least for share in _shares(rows)))

    def _seeds(self) -> range:
        return range(self.first_seed, self.first_seed + self.seeds)

    def _names(self, suite: Suite) -> list[str]:
        from ..spec.errors import unknown

        if self.tasks == "all":
            return list(suite.tasks)
        names = [name.strip() for name in self.tasks.split(",") if name.strip()]
        for name in names:
            if name not in suite.tasks:
                raise unknown("--tasks", "task", name, suite.tasks)
        return names

    def _trials(self, suite: Suite, names: list[str]) -> Results:
        import os

        from ..plan.results import Results, read_results, trial_row, write_results
        from ..plan.trial import Stage
        from ..spec.errors import SpecError

        results = Results(suite.version, f"{suite.vocabulary} {self.mode} {self.translator}")
        if self.json is not None and self.json.exists():
            found = read_results(self.json)
            if (found.version, found.settings) != (results.version, results.settings):
                raise SpecError(f"{self.json}: expected results of {results.settings}, version {results.version}; "
                                f"got {found.settings}, version {found.version}")
            results = found
        stage = Stage(suite, threads=self.threads or len(os.sched_getaffinity(0)), mode=self.mode)
        translate = self._translate(suite)
        for name in names:
            for seed in self._seeds():
                if results.has(name, seed):
                    continue
                trial = stage.run(name, seed, translate)
                results = results.with_row(trial_row(trial))
                if self.json is not None:
                    write_results(self.json, results)
                if self.video is not None and seed == self.first_seed:
                    film(stage.robot, trial, self.video / f"{name}.mp4")
                print(f"{name} seed {seed}: {trial.score.reason or 'success'}", flush=True)
        return results

    def _translate(self, suite: Suite) -> Callable[[SuiteTask], list[Behaviour]] | None:
        if self.translator == "edits":
            return None
        from ..language import load_language
        from ..language.dialogue import Lexicon
        from ..plan.said import translated
        from ..spec.load import find_folder

        lexicon = Lexicon(load_language(find_folder("task", suite.vocabulary, "templates.toml")))
        return lambda task: translated((turn.say for turn in task.turns), lexicon)


def film(robot: Robot, trial: Trial, path: Path) -> Path:
    """Write a video of a trial as it was executed; return its path."""
    from ..envs.model import build_model
    from ..plan.signals import FLAT
    from ..viz import render_video

    model = build_model(robot, FLAT, execution=True, visual=True).model
    return render_video(recording_of(robot, trial.trace, trial.task), model, path, overlay=False)


def recording_of(robot: Robot, trace: Trace, name: str) -> Recording:
    """Return a motion as a recording: positions and controls, no rewards."""
    import numpy as np

    from ..analysis.record import Recording

    fields, own = trace.arrays()
    steps, dt = len(trace), robot.control.control_dt
    none, no = np.zeros((steps, 0), np.float32), np.zeros(steps, np.bool_)
    return Recording(
        time=np.arange(steps) * dt, qpos=fields["qpos"], command=none, action=own["ctrl"], raw=none, weighted=none,
        channels=none, metrics=none, values=none, terminated=no, truncated=no, control_dt=dt,
        joint_names=robot.joints, foot_names=robot.feet, robot=robot.name, task=name,
    )


def write_table(path: Path, suite: Suite, rows: list[TrialRow], settings: str) -> None:
    """Write a row a task with all that was measured, its 95 % Wilson interval and the published success."""
    import msgspec

    from ..analysis.statistics import wilson
    from ..plan.results import task_rows
    from ..spec.files import write_atomic

    found = []
    for row in task_rows(rows):
        rate = wilson(row.successes, row.seeds)
        more = {"low": rate.low, "high": rate.high, "published": suite.tasks[row.task].published}
        found.append(msgspec.structs.asdict(row) | more)
    table = {"suite": suite.version, "settings": settings, "rows": found}
    write_atomic(path, msgspec.json.format(msgspec.json.encode(table), indent=1) + b"\n")


def _shares(rows: list[TrialRow]) -> list[float]:
    from ..plan.results import task_rows

    return [row.successes / row.seeds for row in task_rows(rows)]


def l2r_table(suite: Suite, rows: list[TrialRow]) -> Table:
    """Return the trials as a table, one row a task, and their mean."""
    from ..analysis.statistics import wilson
    from ..plan.results import task_rows

    columns = ["success", "95 %", "paper", "speed", "plan ms"]
    table = make_table("language to rewards", ["task"], columns)
    found = task_rows(rows)
    counting = [row for row in found if not suite.tasks[row.task].extra]
    for row in found:
        rate, task = wilson(row.successes, row.seeds), suite.tasks[row.task]
        plan = f"{1000 * row.plan_p50_s:.0f} / {1000 * row.plan_p99_s:.0f}"
        name = row.task if task.extra else f"{row.task} {task.title}"
        table.add_row(
            name, f"{row.successes}/{row.seeds}", f"{rate.low:.2f}-{rate.high:.2f}",
            "" if task.extra else f"{task.published:.2f}", f"{row.factor:.2f}", plan,
        )
    if len(counting) > 1:
        mean = sum(r.successes / r.seeds for r in counting) / len(counting)
        published = sum(suite.tasks[r.task].published for r in counting) / len(counting)
        table.add_row("mean", f"{mean:.2f}", "", f"{published:.2f}", "", "")
    return table
