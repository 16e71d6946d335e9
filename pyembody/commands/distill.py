"""`pyembody distill`: a policy that does at once what a planner has to search for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from .failure import CommandError
from .options import Name
from .tables import make_table

if TYPE_CHECKING:
    from rich.table import Table

    from ..learn.distill import Said, Scored
    from ..plan.results import TrialRow


@dataclass(frozen=True)
class DistillCommand:
    """Teach a policy what the planner does: episodes of the planner, then rounds (DAgger) in which the policy acts and
    the planner corrects it. Ctrl-C saves; `pyembody resume` goes on.
    """

    suite: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="[SUITE]")] = "quadruped"
    """The task folder whose suite.toml and distill.toml say what is taught."""
    tasks: Annotated[str, tyro.conf.arg(metavar="Q3,Q6,...")] = "Q3,Q6"
    """The suite's tasks that the one policy learns, comma separated."""
    robot: Name = "go2"
    """Which robot: the one of the suite."""
    episodes: int = 6
    """Episodes of each task by the planner alone."""
    rounds: int = 8
    """Rounds in which the policy acts: in the first half of them by turns with the planner, then always."""
    episodes_again: int = 4
    """Episodes of each task in each of these rounds."""
    planners: int = 1
    """Planners whose mean is what is learnt: one alone is noisier."""
    steps: int = 4000
    """Gradient steps after each round."""
    seeds: int = 10
    """Seeds of each task that planner and policy are scored on at the end; 0: none."""
    first_seed: int = 0
    """The first of them."""
    seed: int = 0
    """Seed of everything else."""
    out: Path = Path("runs")
    """Folder of the runs."""

    def run(self) -> int:
        """Distil, score, print the table, where the policy is and what to run next."""
        from ..learn.distill import Distill, create_distillation
        from ..plan.suite import load_suite
        from .checks import at_least

        for name, low in (("episodes", 1), ("rounds", 0), ("episodes_again", 1), ("planners", 1), ("steps", 1),
                          ("seeds", 0), ("first_seed", 0), ("seed", 0)):
            at_least(name.replace("_", "-"), getattr(self, name), low)
        own = load_suite(self.suite).robot
        if self.robot != own:
            raise CommandError(f"--robot: expected {own}, the robot of the suite {self.suite}, got '{self.robot}'")
        tasks = tuple(dict.fromkeys(name.strip() for name in self.tasks.split(",") if name.strip()))
        if not tasks:
            raise CommandError(f"--tasks: expected names such as Q3,Q6, got '{self.tasks}'")
        settings = Distill(
            self.suite, tasks, self.episodes, self.rounds, self.episodes_again, self.planners, self.steps,
            seeds=self.seeds, first_seed=self.first_seed, seed=self.seed,
        )
        run = create_distillation(settings, self.out)
        print(f"run: {run}", flush=True)
        return go_on(run)


def go_on(run: Path) -> int:
    """Go on with a distillation to its end and its scores; print them and what to run next."""
    from rich.console import Console

    from ..learn.distill import distil, read_settings, score
    from ..learn.stop import stop_signals

    settings = read_settings(run)
    with stop_signals() as stop:
        distil(run, _said, stop)
    if settings.seeds:
        print("scoring ...", flush=True)
        Console().print(score_table(score(run, _scored)))
    print(f"policy: {run}")
    print(f'next: pyembody do "..." --policy {run}   or, {settings.tasks[0]} alone: pyembody view|eval {run}')
    return 0


def _said(said: Said) -> None:
    head = f"{said.done}/{said.total} round {said.part}: "
    if said.episode is None:
        print(f"{head}fitted to {said.rows} steps, loss {said.loss:.5f}", flush=True)
        return
    came = "success" if said.episode.success else said.episode.reason
    left = "" if said.episode.kept else ", left out"
    print(f"{head}{said.episode.task} {came}, {len(said.episode.actions)} steps{left}", flush=True)


def _scored(who: str, row: TrialRow) -> None:
    print(f"{who} {row.task} seed {row.seed}: {row.reason or 'success'}", flush=True)


def score_table(rows: list[Scored]) -> Table:
    """Return planner and policy side by side, one row a task."""
    columns = ["planner", "policy", "of it", "held back", "a step", "planner's"]
    table = make_table("planner and policy on the suite's own trials", ["task"], columns)
    for row in rows:
        share = f"{row.policy / row.planner:.2f}" if row.planner else "-"
        held = "-" if row.held < 0 else f"{row.held}/{row.seeds}"
        table.add_row(row.task, f"{row.planner}/{row.seeds}", f"{row.policy}/{row.seeds}", share, held,
                      f"{1e6 * row.policy_s:.0f} us", f"{1e3 * row.planner_s:.0f} ms")
    return table
