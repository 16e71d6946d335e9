"""Arrays by name as one file of safetensors, with a digest that tells whether it is whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy
from safetensors import SafetensorError

from ..spec.errors import SpecError
from ..spec.files import atomic_path

Array = npt.NDArray[Any]
TYPES = {"float32": "F32", "bool": "BOOL"}
"""The format's names of the types that shards have."""


def pack(arrays: Mapping[str, Array]) -> bytes:
    """Return arrays by name as safetensors bytes."""
    return safetensors.numpy.save({k: np.array(v, order="C") for k, v in arrays.items()})


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> int:
    """Write arrays by name as a safetensors file without a copy of them in memory; return its bytes. Raises SpecError.

    The format: the length of the header as 8 bytes, the header as JSON, then the arrays' bytes.
    """
    table, at = {}, 0
    for name, array in arrays.items():
        table[name] = {"dtype": TYPES[array.dtype.name], "shape": array.shape, "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    head = json.dumps(table).encode()
    head += b" " * (-len(head) % 8)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        for array in arrays.values():
            file.write(np.ascontiguousarray(array).data)
    return 8 + len(head) + at


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
