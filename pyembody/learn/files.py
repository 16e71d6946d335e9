"""The files of a checkpoint: arrays with a digest, forced to the disk, folders that go at once."""

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


def write_synced(path: Path, data: bytes) -> None:
    """Write a file and force it to the disk. Raises OSError."""
    with path.open("wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())


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
    shutil.rmtree(grave, ignore_errors=True)  # left by a removal that was cut short
    try:
        path.replace(grave)
    except FileNotFoundError:
        return
    shutil.rmtree(grave, ignore_errors=True)
