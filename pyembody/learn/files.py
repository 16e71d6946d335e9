"""Files that are whole or absent: temporary name in the same folder, fsync, rename."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy
from safetensors import SafetensorError

from pyembody.spec import SpecError

Array = npt.NDArray[Any]


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees either the old or the whole new content. Raises SpecError naming the path."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write_synced(temporary, data)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise SpecError(f"{path}: cannot write: {error.strerror or error}") from None


def write_synced(path: Path, data: bytes) -> None:
    """Write a file and force it to the disk. Raises OSError."""
    with path.open("wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())


def sync_folder(path: Path) -> None:
    """Force a folder's entries to the disk, so that a rename survives a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def pack(arrays: Mapping[str, Array]) -> bytes:
    """Return arrays by name as safetensors bytes."""
    return safetensors.numpy.save({k: np.array(v, order="C") for k, v in arrays.items()})


def unpack(path: Path, digest: str) -> dict[str, Array]:
    """Return the arrays of a safetensors file whose SHA-256 must be `digest`. Raises SpecError naming the file."""
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise SpecError(
                f"{path}: damaged: {len(data)} bytes that are not those that were saved"
            )
        return dict(safetensors.numpy.load(data))
    except OSError as error:
        raise SpecError(f"{path}: cannot read: {error.strerror or error}") from None
    except SafetensorError as error:
        raise SpecError(f"{path}: not a safetensors file: {error}") from None


def remove_folder(path: Path) -> None:
    """Delete a folder if it is there: renamed first, so that no half of it keeps its name."""
    grave = path.with_name(f".{path.name}.old")
    try:
        path.replace(grave)
    except FileNotFoundError:
        return
    shutil.rmtree(grave, ignore_errors=True)
