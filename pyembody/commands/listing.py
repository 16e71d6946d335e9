"""`pyembody list`: the robots, tasks and runs at hand."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from .locate import START, list_runs, newest_iteration
from .tables import make_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

What = Literal["all", "robots", "tasks", "runs"]


@dataclass(frozen=True)
class List:
    """Show the robots, the tasks with their variants, and the runs made so far."""

    what: tyro.conf.Positional[What] = "all"
    """What to show."""
    out: Path = Path("runs")
    """Folder of the runs."""

    def run(self) -> int:
        """Print one table for each kind asked for, or that there is no run yet."""
        from rich.console import Console

        console = Console()
        tables: dict[str, Callable[[], Table | str]] = {
            "robots": _robots,
            "tasks": _tasks,
            "runs": functools.partial(_runs, self.out),
        }
        for name, table in tables.items():
            if self.what in ("all", name):
                console.print(table())
        return 0


def _robots() -> Table:
    from ..spec import list_robots, load_robot

    table = make_table("robots", ["robot"], ["joints", "feet", "signals"], "what it is")
    for name in list_robots():
        robot = load_robot(name)
        counts = (len(robot.joints), len(robot.feet), len(robot.signal_table()))
        table.add_row(name, *(str(c) for c in counts), robot.description)
    return table


def _tasks() -> Table:
    from ..spec import list_tasks, list_variants, load_task

    table = make_table("tasks", ["task", "variant"], [], "channels", "what it is")
    for name in list_tasks():
        for variant in ("", *list_variants(name)):
            task = load_task(name, variant)
            about = _variant_description(name, variant) if variant else task.description
            table.add_row("" if variant else name, variant, ", ".join(task.channels), about)
    return table


def _variant_description(task: str, variant: str) -> str:
    from ..spec import find_folder
    from ..spec.files import read_toml

    path = find_folder("task", task) / "variants" / f"{variant}.toml"
    return str(read_toml(path).get("description", ""))


def _runs(root: Path) -> Table | str:
    runs = list_runs(root)
    if not runs:
        return f"no runs in {root}/ yet; start one with: {START}"
    columns = ["iterations", "success", "report"]
    table = make_table(f"runs in {root}/, oldest first", ["run"], columns, "task")
    for folder in runs:
        iterations = str(newest_iteration(folder) or "-")
        report = "yes" if (folder / "report.html").exists() else "-"
        success = _success(folder / "evaluation.json")
        table.add_row(folder.name, iterations, success, report, folder.parent.name)
    return table


def _success(path: Path) -> str:
    """The success rate of the newest evaluation, `-` without one."""
    import msgspec

    try:
        return f"{msgspec.json.decode(path.read_bytes())['success']['rate']:.0%}"
    except (OSError, msgspec.DecodeError, LookupError, TypeError):
        return "-"
