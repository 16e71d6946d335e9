"""Reading a run folder, in whatever state it is: a file that is missing is None, a damaged one an
error.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..analysis.record import Recording
from ..spec.errors import SpecError
from ..spec.files import read_json_lines

Array = npt.NDArray[Any]
Row = dict[str, Any]

EPISODE = "recording.safetensors"


def read_json(path: Path) -> Any:
    """Return the content of a JSON file, None if there is none. Raises SpecError if it cannot be
    read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SpecError(f"{path}: cannot read: {error}") from None


def read_metrics(run: Path) -> list[Row]:
    """Return the iterations of `metrics.jsonl`, an empty list without the file. Raises SpecError for a damaged one."""
    return read_json_lines(run / "metrics.jsonl")


def read_recording(run: Path) -> Recording | None:
    """Return the run's recording, None if there is none. Raises SpecError if it is damaged."""
    path = run / EPISODE
    return Recording.load(path) if path.is_file() else None


def series(rows: list[Row], *keys: str) -> Array:
    """Return the numbers [T] under nested `keys` of each row, NaN where a row lacks them."""
    found = np.full(len(rows), np.nan)
    for t, row in enumerate(rows):
        value: Any = row
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, (int, float)):
            found[t] = value
    return found


def names(rows: list[Row], key: str) -> list[str]:
    """Return the names in the table `key` of the last row that has one."""
    for row in reversed(rows):
        if isinstance(row.get(key), dict):
            return list(row[key])
    return []


def wall_clock(rows: list[Row]) -> Array:
    """Return the seconds [T] that training had taken at each row; NaN if the rows do not say."""
    return series(rows, "elapsed")
