"""How the commands' tables look: narrow enough for a terminal of 80 columns, names never cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def make_table(title: str, names: Sequence[str], numbers: Sequence[str], *texts: str) -> Table:
    """Return an empty table: columns that are never cut, right-aligned ones, and ones that wrap."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, title_style="bold")
    for name in names:
        table.add_column(name, no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    for name in texts:
        table.add_column(name, overflow="fold")
    return table
