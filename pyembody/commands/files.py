"""Files that commands write for the user: checked before the work starts, and whole or not there
at all.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec

from ..spec.files import write_atomic
from .failure import CommandError


def check_writable(path: Path) -> None:
    """Raise CommandError unless a file can be written at `path`; nothing is left behind."""
    folder = path.parent
    if path.is_dir():
        raise CommandError(f"{path}: is a folder, expected a file")
    if not folder.is_dir():
        raise CommandError(f"{folder}: no such folder")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CommandError(f"{folder}: {error.strerror}") from None


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all. Raises SpecError."""
    write_atomic(path, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
