"""`pyembody reward edit`: typed changes of a task, tried on recorded states first, or of a training while it runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from .alone import needs_no_robot, own_program
from .checks import positive
from .failure import CommandError
from .options import Name, OptionalPath
from .pair import compile_pair
from .reward_edit_file import edit_file
from .tables import make_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.table import Table

    from ..analysis.record import Policy
    from ..analysis.replay import States
    from ..learn.run_folder import RunSpec
    from ..program import CompiledTask
    from ..spec import Robot, Task

ROWS = 32
TEXTS = ("channels.", "let.", "metrics.", "terminations.", "terminal.", "success")
"""How the places of a task begin that a running training may change, besides its weights and parameters."""


@dataclass(frozen=True)
class RewardEdit:
    """Change a task's numbers and texts, and see first what the change does to the pay of the same states.

    Of a run folder: change weights, parameters, expressions and terms of its training, from its next iteration on.
    """

    target: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="TASK|FILE|RUN")]
    """The task (a shipped name or a folder), a TOML file (a reward program with its own signals), or the run (its
    folder, or 'latest')."""
    edits: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="NAME=VALUE")]
    """Changes: a weight or parameter (style.level.weight=-5) or any place of the task
    (channels.style.terms.level.expr="norm(projected_gravity[:2])")."""
    robot: Name = ""
    """The robot: a shipped name or the path of a robot folder; by default the one the task was made for."""
    variant: Name = ""
    """A variant of the task."""
    policy: Name = ""
    """The run whose policy makes the states; by default random actions do."""
    seconds: float = 5.0
    """Length of the recorded states."""
    log: OptionalPath = None
    """Of a FILE: the states, an .npz file of arrays [T, N, ...] by signal, and 'resets' [T, N] where episodes start."""
    write: OptionalPath = None
    """Write the edited task: a new task folder, which 'pyembody train' takes, or its text alone as NAME.toml."""
    out: Path = Path("runs")
    """Folder of the runs, for 'latest'."""

    def run(self) -> int:
        """Print the table of the pay before and after, or hand the change to the training."""
        if not self.edits:
            raise CommandError("edits: expected at least one NAME=VALUE, such as style.level.weight=-5")
        is_run = self.target == "latest" or (Path(self.target) / "spec.json").is_file()
        if is_run and self.write is not None:
            hint = "a training takes its edits up itself; 'pyembody reward edit TASK ... --write FOLDER' writes a task"
            raise CommandError(f"--write: expected a TASK beside it, got the run '{self.target}' ({hint})")
        pairs = [split(text) for text in self.edits]
        if is_run:
            return edit_run(self.target, self.out, pairs)
        if self.write is not None and self.write.exists():
            raise CommandError(f"{self.write}: exists already; expected a new file")
        alone = own_program(self.target)
        if alone is None:
            return self._edit_task(pairs)
        needs_no_robot(self.target, robot=self.robot, variant=self.variant, policy=self.policy)
        found = places(alone.task, alone.compiled, pairs)
        return edit_file(Path(self.target).expanduser(), found, alone.compiled, self.log, self.write)

    def _edit_task(self, pairs: Sequence[tuple[str, Any]]) -> int:
        from rich.console import Console

        from ..envs.critique import critique
        from ..language import edited_task
        from ..spec import load_robot, load_task
        from .findings import findings_table

        positive("seconds", self.seconds)
        if self.log is not None:
            raise CommandError(f"--log: expected a FILE beside it; the states of task {self.target} come of its robot")
        task = load_task(self.target, self.variant)
        robot = load_robot(self.robot or task.robot)
        before = compile_pair(task, robot)
        edited = edited_task(task, places(task, before, pairs), "edits")
        after = compile_pair(edited, robot)  # what is not legal is told before anything is simulated
        console = Console()
        console.print(self._dry_run(task, robot, edited))
        known = {(f.code, f.path) for f in critique(task, robot, before)}
        new = [f for f in critique(edited, robot, after) if (f.code, f.path) not in known]
        if new:
            console.print(findings_table(new, ()))
        self._write(edited)
        return 0

    def _write(self, edited: Task) -> None:
        from ..spec.files import write_atomic
        from ..spec.toml_text import to_toml
        from .task_copy import as_argument, write_task_folder

        if self.write is None:
            print("nothing was written: --write FOLDER does that")
        elif self.write.suffix == ".toml":
            print(f"wrote {write_atomic(self.write, to_toml(edited).encode())}, which 'pyembody reward check' takes")
            print("to train it, write a task folder: --write FOLDER")
        else:
            print(f"wrote {write_task_folder(edited, self.write)}/")
            robot = f" --robot {self.robot}" if self.robot else ""
            print(f"next: pyembody train {as_argument(self.write)}{robot}")

    def _dry_run(self, task: Task, robot: Robot, edited: Task) -> Table:
        from gymnasium.vector import AutoresetMode

        from ..analysis.replay import watch
        from ..envs import VectorEnv
        from ..program import compile_task

        env = VectorEnv(task, robot, ROWS, autoreset_mode=AutoresetMode.NEXT_STEP)
        before = env.program
        after = compile_task(edited, before.signals, dt=before.dt, mirror=robot.mirror)
        steps = max(1, round(self.seconds / env.control_dt))
        states, _ = watch(env, self._policy(env), steps, 0, [s.name for s in after.inputs])
        env.close()
        return pay_table(states, before, after)

    def _policy(self, env: Any) -> Policy:
        import numpy as np

        if self.policy:
            from ..learn import load_policy
            from .eval import check_fits
            from .locate import locate

            policy = load_policy(locate(self.policy, self.out).source)
            check_fits(policy.observation_size, env.observations.shape[1], self.variant)
            return policy
        rng, width = np.random.default_rng(0), env.action.shape[1]
        return lambda x: rng.uniform(-1, 1, (len(x), width)).astype(np.float32)


def pay_table(states: States, before: CompiledTask, after: CompiledTask) -> Table:
    """Return what two programs pay a second on the same states: terms, and what channels pay besides, that changed."""
    valid = ~states.started
    named = [_pay_per_second(states, p, valid) for p in (before, after)]
    title = f"pay per second on {int(valid.sum())} recorded steps"
    table = make_table(title, ["term"], ["before", "after", "change"])
    for name in dict.fromkeys(name for n in named for name in n):
        old, new = (n.get(name) for n in named)
        if old != new:
            table.add_row(name, *_cells(old, new))
    table.add_row("[bold]all[/]", *_cells(*(sum(n.values()) for n in named)))
    return table


def _pay_per_second(states: States, program: CompiledTask, valid: NDArray[np.bool_]) -> dict[str, float]:
    """Mean pay a second of each term, and of what channels pay besides, over the steps that are `valid` [T, N]."""
    groups = states.pays(program)
    lines = [(name, groups["lines"][..., k]) for k, name in enumerate(program.line_names)]
    terms = [(name, groups["weighted"][..., k]) for k, name in enumerate(program.term_names)]
    return {name: float(values[valid].mean(dtype=float)) / program.dt for name, values in [*terms, *lines]}


def _cells(old: float | None, new: float | None) -> tuple[str, str, str]:
    texts = ["-" if v is None else f"{v:.4g}" for v in (old, new)]
    change = "" if old is None or new is None else f"{new - old:+.4g}"
    return texts[0], texts[1], change


def split(text: str) -> tuple[str, Any]:
    """Return name and value of NAME=VALUE; a value that is no JSON number, list or truth value is a text."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise CommandError(f"edits: expected NAME=VALUE, got '{text}'")
    try:
        return name.strip(), json.loads(value, parse_constant=lambda word: _no_number(text, word))
    except json.JSONDecodeError:
        return name.strip(), value.strip()


