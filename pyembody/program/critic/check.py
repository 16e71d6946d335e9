"""The critic: everything that can be said about a program before it runs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...spec.check import check_program, check_task
from ...spec.errors import SpecError
from ...spec.load import convert, load_robot
from ...spec.robot import Mirror, Robot
from ...spec.signal import Signal
from ...spec.standalone import read_standalone
from ...spec.task import Task
from ..compiled import CompiledTask
from ..compiler import compile_task
from .bounds import ASSUMED, NEAR, Bound, ranges, signal_bounds
from .ending import Paid, endings
from .finding import Finding, ordered
from .gates import order
from .hazards import Kind, hazards
from .interval import MAX
from .parts import MAX_ERRORS, mended, texts, without
from .refusals import finding_of
from .rules import Context
from .terms import joined, other_step, pays, structure, unbounded, zeros
from .walk import Analysis, param_ranges

STEP = 0.02
Key = tuple[str, str, tuple[int, int]]
FAMILY = dict.fromkeys(("E-DOMAIN", "W-NAN", "W-INF", "W-DIV0"), "number") | dict.fromkeys(
    ("E-SCALE", "W-SCALE"), "scale"
)


@dataclass(frozen=True)
class Options:
    """What the critic is told besides program and robot.

    `signals` are those that a task may ask for (default: the robot's own and `action`), `bounds` known ranges of
    signals, over those that robot and task tell.
    """

    signals: Mapping[str, Signal] | None = None
    bounds: Mapping[str, Bound] = field(default_factory=dict)


def check(subject: Task | str, robot: Robot, options: Options | None = None) -> list[Finding]:
    """Return the findings about a task, or the TOML text of one, on a robot: errors first, in a fixed order.

    Nothing is simulated. A text that is no task at all gives one finding.
    """
    options = options or Options()
    try:
        whole = subject if isinstance(subject, Task) else read_task(subject)
    except SpecError as error:
        return [finding_of(error, {})]
    task, refused = mended(whole, check_task)
    if task is None:
        return ordered(refused)
    signals = options.signals
    if signals is None:
        signals = robot.signal_table() | {s.name: s for s in task.signals}
        signals["action"] = Signal("action", axis="joints", labels=robot.joints)
    program, errors = _compiled(task, signals, robot.control.control_dt, robot.mirror)
    errors = refused + errors
    if program is None:
        return ordered(errors)
    return ordered(errors + examine(task, program, signal_bounds(signals, robot, task, options.bounds)))


def check_alone(source: str | Path, dt: float | None = None) -> tuple[CompiledTask | None, list[Finding]]:
    """Return the program of a text that declares its own signals, and the findings about it; see `read_standalone`.

    `dt` is the control step in seconds, if the text does not say it. No program comes back if an error leaves none.
    Nothing is known of the signals' ranges but their kinds.
    """
    try:
        alone = read_standalone(source, check=False)
    except SpecError as error:
        return None, [finding_of(error, {})]
    task, refused = mended(alone.task, check_program)
    try:
        step = alone.step(dt)
    except SpecError as error:
        refused.append(finding_of(error, {}))
        step = STEP  # what else is wrong does not depend on it
    if task is None:
        return None, ordered(refused)
    program, errors = _compiled(task, alone.signals, step, None)
    errors = refused + errors
    if program is None:
        return None, ordered(errors)
    return program, ordered(errors + examine(task, program, signal_bounds(alone.signals, None, task, {}), True))


def examine(task: Task, program: CompiledTask, bounds: Mapping[str, Bound], alone: bool = False) -> list[Finding]:
    """Return the findings about a program that compiles. `bounds` are its signals' ranges; `alone` says that no task
    gives its episodes a length.

    A warning of something possible stands if signals of unknown range need not leave ±1 for it; one of something
    certain if they may be anything. Otherwise it is a note, marked `assumed`.
    """
    wide = analyse(task, program, bounds)
    least, most = (analyse(task, program, bounds, a) for a in (NEAR, float(MAX)))
    near, free = (_by_key(_numbers(task, program, a)) for a in (least, most))
    found = [_judged(f, near if kind == "possible" else free) for kind, f in _numbers(task, program, wide)]
    found += _over_ranges(task, program, bounds, {_key(f) for f in found})
    paid, near_paid, free_paid = (pays(task, program, a) for a in (wide, least, most))
    found += structure(task, program, paid, wide)
    found += endings(task, program, Paid(paid, near_paid, free_paid, wide, most, alone))
    found += order(task, program, paid)
    found += other_step(program, paid, _tuned_step(task, program))
    boundless, forever = (analyse(task, program, bounds, float(MAX), float(MAX), phase=t) for t in (None, float(MAX)))
    return found + list(unbounded(pays(task, program, boundless), pays(task, program, forever)))


def _tuned_step(task: Task, program: CompiledTask) -> float:
    """The control step of the robot that the task was made for; the program's own where that is not known."""
    try:
        return load_robot(task.robot).control.control_dt if task.robot else program.dt
    except SpecError:
        return program.dt


def analyse(
    task: Task,
    program: CompiledTask,
    bounds: Mapping[str, Bound],
    assumed: float = ASSUMED,
    physical: float | None = None,
    over_range: bool = False,
    phase: float | None = None,
) -> Analysis:
    """Return the ranges of a program's nodes; see `ranges` for `assumed` and `physical`.

    `over_range` takes parameters over the limits that they declare instead of at their values; `phase` is the longest
    time in seconds in the air or in contact, by default that of an episode.
    """
    used = {s.name: s for s in program.inputs}
    known = {name: bound for name, bound in bounds.items() if name in used}
    steps = max(1, round(task.episode.length_s / program.dt))
    with np.errstate(all="ignore"):
        signals = ranges(used, known, assumed, physical)
        context = Context(signals, param_ranges(program.params, over_range), steps, program.dt, phase)
        analysis = Analysis(context, program.places)
        for group in program.groups.values():
            for _, node in group.stores:
                analysis.range(node)
    return analysis


def _numbers(task: Task, program: CompiledTask, analysis: Analysis) -> list[tuple[Kind, Finding]]:
    paid = pays(task, program, analysis)
    return list(hazards(analysis)) + [("possible", f) for f in (*zeros(paid, analysis), *joined(task, paid, analysis))]


def _key(finding: Finding) -> Key:
    """The place of a finding and what it is about: a smaller range may turn a possible fault into a certain one."""
    return FAMILY.get(finding.code, finding.code), finding.path, finding.span


def _by_key(found: list[tuple[Kind, Finding]]) -> dict[Key, str]:
    """What each finding gives as evidence."""
    return {_key(f): f.got for _, f in found}


def _judged(finding: Finding, standing: Mapping[Key, str]) -> Finding:
    """A finding as it stands: a note if it needs an assumed range; one whose figures come of such a range says so."""
    if finding.severity == "N":
        return finding
    if _key(finding) in standing:
        if standing[_key(finding)] == finding.got:
            return finding
        return replace(finding, message=f"{finding.message} (ranges that are not known are assumed: ±{ASSUMED:g})")
    message = f"{finding.message} (assumed: a signal's range is not known)"
    return replace(finding, severity="N", message=message, evidence=finding.evidence | {"assumed": True})


def _over_ranges(task: Task, program: CompiledTask, bounds: Mapping[str, Bound], known: set[Key]) -> list[Finding]:
    """What becomes possible when parameters take other values that they allow."""
    wide, near = (_numbers(task, program, analyse(task, program, bounds, a, over_range=True)) for a in (ASSUMED, NEAR))
    found = []
    for kind, finding in wide:
        if kind == "possible" and _key(finding) not in known:
            told = replace(finding, message=f"{finding.message}, for some values that its parameters may take")
            found.append(_judged(told, _by_key(near)))
    return found


def _compiled(
    task: Task, signals: Mapping[str, Signal], dt: float, mirror: Mirror | None
) -> tuple[CompiledTask | None, list[Finding]]:
    """The program, or of a task with errors what is left of it without them; and the errors, one a text."""
    errors: list[Finding] = []
    while len(errors) < MAX_ERRORS:
        try:
            return compile_task(task, signals, dt=dt, mirror=mirror), errors
        except SpecError as error:
            errors.append(finding_of(error, texts(task)))
        rest = without(task, errors[-1].path)
        if rest is None:
            break
        task = rest
    return None, errors


def read_task(text: str) -> Task:
    """Return the task of a TOML text; its rules (`check_task`) are not applied. Raises SpecError."""
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SpecError(f"not TOML: {error}") from None
    return convert(data, Task, "task")
