"""What a TOML file is that a user names where a folder or a program is due."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import SpecError
from .files import read_toml

TAKES = "'pyembody reward check, explain, plot, edit' and pyembody.RewardProgram take it"
"""Who takes a reward program by itself."""


def names_file(name: str) -> bool:
    """Return whether a name can only mean a TOML file: it ends so, and no folder is called so."""
    return name.endswith(".toml") and not Path(name).expanduser().is_dir()


def read_given(path: Path) -> dict[str, Any]:
    """Return the tables of a file that a user named. Raises SpecError if there is none, for what is no TOML, and for
    an empty one.
    """
    if not path.is_file():
        raise SpecError(f"{path}: no such file")
    data = read_toml(path)
    if not data:
        raise SpecError(
            f"{path}: line 1, column 1: expected a task, or a program's dt, [signals] and [channels.NAME.terms], "
            "got an empty file"
        )
    return data


def is_program(data: Mapping[str, Any]) -> bool:
    """Return whether a file's tables are a reward program by itself: it has signals, or a control step, of its own.

    The signals that a task adds to those of its robot are a list.
    """
    return isinstance(data.get("signals"), Mapping) or "dt" in data


def task_folder(path: Path, kind: str, file: str) -> Path:
    """Return the folder of a file `file`, such as `task.toml`, of a robot or task. Raises SpecError saying what another
    file is and who takes it.
    """
    data = read_given(path)
    if path.name == file:
        return path.resolve().parent
    if kind == "task" and is_program(data):
        raise SpecError(f"{path} is a reward program by itself; expected a task, which a robot can run; {TAKES}")
    raise SpecError(f"{path}: expected the name of a {kind}, or a folder with a {file} in it, got another file")
