"""A task folder of the user's own: a copy of another one, with an edited task in it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from .failure import CommandError

if TYPE_CHECKING:
    from ..spec import Task

LEFT_OUT = ("__pycache__", "golden.json")
"""What says nothing of the edited task: its golden episode is another's."""


def write_task_folder(edited: Task, folder: Path) -> Path:
    """Copy the folder of a task to a new one, whole or not at all, with `edited` as its task.toml.

    The changes of its variant are then in the files themselves, and there are no others. Raises CommandError.
    """
    from ..spec.load import learning_tables
    from ..spec.toml_text import tables_toml, to_toml

    temporary = folder.with_name(f".{folder.name}.tmp")
    left_out = (*LEFT_OUT, "variants") if edited.variant else LEFT_OUT
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(edited.folder, temporary, ignore=shutil.ignore_patterns(*left_out))
        (temporary / "task.toml").write_text(to_toml(edited), encoding="utf-8")
        if edited.variant:
            tables, _ = learning_tables(edited.folder, edited.variant)
            (temporary / "train.toml").write_text(tables_toml(tables), encoding="utf-8")
        temporary.rename(folder)
    except OSError as error:
        raise CommandError(f"{folder}: cannot write: {error.strerror or error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def as_argument(folder: Path) -> str:
    """Return the path as commands take it for a folder of one's own: with a slash in it."""
    return str(folder) if "/" in str(folder) else f"./{folder}"
