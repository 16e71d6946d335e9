"""`--say`: a sentence to checked edits of a task, shown before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .failure import CommandError
from .tables import make_table

if TYPE_CHECKING:
    from rich.table import Table

    from ..language import Edit
    from ..spec import Task

LANGUAGE = "language.toml"
RANGES = 'Commands are drawn from the ranges "low .. high"; say "exactly 1 m/s" to train one speed alone.'


def changes_table(before: Task, after: Task) -> Table:
    """Return every place in which two tasks differ, and what stands there."""
    from ..language.paths import changes, plain_data

    table = make_table("what changes in the task", ["place"], ["was", "becomes"])
    for path, old, new in changes(plain_data(before), plain_data(after)):
        table.add_row(path, *("-" if value is None else str(value) for value in (old, new)))
    return table


def apply_sentence(task: Task, sentence: str) -> tuple[Task, tuple[Edit, ...]]:
    """Print the table of edits that `sentence` asks for; return the edited task and the edits.

    Raises CommandError with every refused part and the nearest things that are understood.
    """
    from rich.console import Console

    if not sentence.strip():
        raise CommandError('--say: expected a sentence such as "trot forward at 1 m/s", got nothing')
    from rich.text import Text

    from ..language import apply_edits, current_values, edit_table, load_language, translate

    if not (Path(task.folder) / LANGUAGE).is_file():
        raise CommandError(f"--say: task {task.name} has no {LANGUAGE}: words can change nothing in it")
    language = load_language(task.folder)
    translation = translate(sentence, language, current_values(task, language))
    if translation.refused:
        raise CommandError("--say: " + "; ".join(str(refusal) for refusal in translation.refused))
    title = f'"{translation.text}"'
    table = make_table(title, ["parameter"], ["was", "becomes"], "unit", "because of")
    rows = edit_table(translation, language, task)
    drawn = any(".." in row.after for row in rows)
    for row in rows:
        why = Text("\n").join(Text(text, style) for text, style in ((row.words, ""), (row.note, "dim")) if text)
        table.add_row(row.parameter, row.before, row.after, row.unit, why)
    Console().print(table)
    if drawn:
        print(RANGES)
    return apply_edits(task, language, translation.edits), translation.edits
