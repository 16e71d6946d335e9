"""What `pyembody reward check` does: findings of a task or a file, with an audit if it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .alone import needs_no_robot
from .failure import CommandError
from .pair import compile_pair, summary

if TYPE_CHECKING:
    from ..analysis.audit import Audit
    from ..program.critic import Finding
    from ..spec import Robot, Task


@dataclass(frozen=True)
class Checked:
    """Findings, what a program without errors is, and its audit."""

    findings: list[Finding]
    summary: str = ""
    audit: Audit | None = None


def check_task(name: str, variant: str, robot: str, audit: bool) -> Checked:
    """Return what is found in a shipped task or a task folder; a file that is no task has that as its finding."""
    from ..program.critic.refusals import finding_of
    from ..spec import SpecError, find_folder, load_robot, load_task

    find_folder("task", name)
    try:
        task = load_task(name, variant, check=False)
    except SpecError as error:
        return Checked([finding_of(error, {})])
    return _checked(task, load_robot(robot or task.robot), audit)


def check_target(target: str, variant: str = "", robot: str = "", audit: bool = False) -> Checked:
    """Return what is found in a task, or in a TOML file: one that is no task or program has that as its finding.

    A file with signals of its own is a reward program by itself, which needs no robot. Raises CommandError for options
    that what is checked cannot have, SpecError for a name or file that is not there.
    """
    from ..program.critic.refusals import finding_of
    from ..spec import SpecError
    from ..spec.given import is_program, names_file, read_given

    path = Path(target).expanduser()
    if not names_file(target):
        return check_task(target, variant, robot, audit)
    try:
        data = read_given(path)
    except SpecError as error:
        if not path.is_file():
            raise
        found = finding_of(error, {})
        return Checked([replace(found, path=path.name, message=found.message.removeprefix(f"{path}: "))])
    if is_program(data):
        if audit:
            raise CommandError(f"--audit: {path} is a reward program by itself; expected a task, which a robot can run")
        needs_no_robot(path, robot=robot, variant=variant)
        return _alone(path)
    return check_task(target, variant, robot, audit) if path.name == "task.toml" else _text(path, data, robot, audit)


def _text(path: Path, data: Mapping[str, Any], robot: str, audit: bool) -> Checked:
    """What is found in the text of a task that no folder holds."""
    from ..program.critic.refusals import finding_of
    from ..spec import SpecError, Task, load_robot
    from ..spec.load import convert

    named = robot or data.get("robot")
    if not isinstance(named, str) or not named:
        raise CommandError(f"{path}: names no robot (say --robot) and declares no signals of its own")
    known = load_robot(named)
    try:
        task = convert(data, Task, "task")
    except SpecError as error:
        return Checked([finding_of(error, {})])
    return _checked(task, known, audit)


def _checked(task: Task, robot: Robot, audit: bool) -> Checked:
    from ..envs.critique import critique
    from ..program.critic import ordered
    from ..program.critic.parts import mended
    from ..spec.check import check_task as rules

    left, errors = mended(task, rules)
    findings = ordered(errors + (critique(left, robot) if left is not None else []))
    if _refused(findings):
        return Checked(findings)
    told = summary(f"{task.name} on {robot.name}", compile_pair(task, robot))
    if not audit:
        return Checked(findings, told)
    from ..analysis.audit import audit_task

    report = audit_task(task, robot)
    return Checked(ordered(findings + list(report.findings)), told, report)


def _alone(path: Path) -> Checked:
    from ..program.critic import check_alone

    program, findings = check_alone(path)
    return Checked(findings, "" if program is None or _refused(findings) else summary(str(path), program))


def _refused(findings: list[Finding]) -> bool:
    return any(f.severity == "E" for f in findings)


def print_check(checked: Checked, allow: tuple[str, ...], json: Path | None) -> None:
    """Print the audit's tables, the findings and a summary; write them as JSON if asked."""
    from rich.console import Console

    from .files import write_json
    from .findings import findings_table
    from .reward_tables import audit_tables

    console = Console()
    if checked.audit is not None:
        console.print(*audit_tables(checked.audit), sep="\n")
    if checked.findings:
        console.print(findings_table(checked.findings, allow))
    else:
        print("no faults found")
    if checked.summary:
        console.print(checked.summary, markup=False, soft_wrap=True)
    if json is not None:
        figures = None if checked.audit is None else checked.audit.to_json()
        write_json(json, {"findings": [f.to_json() for f in checked.findings], "audit": figures})
        print(f"wrote {json}")
