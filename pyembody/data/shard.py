"""One file of a dataset: arrays of T steps of N rows, each with a digest of its own."""

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
from .arrays import write_arrays
from .header import Header, Shard

Array = npt.NDArray[Any]
SIGNAL, FINAL = "signals.", "finals."
OBSERVATIONS, LAST = "observations", "final_observations"


def digest(array: Array) -> str:
    """Return the SHA-256 of an array's type, shape and bytes."""
    sha = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()


def write_shard(folder: Path, file: str, arrays: Mapping[str, Array], source: str = "") -> Shard:
    """Write arrays by name and return what the header says of them. Raises SpecError.

    `signals.NAME [T + 1, N, lanes]` and `observations [T + 1, N, O]` hold one row more than there are steps;
    `finals.NAME [M, lanes]` and `final_observations [M, O]` are true successors of the M rows that ended, in the order
    of `terminated | truncated`. `actions [T, N, A]`, `channels [T, N, C]`, `terminated` and `truncated [T, N]` bool.
    """
    solid = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    size = write_arrays(folder / file, solid)
    steps, rows = solid["terminated"].shape
    ended = int((solid["terminated"] | solid["truncated"]).sum())
    return Shard(file, steps, rows, ended, size, {n: digest(a) for n, a in solid.items()}, source)


def read_shard(folder: Path, shard: Shard, header: Header) -> dict[str, Array]:
    """Return the arrays of a shard. Raises SpecError naming the file and the array that is cut off or damaged."""
    path = folder / shard.file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SpecError(f"{path}: cannot read: {error.strerror or error}") from None
    if len(data) != shard.bytes:
        how = "cut off" if len(data) < shard.bytes else "longer than written"
        raise SpecError(f"{path}: {how}: expected {shard.bytes} bytes, got {len(data)}")
    try:
        arrays: dict[str, Array] = dict(safetensors.numpy.load(data))
    except (SafetensorError, ValueError, KeyError) as error:
        raise SpecError(f"{path}: damaged in its first bytes, which name the arrays: {error}") from None
    if arrays.keys() != shard.digests.keys():
        wrong = sorted(arrays.keys() ^ shard.digests.keys())
        raise SpecError(f"{path}: expected the arrays that {folder / 'dataset.json'} names, {wrong} differ")
    for name, array in arrays.items():
        if digest(array) != shard.digests[name]:
            raise SpecError(f"{path}: {name}: damaged: its bytes are not those that were written")
    _check_shapes(path, arrays, shard, header)
    return arrays


def _check_shapes(path: Path, arrays: Mapping[str, Array], shard: Shard, header: Header) -> None:
    t, n, m = shard.steps, shard.rows, shard.ended
    expected: dict[str, tuple[int, ...]] = {
        "actions": (t, n, header.actions), "channels": (t, n, len(header.channels)),
        "terminated": (t, n), "truncated": (t, n),
    }
    for field in header.fields:
        expected |= {SIGNAL + field.name: (t + 1, n, field.lanes), FINAL + field.name: (m, field.lanes)}
    if header.observations:
        expected |= {OBSERVATIONS: (t + 1, n, header.observations), LAST: (m, header.observations)}
    for name, shape in expected.items():
        if name not in arrays:
            raise SpecError(f"{path}: expected an array '{name}', found none")
        if arrays[name].shape != shape:
            raise SpecError(f"{path}: {name}: expected shape {shape}, got {arrays[name].shape}")
