"""What a sentence asked for beside what an evaluation found: one row an edited parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..language import Language, shown_value
from .explain import FIGURES, GAIT, HELD, METRICS, Line

LINES = FIGURES | METRICS | GAIT | HELD


class Asked(NamedTuple):
    """A parameter, what it is for, what it is set to (with its unit), what came of it, and how that was measured.

    `got` and `measured` are empty where the evaluation has no such figure.
    """

    parameter: str
    doc: str
    asked: str
    got: str = ""
    measured: str = ""


def asked_rows(
    edits: Sequence[Mapping[str, Any]],
    task: Mapping[str, Any],
    language: Language | None,
    evaluation: Mapping[str, Any] | None,
) -> list[Asked]:
    """Return a row for each edit of a run; `task` is the edited one, as plain data, `evaluation` as JSON data."""
    rows = []
    for edit in edits:
        name, unit = str(edit.get("parameter", "")), str(edit.get("unit", ""))
        known = language.parameters.get(name) if language is not None else None
        if known is None:
            rows.append(Asked(name, "", f"{_text(edit.get('value'))} {unit}".strip()))
            continue
        asked = f"{shown_value(dict(task), known)} {unit}".strip()
        got = _figure(evaluation or {}, known.measured)
        line = LINES.get(known.measured.split(".")[-1], Line(known.measured, "", ""))
        rows.append(
            Asked(name, known.doc.partition(". ")[0], asked, f"{got} {line.unit}".strip(), line.label)
            if got
            else Asked(name, known.doc.partition(". ")[0], asked)
        )
    return rows


def _figure(evaluation: Mapping[str, Any], path: str) -> str:
    """The number at a dotted path of an evaluation, with its interval if it has one; empty if there is none."""
    value: Any = evaluation
    for key in path.split(".") if path else ():
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping) and value.get("mean") is not None:
        half = (float(value["high"]) - float(value["low"])) / 2
        return f"{float(value['mean']):.3g} ± {half:.1g}"
    return _text(value) if isinstance(value, int | float) else ""


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
