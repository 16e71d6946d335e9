"""Edits into tasks: checked for name, unit and range, then one new frozen task; in any order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..spec.check import check_task
from ..spec.errors import SpecError, unknown
from ..spec.load import convert
from ..spec.task import Task
from .edit import Edit, Value
from .paths import plain_data, read_path, write_path
from .vocabulary import Language, LanguageParameter, Setting


def check_edit(language: Language, edit: Edit) -> Edit:
    """Return `edit` in its parameter's own unit; a SpecError tells an unknown name or choice, wrong
    unit or range.
    """
    parameter = language.parameters.get(edit.parameter)
    if parameter is None:
        raise unknown("edit", "parameter", edit.parameter, language.parameters)
    if edit.exact and not parameter.interval:
        raise SpecError(f"{edit.parameter}: expected exact only of a range of commands")
    if parameter.choices:
        return _check_choice(edit, parameter)
    if not isinstance(edit.value, float | int) or not math.isfinite(edit.value):
        raise SpecError(f"{edit.parameter}: expected a finite number, got {edit.value!r}")
    factors = {parameter.unit: 1.0, **language.english.units.get(parameter.unit, {})}
    if edit.unit not in factors:
        raise unknown(
            f"{edit.parameter} (in {parameter.unit or 'no unit'})", "unit", edit.unit, factors
        )
    value = edit.value * factors[edit.unit]
    if not in_range(parameter, value):
        raise SpecError(f"{edit.parameter}: {range_text(parameter)}, got {value:g}")
    return Edit(edit.parameter, float(value), parameter.unit, edit.exact)


def _check_choice(edit: Edit, parameter: LanguageParameter) -> Edit:
    if edit.value not in parameter.choices:
        raise unknown(edit.parameter, "choice", str(edit.value), parameter.choices)
    if edit.unit:
        raise SpecError(f"{edit.parameter}: expected no unit, got '{edit.unit}'")
    return edit


def in_range(parameter: LanguageParameter, value: float) -> bool:
    """Return whether a value in the parameter's unit is legal."""
    low, high = parameter.range
    slack = 1e-9 * max(
        abs(low), abs(high)
    )  # a converted unit may miss the end of the range by rounding
    return low - slack <= value <= high + slack


def range_text(parameter: LanguageParameter) -> str:
    """Return the legal range in words: `expected -1.5 to 1.5 m/s`."""
    low, high = parameter.range
    return f"expected {low:g} to {high:g} {parameter.unit}".rstrip()


def settings(
    parameter: LanguageParameter, value: Value, exact: bool = False
) -> dict[str, Setting]:
    """Return what a legal value means inside a task, as path = setting."""
    if isinstance(value, str):
        return parameter.choices[value]
    if parameter.interval:
        low, high = parameter.interval
        if exact:
            return {low: value, high: value, **parameter.exact}
        return {low: min(0.0, value), high: max(0.0, value)}
    return {parameter.target: value}


def apply_edits(task: Task, language: Language, edits: Iterable[Edit]) -> Task:
    """Return a new task with all edits in it, the same for any order of them.

    A SpecError tells an unknown name or choice, a wrong unit, a value out of range, or two edits
    that disagree.
    """
    chosen: dict[str, Edit] = {}
    for edit in edits:
        checked = check_edit(language, edit)
        other = chosen.setdefault(edit.parameter, checked)
        if other != checked:
            raise SpecError(
                f"{edit.parameter}: two edits disagree: {other} and {checked}"
            )
    wanted = [
        (path, _plain(setting))
        for name in sorted(chosen)
        for path, setting in settings(language.parameters[name], _value(chosen[name]), chosen[name].exact).items()
    ]
    return edited_task(task, wanted, f"task {task.name} with edits of {', '.join(sorted(chosen))}")


def _value(checked: Edit) -> Value:
    assert checked.value is not None  # check_edit refused it
    return checked.value


def edited_task(
    task: Task, changes: Iterable[tuple[str, Any]], place: str, rules: Callable[[Task, str], None] = check_task
) -> Task:
    """Return a new task with each value at its path, such as `params.body_height`; of a parameter table its `value`.

    Raises SpecError for a path that the task does not have and for what `rules` find illegal, naming `place`.
    """
    data = plain_data(task)
    for path, value in changes:
        write_path(data, path, value)
    edited = convert(data, Task, place)
    rules(edited, place)
    return edited


def current_values(task: Task, language: Language) -> dict[str, Value]:
    """Return each parameter's value in `task`; one that no single value describes is left out."""
    data = plain_data(task)
    found = {name: current_value(data, parameter) for name, parameter in language.parameters.items()}
    return {name: value for name, value in found.items() if value is not None}


def current_value(data: Mapping[str, Any], parameter: LanguageParameter) -> Value | None:
    """Return a parameter's value in a task's plain data, None if no single value describes it."""
    if parameter.interval:
        low, high = (float(read_path(data, path)) for path in parameter.interval)
        if low == high:
            return low
        return low + high if low <= 0.0 <= high and low * high == 0.0 else None
    if parameter.target:
        return float(read_path(data, parameter.target))
    for name, wanted in parameter.choices.items():
        if all(read_path(data, path) == _plain(setting) for path, setting in wanted.items()):
            return name
    return None


def _plain(setting: Setting) -> float | str | list[float] | None:
    if isinstance(setting, tuple):
        return list(setting)
    return None if setting == "" else setting
