"""Arrays by name as one file of safetensors, with a digest that tells whether it is whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy
from safetensors import SafetensorError

from ..spec.errors import SpecError

Array = npt.NDArray[Any]


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
