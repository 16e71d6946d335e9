"""`pyembody study`: several ways of training one task, compared over seeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from .checks import at_least
from .failure import CommandError
from .options import Count, Names, Numbers, OptionalPath
from .tables import make_table

if TYPE_CHECKING:
    from rich.table import Table

    from ..study import Piece, Study
    from ..study.interval import Interval
    from ..study.plan import Result
    from ..study.summary import Summary

FIGURE = "figure.svg"


@dataclass(frozen=True)
class StudyCommand:
    """Train every arm of a study with every seed, one process each, and show means with intervals.

    A study that was stopped goes on with the pieces that have no result yet.
    """

    study: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="STUDY")]
    """The study: critics, critics_point, gate_pad, gates, skills, skills_goal, world, world_push, world_walk, or the
    path of a study's TOML file."""
    out: OptionalPath = None
    """Folder of the results; by default runs/studies/STUDY."""
    seeds: Numbers = ()
    """Seeds in place of the study's own."""
    arms: Names = ()
    """Only these arms; a tuned one needs its sweep all the same."""
    iterations: Count = 0
    """Iterations of every training; 0: as the study says."""
    episodes: Count = 0
    """Episodes of every evaluation; 0: as the study says."""
    sweep: bool = True
    """Train the other weights of the study too."""
    pieces: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Most pieces to run now, by default all; 0 only shows the results that are there."""
    jobs: Count = 1
    """Pieces that run at the same time: 1, or up to the number of cores."""
    json: OptionalPath = None
    """Also write the results to this file."""

    def run(self) -> int:
        """Run what is missing; print preconditions, a table, and where everything is."""
        from ..study import load_study, run_study
        from .files import check_writable, write_json

        for option in ("iterations", "episodes"):
            at_least(option, getattr(self, option), 0)
        at_least("pieces", self.pieces or 0, 0)
        at_least("jobs", self.jobs, 1)
        study = self._changed(load_study(self.study))
        if self.json is not None:
            check_writable(self.json)
        out = self.out or Path("runs/studies") / study.name
        progress = _Progress()
        summary = run_study(self.study, out, study=study, limit=self.pieces, jobs=self.jobs, progress=progress)
        print_summary(summary)
        lines = [f"results: {out / 'results.json'}", _figure(summary, out / FIGURE)]
        if summary.left:
            lines.append(f"left: {summary.left} pieces have no result yet; the same command goes on with them")
        if self.json is not None:
            write_json(self.json, summary)
            lines.append(f"wrote {self.json}")
        for line in lines:
            print(line)
        return 0

    def _changed(self, study: Study) -> Study:
        from msgspec.structs import replace

        from ..spec.errors import unknown

        if self.seeds and (len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0):
            raise CommandError(f"--seeds: expected distinct numbers from 0 on, got {list(self.seeds)}")
        for arm in self.arms:
            if arm not in study.arms:
                raise unknown("--arms", "arm", arm, study.arms)
        given = {n: getattr(self, n) for n in ("seeds", "iterations", "episodes") if getattr(self, n)}
        study = replace(study, **given)
        if self.seeds and study.vary:
            varied = {k: replace(a, seeds=self.seeds) if a.varies else a for k, a in study.arms.items()}
            study = replace(study, vary=replace(study.vary, seeds=self.seeds), arms=varied)
        if self.arms:
            kept = {k: a for k, a in study.arms.items() if k in self.arms or (self.sweep and a.varies in self.arms)}
            first = tuple(p for p in study.preconditions if p.arm in kept)
            swept = None if study.sweep is None else tuple(a for a in study.sweep.arms if a in kept)
            sweep = replace(study.sweep, arms=swept) if study.sweep is not None and swept else None
            told = tuple(c for c in study.contrasts if c.arm in kept and c.against in kept)
            vary = replace(study.vary, arms=tuple(a for a in study.vary.arms if a in kept)) if study.vary else None
            study = replace(study, arms=kept, preconditions=first, sweep=sweep, vary=vary, contrasts=told)
        if not self.sweep:
            kept = {name: arm for name, arm in study.arms.items() if arm.weight != "tuned" and not arm.varies}
            study = replace(study, sweep=None, vary=None, arms=kept)
        return study


class _Progress:
    """Tells each piece and its outcome, with the time that the rest will take if it goes on as until now."""

    def __init__(self) -> None:
        import time

        self._clock, self._start, self._ended = time.monotonic, time.monotonic(), 0

    def __call__(self, piece: Piece, done: int, total: int, result: Result | None) -> None:
        from rich.console import Console

        swept = " (sweep)" if piece.swept else ""
        text = f"{piece.arm}{swept}, weight {piece.weight:g}, seed {piece.seed}"
        if result is None:
            text = f"started: {text}"
        else:
            self._ended += 1
            left = (self._clock() - self._start) / self._ended * (total - done)
            text = f"{done} of {total}: {text}: success {result.success:.0%}, {result.seconds:.0f} s"
            text += f"; about {left / 60:.0f} min left" if done < total else ""
        Console().print(text, soft_wrap=True, highlight=False)


def print_summary(summary: Summary) -> None:
    """Print preconditions, then the arms."""
    from rich.console import Console

    console = Console()
    words = {True: "[green]holds[/]", False: "[red]does not hold[/]", None: "open"}
    for condition in summary.preconditions:
        console.print(f"precondition {words[condition.holds]}: {condition.text}; {condition.found}", soft_wrap=True)
    table = make_table(summary.title, [], ["weight", "seeds", "success", "95 % interval"], "arm")
    for arm in summary.arms.values():
        success = f"{arm.success.mean:.1%}"
        table.add_row(f"{arm.weight:g}", str(arm.success.n), success, _span(arm.success), arm.title)
    console.print(table)
    for name in dict.fromkeys(n for arm in summary.arms.values() for n in arm.metrics):
        console.print(_metric_table(name, summary))
    for name, found in summary.contrasts.items():
        console.print(f"{name} {found.mean:+.3g}, 95 % interval {found.low:+.3g} .. {found.high:+.3g}", highlight=False)
    if summary.fronts:
        console.print(_front_table(summary))
    for name, points in summary.swept.items():
        spread = ", ".join(f"{weight}: {point.mean:.0%}" for weight, point in points.items())
        console.print(f"{name} by shaping weight: {spread}", soft_wrap=True, highlight=False)


def _metric_table(name: str, summary: Summary) -> Table:
    table = make_table(name.replace("_", " "), [], ["mean", "95 % interval"], "arm")
    for arm in summary.arms.values():
        if name in arm.metrics:
            found = arm.metrics[name]
            table.add_row(f"{found.mean:.3g}", f"{found.low:.3g} .. {found.high:.3g}", arm.title)
    return table


def _front_table(summary: Summary) -> Table:
    table = make_table("over all weights", [], ["hypervolume", "95 % interval", "span"], "arm")
    for name, front in summary.fronts.items():
        area = front.hypervolume
        title = summary.arms[name].title if name in summary.arms else name
        table.add_row(f"{area.mean:.3f}", f"{area.low:.3f} .. {area.high:.3f}", f"{front.span.mean:.3f}", title)
    return table


def _span(interval: Interval) -> str:
    return f"{interval.low:.1%} .. {interval.high:.1%}"


def _figure(summary: Summary, path: Path) -> str:
    from ..study.figure import write_figure

    try:
        return f"figure: {write_figure(summary, path)}"
    except ImportError as error:
        return f"figure: left out, {error}"
