"""What `pyembody reward check` does: findings of a task or a file, with an audit if it is asked for."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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


def check_file(path: Path, robot: str, audit: bool) -> Checked:
    """Return what is found in a TOML file; one that is no task has that as its finding.

    One with signals of its own is a reward program by itself, which needs no robot.
    """
    from ..program.critic.check import read_task
    from ..program.critic.refusals import finding_of
    from ..spec import SpecError, load_robot

    text = path.read_text(encoding="utf-8", errors="replace")
    if not robot and _has_signals(text):
        return _alone(path, audit)
    named = re.search(r'^robot\s*=\s*"([^"]*)"', text, re.MULTILINE)
    if not robot and named is None:
        raise CommandError(f"{path}: names no robot; say --robot")
    known = load_robot(robot or (named[1] if named else ""))
    try:
        task = read_task(text)
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


def _alone(path: Path, audit: bool) -> Checked:
    from ..program.critic import check_alone

    if audit:
        raise CommandError(f"--audit: {path} is a reward program by itself; expected a task, which a robot can run")
    program, findings = check_alone(path)
    return Checked(findings, "" if program is None or _refused(findings) else summary(str(path), program))


def _has_signals(text: str) -> bool:
    try:
        return "signals" in tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return False


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
