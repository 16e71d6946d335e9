"""What is left of a task without the parts that are at fault, so that one error does not hide the next."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from ...spec.errors import SpecError
from ...spec.task import Task
from ..texts import expressions
from .finding import Finding
from .refusals import finding_of

MAX_ERRORS = 20
NEVER = "0 > 1"
"""A condition in the place of a stage's that cannot be compiled."""


def mended(task: Task, rules: Callable[[Task, str], None]) -> tuple[Task | None, list[Finding]]:
    """Return the task without what `rules`, such as `check_task`, refuse, and the errors.

    None instead of a task if others may need what is at fault.
    """
    errors: list[Finding] = []
    while len(errors) < MAX_ERRORS:
        try:
            rules(task, "task")
        except SpecError as error:
            errors.append(finding_of(error, texts(task)))
        else:
            return task, errors
        rest = without(task, errors[-1].path)
        if rest is None:
            break
        task = rest
    return None, errors


def texts(task: Task) -> dict[str, str]:
    """Return every expression of a task by its path."""
    found = expressions(task)
    found |= {f"stages.{s.name}.until": s.until for s in task.stages if s.until}
    found |= {f"machine[{i}].when": e.when for i, e in enumerate(task.machine)}
    return found


def without(task: Task, path: str) -> Task | None:
    """Return the task without the part at a path and whatever names it; None if the rest may need it."""
    match path.split("."):
        case ["channels", channel, *rest] if channel in task.channels:
            return _without_part(task, channel, rest)
        case ["metrics" | "terminations" as table, name]:
            return _changed(task, **{table: _others(getattr(task, table), name)})
        case ["observations", group, name]:
            return _changed(task, observations=task.observations | {group: _others(task.observations[group], name)})
        case ["terminal", name, "when"]:
            return _changed(task, terminal=_others(task.terminal, name))
        case ["success"]:
            return _changed(task, success="")
        case ["let", name] if name in task.let:
            return _without_let(task, name)
        case ["staging", *_]:
            return _paid_elsewhere(task)
        case ["stages", name, "until"]:
            stages = [msgspec.structs.replace(s, until=NEVER) if s.name == name else s for s in task.stages]
            return _changed(task, stages=type(task.stages)(stages))
    return None


def _without_part(task: Task, channel: str, rest: list[str]) -> Task | None:
    c = task.channels[channel]
    match rest:
        case ["terms", name, *_] if name in c.terms:
            c = msgspec.structs.replace(c, terms=_others(c.terms, name))
        case ["gate", *_] if c.gate is not None:
            c = msgspec.structs.replace(c, gate=None)
        case _:
            return None
    return _changed(task, channels=task.channels | {channel: c})


def _without_let(task: Task, name: str) -> Task | None:
    left: Task | None = msgspec.structs.replace(task, let=_others(task.let, name))
    word = re.compile(rf"\b{re.escape(name)}\b")
    while left is not None:
        path = next((path for path, text in texts(left).items() if word.search(text)), None)
        if path is None:
            return left
        left = without(left, path)
    return None


def _paid_elsewhere(task: Task) -> Task | None:
    """The task with its stages paid into the first channel that is a sum."""
    sums = [name for name, c in task.channels.items() if c.combine == "sum"]
    return _changed(task, staging=msgspec.structs.replace(task.staging, channel=sums[0])) if sums else None


def _changed(task: Task, **parts: Any) -> Task | None:
    """The task with other parts, None if that changes nothing."""
    changed = msgspec.structs.replace(task, **parts)
    return None if changed == task else changed


def _others(table: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != name}
