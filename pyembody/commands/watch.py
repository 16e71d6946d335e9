"""A behaviour watched while it is done: a live table of its terms, and what came of it in words."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .tables import make_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

    from ..plan import Runner
    from ..plan.terms import TermValue, TermWatch

    Sight = Callable[[Runner, list[TermValue]], None]

REFRESH_S, LINE_S = 0.25, 1.0
SETTLED_S = 1.0
"""A target counts as met if its residual was within the tolerance on average over so long at the end."""


@dataclass
class Watch:
    """Goes on with a behaviour and keeps the terms of each control step in `rows`; `see` is told of each, too.

    `seconds` are those of the last stage, or `whole` those of all together.
    """

    runner: Runner
    seconds: float
    see: Sight | None = None
    rows: list[list[TermValue]] = field(default_factory=list)
    wall_s: float = 0.0
    units: dict[str, str] = field(default_factory=dict)
    _terms: TermWatch | None = None
    _stage: int = -1
    whole: bool = False

    def run(self) -> None:
        """Go on until the seconds are over, a stage has failed, or the simulation diverges."""
        from rich.console import Console
        from rich.live import Live

        console = Console()
        if not console.is_terminal:
            self._go_on(LINE_S, lambda: print(self.line(), flush=True))
            return
        with Live(console=console, auto_refresh=False) as live:
            self._go_on(REFRESH_S, lambda: live.update(self.table(), refresh=True))
            live.update(self.table(), refresh=True)

    def _go_on(self, pause_s: float, show: Callable[[], None]) -> None:
        """Step to the end, and show the present state every so many seconds of the wall."""
        from ..envs.quiet import quiet

        runner, began, shown_s = self.runner, time.perf_counter(), 0.0
        left = round(self.seconds / runner.control_dt)
        while left > 0 and not (runner.diverged or runner.watch.failed):
            with quiet():
                self._step()
            left -= self.whole or runner.watch.index >= len(runner.behaviour.stages) - 1
            self.wall_s = time.perf_counter() - began
            if self.wall_s - shown_s >= pause_s:
                shown_s = self.wall_s
                show()

    def _step(self) -> None:
        from ..plan.terms import TermWatch

        runner = self.runner
        terms = self._terms
        if terms is None or runner.watch.index != self._stage:
            self._stage = runner.watch.index
            edits = runner.watch.edits()
            self._terms = terms = TermWatch(runner.vocabulary, runner.robot, runner.built, edits, runner.control_dt)
            self.units |= terms.units
        runner.step()
        self.rows.append(terms(runner.signals(terms.inputs)))
        if self.see is not None:
            self.see(runner, self.rows[-1])

    def time(self) -> float:
        """Return the seconds that were simulated."""
        return len(self.rows) * self.runner.control_dt

    def factor(self) -> float:
        """Return simulated seconds a second of the wall."""
        return self.time() / max(self.wall_s, 1e-9)

    def line(self) -> str:
        """Return the present state in one line."""
        cost = sum(term.cost for term in self.rows[-1])
        return f"{self.time():.1f} s  {self._head()}cost {cost:.3f}  real time x {self.factor():.2f}"

    def table(self) -> Table:
        """Return the terms of the present state, the dearest first."""
        title = f"{self.time():.1f} s   {self._head()}real time x {self.factor():.2f}"
        table = make_table(title, ["term"], ["off", "cost"], "target")
        for term in sorted(self.rows[-1], key=lambda t: -t.cost):
            table.add_row(term.term, shown(term.off, self.units[term.term]), f"{term.cost:.3f}",
                          "reached" if term.reached else "")
        table.add_row("all", "", f"{sum(t.cost for t in self.rows[-1]):.3f}", "")
        return table

    def _head(self) -> str:
        stages = self.runner.behaviour.stages
        return f"stage {self.runner.watch.index + 1} of {len(stages)}   " if len(stages) > 1 else ""


def live_sight(runner: Runner) -> Sight:
    """Return what shows each moment in a rerun viewer. Raises ValueError without a display."""
    from ..viz.live import LiveView
    from .planning import motion_model

    view = LiveView.spawn(motion_model(runner.robot))
    return lambda r, terms: view.show(
        float(r.data.time), r.data.qpos, {f"terms/{t.term.replace('.', '/')}": t.cost for t in terms})


@dataclass(frozen=True)
class Target:
    """What became of one target: its mean residual at the end, and since when it was met, in s; None: it is not."""

    term: str
    off: float
    unit: str
    since_s: float | None

    def __str__(self) -> str:
        off = f"{shown(self.off, self.unit)} off"
        return f"{self.term}: " + (f"not held within its tolerance, {off}" if self.since_s is None else
                                   f"reached after {self.since_s:.1f} s, {off}")


def targets(watch: Watch, goals: list[str]) -> list[Target]:
    """Return what became of the terms `goals` at the end of what was watched."""
    import numpy as np

    dt, found = watch.runner.control_dt, []
    templates = watch.runner.vocabulary.templates
    for goal in goals:
        off = np.array([t.off for row in watch.rows for t in row if t.term == goal])
        if len(off) == 0:
            continue
        window = max(1, min(round(SETTLED_S / dt), len(off)))
        means = np.convolve(off, np.full(window, 1.0 / window), mode="valid")
        missed = np.flatnonzero(means > templates[goal.partition(".")[0]].tol)
        met = len(missed) == 0 or int(missed[-1]) < len(means) - 1
        first = int(missed[-1]) + 1 if len(missed) else 0
        start = len(watch.rows) - len(off) + first
        found.append(Target(goal, float(means[-1]), watch.units[goal], start * dt if met else None))
    return found


def shown(value: float, unit: str) -> str:
    """Return a number with its unit."""
    return f"{value:.3g}" + ("" if unit in ("", "1") else f" {unit}")
