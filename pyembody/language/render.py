"""A translation as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from .edit import Translation
from .table import EditRow


def render(translation: Translation, rows: Iterable[EditRow] = ()) -> Table:
    """Return the refusals of a refused translation, otherwise its edits with `rows` of
    `edit_table`.
    """
    if translation.refused:
        table = _table("Not understood", ("words", "why", "nearest"))
        for refusal in translation.refused:
            _add(table, refusal.text, refusal.reason, " | ".join(refusal.nearest))
        return table
    table = _table(translation.text, ("parameter", "from", "to", "unit", "words", "note"))
    for row in rows:
        _add(table, row.parameter, row.before, row.after, row.unit, row.words, row.note)
    return table


def _table(title: str, columns: Iterable[str]) -> Table:
    table = Table(title=Text(title), title_justify="left")
    for column in columns:
        table.add_column(column)
    return table


def _add(table: Table, *cells: str) -> None:
    """Add a row of plain text: what a user wrote is never read as markup."""
    table.add_row(*(Text(cell) for cell in cells))