def _no_number(text: str, word: str) -> None:
    raise CommandError(f"edits: {text}: expected a finite number, got {word}")


def places(task: Task, program: CompiledTask, pairs: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return path and value of each change of a name or path. Raises SpecError for unknown names and ranges."""
    from ..program.params import find
    from ..spec.errors import SpecError

    found = []
    for name, value in pairs:
        path = name
        if name.partition(".")[0] not in task.__struct_fields__ or name in program.params:
            info = find(program.params, name)
            if isinstance(value, int | float):
                info.check(float(value))
            if not info.path:
                raise SpecError(f"edits: {info.name}: expected a number of the task's, this one is measured")
            path = info.path
        found.append((path, value))
    return found


def edit_run(target: str, out: Path, pairs: Sequence[tuple[str, Any]]) -> int:
    """Ask a run's training for changes before its next iteration; nothing is asked if one is not legal."""
    from ..envs.critique import critique
    from ..envs.swap import check_settled
    from ..learn import read_edits, read_run, request_edit
    from ..learn.live import changed_task, waiting_edits
    from .locate import locate

    folder = locate(target, out).folder
    spec = read_run(folder)
    task = spec.task
    for edit in [*read_edits(folder), *waiting_edits(folder)]:
        task = changed_task(task, edit.changes)
    numbers = {p.path: p.name for p in compile_pair(task, spec.robot).params.values()}
    changes = {name: value for name, value in pairs if name.startswith(TEXTS) and name not in numbers}
    task = changed_task(task, changes)
    check_settled(spec.task, task)
    program = compile_pair(task, spec.robot)
    wrong = [f for f in critique(task, spec.robot, program) if changes and f.severity == "E"]
    if wrong:
        raise CommandError(f"edits: {wrong[0]}")
    values = _numbers(program, [(numbers.get(name, name), value) for name, value in pairs if name not in changes])
    request_edit(folder, values, changes)
    when = _when(folder, spec)
    for name, shown in {**{k: f"{v:g}" for k, v in values.items()}, **changes}.items():
        print(f"{name} = {shown}")
    print(when)
    return 0


def _when(run: Path, spec: RunSpec) -> str:
    """Which run it is, what it does now, and so when an edit of it takes effect."""
    from ..learn.training import run_state

    state, done = run_state(run, spec)
    total = spec.train.iterations
    match state:
        case "training":
            return f"run {run} is training: from its next iteration on; its terminal says when"
        case "finished":
            return (
                f"run {run} has finished ({done} of {total} iterations): the edit waits until it is resumed: "
                f"pyembody resume {run} --iterations {done + 100}"
            )
        case "stopped":
            return f"run {run} has stopped ({done} of {total} iterations): the edit waits for: pyembody resume {run}"
    return f"run {run} does not train and has saved nothing yet: the edit waits for its first iteration"


def _numbers(program: CompiledTask, pairs: Sequence[tuple[str, Any]]) -> dict[str, float]:
    """Weights and parameters by full name. Raises SpecError, CommandError."""
    from ..program.params import find

    values: dict[str, float] = {}
    for name, value in pairs:
        info = find(program.params, name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            hint = "a text is named by its place, such as channels.task.terms.track.expr"
            raise CommandError(f"edits: {name}: expected a number, got '{value}' ({hint})")
        info.check(float(value))
        values[info.name] = float(value)
    return values
