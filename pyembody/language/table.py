"""What an edit changes, as rows of plain data."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from ..spec.task import Task
from .apply import apply_edits, current_value
from .edit import Translation
from .paths import plain_data, read_path
from .vocabulary import Language, LanguageParameter


class EditRow(Struct, frozen=True):
    """What a parameter was and becomes (an interval as `0 .. 1`), its unit, words and a note."""

    parameter: str
    before: str
    after: str
    unit: str
    words: str
    note: str = ""


def edit_table(translation: Translation, language: Language, task: Task) -> list[EditRow]:
    """Return one row per edit, in the order of the edits. Raises what `apply_edits` raises."""
    old = plain_data(task)
    new = plain_data(apply_edits(task, language, translation.edits))
    said = {u.parameter: u for u in translation.understood}
    rows = []
    for edit in translation.edits:
        parameter = language.parameters[edit.parameter]
        source = said.get(edit.parameter)
        rows.append(
            EditRow(
                edit.parameter,
                shown_value(old, parameter),
                shown_value(new, parameter),
                edit.unit,
                " ".join(source.words) if source else "",
                source.note if source else "",
            )
        )
    return rows


def shown_value(data: dict[str, Any], parameter: LanguageParameter) -> str:
    """Return what a parameter is in a task's plain data: a number, a range `0 .. 1`, or a choice."""
    if parameter.interval:
        low, high = (read_path(data, path) for path in parameter.interval)
        return f"{low:.3g} .. {high:.3g}" if low != high else f"{low:.3g}"
    if parameter.target:
        return f"{read_path(data, parameter.target):.3g}"
    return str(current_value(data, parameter) or "other")
