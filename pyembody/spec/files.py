"""Files that are whole or not there: written beside their place under another name, then moved."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import SpecError


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Give a temporary path in the folder of `path` and move it there when the block ends well.

    The folder is made if it is missing. Otherwise nothing is left behind and an older file stays.
    Raises SpecError naming `path` if it cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise SpecError(f"{path}: cannot write: {error.strerror or error}") from None
    finally:
        if temporary.exists():
            temporary.unlink()


def write_atomic(path: Path | str, data: bytes) -> Path:
    """Write `data` to `path`, whole or not at all, and return the path. Raises SpecError."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return Path(path)


def sync_folder(path: Path) -> None:
    """Force a folder's entries to the disk, so that a rename survives a power cut. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
