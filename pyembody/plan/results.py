"""What a suite's trials gave, as a file that an interrupted run goes on from, and as rows of a table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from ..spec.errors import SpecError
from ..spec.files import write_atomic
from .trial import Trial


class TrialRow(Struct, frozen=True, forbid_unknown_fields=True):
    """One trial: success and when, or the reason; seconds simulated, of the wall and of the processors; plan latency
    percentiles in s; plans in which all candidates diverged; and how late plans were in live mode.
    """

    task: str
    seed: int
    success: bool
    at_s: float
    reason: str
    simulated_s: float
    wall_s: float
    cpu_s: float
    plan_p50_s: float
    plan_p99_s: float
    late_p99_s: float = 0.0


class Results(Struct, frozen=True, forbid_unknown_fields=True):
    """The rows of a suite of a `version`, run by `settings` that must be the same to go on."""

    version: int
    settings: str
    rows: tuple[TrialRow, ...] = ()

    def with_row(self, row: TrialRow) -> Results:
        """Return the results with one more trial."""
        return msgspec.structs.replace(self, rows=(*self.rows, row))

    def has(self, task: str, seed: int) -> bool:
        """Return whether a trial was run already."""
        return any(r.task == task and r.seed == seed for r in self.rows)


class TaskRow(Struct, frozen=True):
    """One task over its seeds; `factor` is simulated over wall seconds, `core_factor` over processor seconds, `reasons`
    are the seeds that failed and why.
    """

    task: str
    successes: int
    seeds: int
    factor: float
    core_factor: float
    plan_p50_s: float
    plan_p99_s: float
    reasons: tuple[tuple[int, str], ...]


def trial_row(trial: Trial) -> TrialRow:
    """Return the figures of a trial."""
    p50, p99 = np.percentile(trial.trace.plan_s, [50, 99]) if trial.trace.plan_s else (0.0, 0.0)
    late = float(np.percentile(trial.trace.late_s, 99)) if trial.trace.late_s else 0.0
    score = trial.score
    return TrialRow(
        trial.task, trial.seed, score.success, score.at_s, score.reason, trial.simulated_s, trial.wall_s, trial.cpu_s,
        float(p50), float(p99), late,
    )


def task_rows(rows: Iterable[TrialRow]) -> list[TaskRow]:
    """Return one row for each task, in the order in which tasks appear."""
    by_task: dict[str, list[TrialRow]] = {}
    for row in rows:
        by_task.setdefault(row.task, []).append(row)
    found = []
    for task, trials in by_task.items():
        simulated = sum(t.simulated_s for t in trials)
        found.append(TaskRow(
            task, sum(t.success for t in trials), len(trials),
            simulated / max(sum(t.wall_s for t in trials), 1e-9), simulated / max(sum(t.cpu_s for t in trials), 1e-9),
            float(np.median([t.plan_p50_s for t in trials])), max(t.plan_p99_s for t in trials),
            tuple((t.seed, t.reason) for t in trials if not t.success),
        ))
    return found


def read_results(path: Path) -> Results:
    """Return the results in a file. Raises SpecError for a file that holds none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Results)
    except (msgspec.DecodeError, OSError) as error:
        raise SpecError(f"{path}: expected results of l2r run: {error}") from None


def write_results(path: Path, results: Results) -> None:
    """Write the results, whole or not at all."""
    write_atomic(path, msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
