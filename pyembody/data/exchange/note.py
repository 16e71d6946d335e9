"""What other formats have no word for, kept in their free-form metadata: our header, and where episodes were."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from ...spec.errors import SpecError
from ..header import MAX_BYTES, Header, parse_header
from ..shard import OBSERVATIONS, SIGNAL
from .episodes import Episode, Place

Array = npt.NDArray[Any]
KEY = "pyembody"
"""The name under which all of it is kept."""
PLACES = ("shard", "step", "row")


@dataclass(frozen=True)
class Found:
    """A dataset of another format: its `episodes`, and our `header` if it was one of ours before.

    Otherwise `robot`, `task` and `control_dt` (0: not told) are what it says of itself.
    """

    episodes: Iterator[Episode]
    header: Header | None = None
    robot: str = "unknown"
    task: str = "unknown"
    control_dt: float = 0.0


def note_of(header: Header) -> dict[str, Any]:
    """Return a header as what JSON can hold."""
    found: dict[str, Any] = msgspec.to_builtins(header)
    return found


def header_of(note: Any, place: str) -> Header:
    """Return the header of a note. Raises SpecError naming `place` for one that was changed."""
    header = parse_header(msgspec.json.encode(note), place)
    if not header.shards:
        raise SpecError(f"{place}: expected a dataset with steps in it, got none")
    return header


def state_lanes(header: Header) -> dict[str, int]:
    """Return the numbers of each state array that shards hold, in their order."""
    lanes = {SIGNAL + f.name: f.lanes for f in header.fields} | {OBSERVATIONS: header.observations}
    return {n: lanes[n] for n in header.shards[0].digests if n in lanes}


def stored(lanes: Mapping[str, int]) -> list[str]:
    """Return the names of arrays that have any numbers: other formats know no empty ones."""
    return [name for name, width in lanes.items() if width]


def place_of(values: Mapping[str, Any], where: str) -> Place:
    """Return the place of an episode from numbers by name. Raises SpecError naming `where` if one is missing."""
    numbers = []
    for name in PLACES:
        value = values.get(f"{KEY}/{name}")
        if not isinstance(value, (int, np.integer)) or value < 0:
            raise SpecError(f"{where}: {KEY}/{name}: expected where the episode was recorded, got {value!r}; episodes "
                            "that were added later cannot be imported beside exported ones")
        numbers.append(int(value))
    return Place(*numbers)


def checked(array: Array, shape: tuple[int, ...], where: str) -> Array:
    """Return an array of our numbers in its own shape. Raises SpecError naming `where` for another one."""
    if array.shape != shape or array.dtype not in (np.float32, np.bool_):
        raise SpecError(f"{where}: expected float32 or bool {shape}, got {array.dtype} {array.shape}")
    return array


def read_json(path: Path) -> dict[str, Any]:
    """Return the object of a JSON file. Raises SpecError naming the file."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SpecError(f"{path}: expected at most {MAX_BYTES} bytes, got {path.stat().st_size}")
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise SpecError(f"{path}: cannot read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise SpecError(f"{path}: not JSON, or cut off: {error}") from None
    if not isinstance(found, dict):
        raise SpecError(f"{path}: expected an object, got {type(found).__name__}")
    return found


@contextmanager
def naming(path: Path, place: str, *kinds: type[Exception]) -> Iterator[None]:
    """Turn errors of a library that reads a file into SpecError naming the file and the place in it."""
    try:
        yield
    except SpecError:
        raise
    except kinds as error:
        words = " ".join(str(error).split())
        raise SpecError(f"{path}: {place}: damaged or cut off: {words}") from None

