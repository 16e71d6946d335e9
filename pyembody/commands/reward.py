"""`pyembody reward`: a task's terms on a robot, as the compiler understands them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import tyro

from .options import Name, OptionalText, TaskPath
from .tables import make_table

if TYPE_CHECKING:
    from rich.table import Table

    from ..program import CompiledTask
    from ..spec import Robot, Task

Action = Literal["explain", "check"]


@dataclass(frozen=True)
class Reward:
    """Compile a task against a robot: 'explain' prints its terms, 'check' says whether they fit."""

    action: tyro.conf.Positional[Action]
    """What to do."""
    task: TaskPath
    """The task: a shipped name or the path of a task folder."""
    robot: Name = ""
    """The robot: a shipped name or the path of a robot folder; by default the one the task was made for."""
    variant: Name = ""
    """A variant of the task."""
    say: OptionalText = None
    """Apply a sentence's edits first."""

    def run(self) -> int:
        """Compile; print the tables, or one line."""
        from rich.console import Console

        from ..spec import load_robot, load_task
        from .words import apply_sentence

        task = load_task(self.task, self.variant)
        robot = load_robot(self.robot or task.robot)
        if self.say is not None:
            task, _ = apply_sentence(task, self.say)
        program = compile_pair(task, robot)
        console = Console()
        if self.action == "explain":
            for channel in task.channels:
                console.print(terms_table(task, program, channel))
            console.print(parameters_table(program))
            for name, condition in [*task.terminations.items(), ("success", task.success or "not terminated")]:
                console.print(f"{name}: {condition}", markup=False, highlight=False, soft_wrap=True)
        observations = sum(block.width for block in program.observation_layout["policy"])
        console.print(
            f"{task.name} on {robot.name}: {len(program.term_names)} terms in "
            f"{len(program.channel_names)} channels, {observations} observations, "
            f"{len(program.inputs)} signals read, a step of {program.dt:g} s",
            soft_wrap=True,
        )
        return 0


def compile_pair(task: Task, robot: Robot) -> CompiledTask:
    """Return the program of a task on a robot; nothing is simulated or written.

    Raises SpecError naming the pair and what the robot does not provide.
    """
    from ..envs.provided import provided_signals
    from ..program import compile_task
    from ..spec import SpecError

    try:
        signals = provided_signals(robot, task)
        return compile_task(task, signals, dt=robot.control.control_dt, mirror=robot.mirror)
    except SpecError as error:
        raise SpecError(f"{task.name} on {robot.name}: {error}") from None


def terms_table(task: Task, program: CompiledTask, channel: str) -> Table:
    """Return a channel's terms: weight, scale, unit of the raw value, expression, and its use."""
    from rich.markup import escape

    c = task.channels[channel]
    title = f"channel {channel}: weight {c.weight:g}, gamma {c.gamma:g}, lambda {c.lam:g}"
    table = make_table(title, ["term"], ["weight"], "scale", "unit", "expression")
    for name, unit in zip(program.term_names, program.term_units, strict=True):
        owner, _, term = name.partition(".")
        if owner == channel:
            t = c.terms.get(term)
            if t is None:
                table.add_row(term, "1", "event", unit, "what the task's stages pay")
                continue
            about = escape(t.expr) + (f"\n[dim]{escape(t.doc)}[/]" if t.doc else "")
            table.add_row(term, f"{t.weight:g}", t.scale, unit, about)
    return table


def parameters_table(program: CompiledTask) -> Table:
    """Return the parameters that may change while the program runs, but for the terms' weights."""
    title = "parameters that may change while it runs (every weight too)"
    table = make_table(title, ["parameter"], ["value"], "unit", "legal", "what it is")
    for name, p in program.params.items():
        if not name.endswith(".weight"):
            low, high = "0" if p.positive else f"{p.low:g}", f"{p.high:g}"
            legal = "any" if (low, high) == ("-inf", "inf") else f"{low} .. {high}"
            table.add_row(name, f"{p.value:g}", p.unit, legal, p.doc)
    return table
