"""Datasets read from LeRobot's v3.0 files, whoever wrote them. Needs pyarrow, not LeRobot itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...spec.errors import SpecError
from ...spec.extra import need
from ..header import Header
from ..shard import OBSERVATIONS, SIGNAL
from . import lerobot as words
from .episodes import Episode, Place
from .note import KEY, PLACES, Found, checked, header_of, naming, place_of, read_json, state_lanes, stored

Array = npt.NDArray[Any]
Rows = dict[str, Any]
OBSERVED = "observation."


def read_lerobot(folder: Path) -> Found:
    """Return what a LeRobot dataset v3.0 holds; of one that is not ours, pictures are left out, and the last frame of
    each episode, as nothing tells where its action led to.

    Raises SpecError naming the file and the column in it that is missing, damaged or not understood, ImportError
    without pyarrow.
    """
    info = read_json(folder / words.INFO)
    place = folder / words.INFO
    version, path, rate = (info.get(name) for name in ("codebase_version", "data_path", "fps"))
    if not str(version).startswith("v3."):
        raise SpecError(f"{place}: codebase_version: expected 'v3.0', got {version!r}")
    if path != words.DATA_PATH:
        raise SpecError(f"{place}: data_path: expected '{words.DATA_PATH}', got {path!r}")
    if not isinstance(rate, (int, float)) or not rate > 0:
        raise SpecError(f"{place}: fps: expected a positive number, got {rate!r}")
    columns = info.get("features")
    if not isinstance(columns, dict) or not all(isinstance(f, dict) for f in columns.values()):
        raise SpecError(f"{place}: features: expected an object of objects, got {type(columns).__name__}")
    note = folder / words.NOTE
    header = header_of(read_json(note).get("header"), f"{note}: header") if note.exists() else None
    reader = _Reader(folder, header, columns)
    return Found(reader.episodes(info.get("total_episodes")), header, str(info.get("robot_type") or "unknown"),
                 folder.name, 1.0 / rate)


class _Reader:
    """Reads files of frames one after the other and takes them apart by episode."""

    def __init__(self, folder: Path, header: Header | None, features: dict[str, Rows]) -> None:
        self.pa, self.parquet = need("pyarrow", words.VERSION), need("pyarrow.parquet", words.VERSION)
        self.folder, self.header = folder, header
        self.columns = self._wanted(features)

    def _wanted(self, features: dict[str, Rows]) -> list[str]:
        """The columns of numbers that an episode is made of."""
        if self.header is not None:
            own = [words.column_of(n) for n in stored(state_lanes(self.header))]
            own += [words.ACTION] if self.header.actions else []
            return own + ([words.CHANNELS] if self.header.channels else []) + [words.TERMINATED, words.TRUNCATED]
        numbers = [n for n, f in features.items() if f.get("dtype") in ("float32", "float64", "int64", "int32", "bool")
                   and len(f.get("shape", ())) == 1]
        observed = [n for n in numbers if n.startswith(OBSERVED)]
        if not observed or words.ACTION not in numbers:
            raise SpecError(f"{self.folder / words.INFO}: features: expected '{words.ACTION}' and an '{OBSERVED}...' "
                            f"of numbers, got {sorted(features)}")
        return [*observed, words.ACTION, *(n for n in (words.REWARD, words.TERMINATED) if n in numbers)]

    def episodes(self, count: Any) -> Iterator[Episode]:
        """Yield all `count` episodes. Raises SpecError if there are more or fewer."""
        told = self._table()
        number = 0
        for path in self._files("data"):
            rows = self._read(path, ["episode_index", "frame_index", *self.columns])
            starts = [0, *(np.flatnonzero(np.diff(rows["episode_index"])) + 1), len(rows["episode_index"])]
            for begin, end in pairwise(starts):
                frames = {n: v[begin:end] for n, v in rows.items()}
                self._check(path, frames, number, told)
                header = self.header
                episode = self._own(path, frames, told[number], header) if header else self._foreign(frames)
                number += 1
                if len(episode):
                    yield episode
        if number != count or number != len(told):
            raise SpecError(f"{self.folder / words.INFO}: total_episodes: expected the {number} that are in data and "
                            f"the {len(told)} of meta/episodes, got {count!r}")

    def _files(self, folder: str) -> list[Path]:
        files = sorted((self.folder / folder).glob("chunk-*/file-*.parquet"))
        if not files:
            raise SpecError(f"{self.folder / folder}: cannot read: no file chunk-000/file-000.parquet")
        return files

    def _table(self) -> list[Rows]:
        """A row for each episode."""
        found: list[Rows] = []
        for path in self._files("meta/episodes"):
            kept = ["episode_index", "length"]
            if self.header is not None:
                kept += [f"{KEY}/{name}" for name in PLACES]
                kept += [f"{KEY}/{kind}/{n}" for kind in ("final", "after") for n in stored(state_lanes(self.header))]
            found += self._table_of(path, kept).to_pylist()
        return found

    def _table_of(self, path: Path, names: Sequence[str]) -> Any:
        """The columns `names` of a file; where one is damaged, the error names it."""
        errors = (OSError, ValueError, KeyError, self.pa.ArrowException)
        with naming(path, "the file", *errors):
            file = self.parquet.ParquetFile(path, page_checksum_verification=True)
        with file:
            known = file.schema_arrow.names
            for name in names:
                if name not in known:
                    raise SpecError(f"{path}: expected a column '{name}', found {known}")
            columns = {}
            for name in names:
                with naming(path, name, *errors):
                    columns[name] = file.read(columns=[name]).column(name)
        return self.pa.table(columns)

    def _read(self, path: Path, names: Sequence[str]) -> dict[str, Array]:
        table = self._table_of(path, names)
        return {name: self._numbers(path, name, table.column(name)) for name in names}

    def _numbers(self, path: Path, name: str, column: Any) -> Array:
        """A column as `[frames]`, or `[frames, lanes]` where its values are lists."""
        flat, kind = column.combine_chunks(), column.type
        lists = self.pa.types.is_fixed_size_list(kind) or self.pa.types.is_list(kind)
        values = flat.flatten() if lists else flat
        if flat.null_count or values.null_count or (lists and len(flat) and len(values) % len(flat)):
            raise SpecError(f"{path}: {name}: expected as many numbers in every frame, some are missing")
        if not (self.pa.types.is_primitive(values.type) or self.pa.types.is_boolean(values.type)):
            raise SpecError(f"{path}: {name}: expected numbers, got {kind}")
        found: Array = values.to_numpy(zero_copy_only=False)
        return found.reshape(len(flat), -1) if lists else found

    def _check(self, path: Path, frames: dict[str, Array], number: int, told: list[Rows]) -> None:
        frame, index = frames["frame_index"], int(frames["episode_index"][0])
        if index != number or number >= len(told) or told[number]["episode_index"] != number:
            raise SpecError(f"{path}: episode_index: expected episode {number}, got {index}")
        length = told[number]["length"]
        if len(frame) != length or (frame != np.arange(length)).any():
            raise SpecError(f"{path}: frame_index: expected {length} frames of episode {number} in order, got others")

    def _own(self, path: Path, frames: dict[str, Array], row: Rows, header: Header) -> Episode:
        """An episode that was exported from here."""
        length, where = len(frames["frame_index"]), f"{path}: episode {row['episode_index']}"
        states, after = {}, {}
        for name, width in state_lanes(header).items():
            column = words.column_of(name)
            held = _wide(frames.get(column) if width else None, length)
            held = checked(held, (length, width), f"{where}: {column}")
            last, later = (row[f"{KEY}/{kind}/{name}"] if width else () for kind in ("final", "after"))
            states[name] = np.concatenate([held, _row(last, width, f"{where}: final {name}")])
            if later is not None:
                after[name] = _row(later, width, f"{where}: after {name}")[0]
        widths = {words.ACTION: header.actions, words.CHANNELS: len(header.channels)}
        steps = {}
        for name, column in (("actions", words.ACTION), ("channels", words.CHANNELS)):
            held = _wide(frames.get(column), length)
            steps[name] = checked(held, (length, widths[column]), f"{where}: {column}")
        for name, column in (("terminated", words.TERMINATED), ("truncated", words.TRUNCATED)):
            steps[name] = checked(frames[column], (length,), f"{where}: {column}")
        return Episode(place_of(row, where), states, steps, after if len(after) == len(states) else {})

    def _foreign(self, frames: dict[str, Array]) -> Episode:
        """An episode of someone else's, up to its last frame."""
        length = len(frames["frame_index"])
        observed = {n: _wide(v, length) for n, v in frames.items() if n.startswith(OBSERVED)}
        states = {SIGNAL + n.removeprefix(OBSERVED): v.astype(np.float32) for n, v in observed.items()}
        seen = [observed[words.STATE]] if words.STATE in observed else list(observed.values())
        states[OBSERVATIONS] = np.concatenate(seen, axis=1).astype(np.float32)
        steps = {"actions": _wide(frames[words.ACTION], length).astype(np.float32)}
        steps["channels"] = _wide(frames.get(words.REWARD), length).astype(np.float32)
        steps["terminated"] = frames.get(words.TERMINATED, np.zeros(length)).astype(np.bool_)
        steps["truncated"] = np.zeros(length, np.bool_)
        return Episode(Place(0, 0, 0), states, {n: v[:-1] for n, v in steps.items()})


def _wide(column: Array | None, length: int) -> Array:
    return np.zeros((length, 0), np.float32) if column is None else column.reshape(length, -1)


def _row(values: Any, width: int, where: str) -> Array:
    """A state `[1, lanes]` from the table of episodes."""
    if values is None or len(values) != width:
        raise SpecError(f"{where}: expected {width} numbers, got {values!r}")
    return np.array(values, np.float32).reshape(1, width)
