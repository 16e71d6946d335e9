"""The files of a checkpoint: forced to the disk, folders that go at once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def write_synced(path: Path, data: bytes) -> None:
    """Write a file and force it to the disk. Raises OSError."""
    with path.open("wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())


def remove_folder(path: Path) -> None:
    """Delete a folder if it is there: renamed first, so that no half of it keeps its name."""
    grave = path.with_name(f".{path.name}.old")
    shutil.rmtree(grave, ignore_errors=True)  # left by a removal that was cut short
    try:
        path.replace(grave)
    except FileNotFoundError:
        return
    shutil.rmtree(grave, ignore_errors=True)
