"""`pyembody reward`: a task's reward program checked, explained, plotted and edited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import OmitSubcommandPrefixes, subcommand

from .alone import needs_no_robot, own_program
from .options import Codes, Name, OptionalPath, OptionalText, TaskOrFile
from .pair import compile_pair, summary
from .reward_check import check_target, print_check
from .reward_edit import RewardEdit
from .reward_plot import RewardPlot

if TYPE_CHECKING:
    from ..program import CompiledTask
    from ..program.critic import Bound
    from ..spec import Task


@dataclass(frozen=True)
class RewardCheck:
    """Say what is wrong with a task's reward program before it runs, and what to do about it.

    The exit code is 2 with an error, 1 with a warning that is not allowed, 0 otherwise.
    """

    task: TaskOrFile
    """A shipped task, the path of a task folder, or a TOML file: a task, or a reward program with its own signals."""
    robot: Name = ""
    """The robot: a shipped name or the path of a robot folder; by default the one the task was made for."""
    variant: Name = ""
    """A variant of the task."""
    allow: Codes = ()
    """Codes of warnings that may stand, such as W-UNBOUNDED."""
    audit: bool = False
    """Also let simple policies run for a few seconds and judge what each term pays them."""
    json: OptionalPath = None
    """Also write the findings, and the audit, to this file."""

    def run(self) -> int:
        """Print the table of findings, if there are any, and a summary."""
        from .files import check_writable
        from .findings import check_codes, refuse_told

        check_codes(self.allow)
        if self.json is not None:
            check_writable(self.json)
        checked = check_target(self.task, self.variant, self.robot, self.audit)
        print_check(checked, self.allow, self.json)
        refuse_told(checked.findings, self.allow)
        return 0


@dataclass(frozen=True)
class RewardExplain:
    """Show a task as the compiler understands it: terms with unit, weight and pay, channels, gates, stages."""

    task: TaskOrFile
    """The task: a shipped name or the path of a task folder; or a TOML file, a reward program with its own signals."""
    robot: Name = ""
    """The robot: a shipped name or the path of a robot folder; by default the one the task was made for."""
    variant: Name = ""
    """A variant of the task."""
    say: OptionalText = None
    """Apply a sentence's edits first."""

    def run(self) -> int:
        """Print the tables; of a task with errors the findings, as `reward check` does."""
        from ..spec import SpecError

        try:
            return self._explain()
        except SpecError:
            checked = check_target(self.task, self.variant, self.robot)
            if not any(f.severity == "E" for f in checked.findings):
                raise  # nothing of the task itself, such as an unknown robot or word
        from .findings import refuse_told

        print_check(checked, (), None)
        refuse_told(checked.findings, ())
        return 2

    def _explain(self) -> int:
        from ..program.critic import signal_bounds

        alone = own_program(self.task)
        if alone is None:
            return self._explain_task()
        needs_no_robot(self.task, robot=self.robot, variant=self.variant, say=self.say)
        bounds = signal_bounds(alone.compiled.signals, None, alone.task, {})
        return _tell(Path(self.task).name, alone.task, alone.compiled, bounds, alone=True)

    def _explain_task(self) -> int:
        from ..envs.critique import model_bounds
        from ..envs.provided import provided_signals
        from ..program.critic import signal_bounds
        from ..spec import load_robot, load_task
        from .words import apply_sentence

        task = load_task(self.task, self.variant)
        robot = load_robot(self.robot or task.robot)
        if self.say is not None:
            task, _ = apply_sentence(task, self.say)
        program = compile_pair(task, robot)
        bounds = signal_bounds(provided_signals(robot, task), robot, task, model_bounds(robot, task))
        return _tell(f"{task.name} on {robot.name}", task, program, bounds)


def _tell(title: str, task: Task, program: CompiledTask, bounds: Mapping[str, Bound], alone: bool = False) -> int:
    """Print everything about a program: one that is `alone` has signals of its own and no episode."""
    from rich.console import Console

    from .reward_rules import channel_title, gate_line, stages_table
    from .reward_tables import parameters_table, pay_table, signals_table, terms_table

    console = Console()
    if alone:
        console.print(signals_table(program))
    for channel in task.channels:
        for line in (channel_title(task, channel), gate_line(task, channel)):
            if line:
                console.print(line, markup=False, highlight=False, soft_wrap=True)
        console.print(terms_table(task, program, channel))
    if (stages := stages_table(program)) is not None:
        console.print(stages)
    console.print(pay_table(task, program, bounds, episode=not alone))
    console.print(parameters_table(program))
    otherwise = "not terminated" if program.stages is None else "a stage that ends as a success"
    for name, condition in [*task.terminations.items(), ("success", task.success or otherwise)]:
        console.print(f"{name}: {condition}", markup=False, highlight=False, soft_wrap=True)
    console.print(summary(title, program), soft_wrap=True)
    return 0


@dataclass(frozen=True)
class Reward:
    """Check, explain, plot or edit a task's reward program."""

    action: OmitSubcommandPrefixes[
        Annotated[RewardCheck, subcommand("check")]
        | Annotated[RewardExplain, subcommand("explain")]
        | Annotated[RewardPlot, subcommand("plot")]
        | Annotated[RewardEdit, subcommand("edit")]
    ]

    def run(self) -> int:
        """Run the chosen action."""
        return self.action.run()
