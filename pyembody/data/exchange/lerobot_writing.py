"""Datasets written as LeRobot's v3.0 files. Needs pyarrow, not LeRobot itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...spec.errors import SpecError
from ...spec.extra import need
from ...spec.files import write_atomic
from ..dataset import Dataset
from ..header import Header
from . import lerobot as words
from .episodes import Episode, split
from .note import KEY, note_of, state_lanes, stored

Array = npt.NDArray[Any]
PURPOSE = "LeRobot's format"


def write_lerobot(dataset: Dataset, folder: Path) -> None:
    """Write `dataset` into `folder` as LeRobot v3.0 lays datasets out.

    Raises SpecError for a damaged dataset or one that cannot be written, ImportError without pyarrow.
    """
    header = dataset.header
    writer = _Writer(folder, header)
    try:
        for episode in split(dataset.shards()):
            writer.add(episode)
        writer.finish()
    except OSError as error:
        raise SpecError(f"{folder}: cannot write: {error}") from None
    stats = {name: words.together(parts) for name, parts in writer.stats.items()}
    for path, value in (
        (words.STATS, stats), (words.NOTE, {"header": note_of(header)}), (words.INFO, words.info(header, writer.count))
    ):
        write_atomic(folder / path, json.dumps(value, indent=4).encode() + b"\n")


class _Writer:
    """Files of frames of about 100 MB, a row group for each episode, and the table of episodes."""

    def __init__(self, folder: Path, header: Header) -> None:
        self.pa, self.parquet = need("pyarrow", PURPOSE), need("pyarrow.parquet", PURPOSE)
        self.folder, self.header = folder, header
        self.lanes = state_lanes(header)
        self.stats: dict[str, list[dict[str, list[float]]]] = {}
        self.rows: dict[str, list[Any]] = {}
        self.count, self.frames, self.bytes = 0, 0, 0
        self.chunk, self.file = 0, 0
        self._open: Any = None

    def add(self, episode: Episode) -> None:
        """Write an episode's frames, keep what the table of episodes says of it."""
        columns = words.columns(episode, self.header, self.count, self.frames)
        size = sum(v.nbytes for v in columns.values())
        if self._open is not None and self.bytes + size > words.FILE_MEGABYTES << 20:
            self._close()
            self.chunk, self.file = words.next_file(self.chunk, self.file)
        table = self.pa.table({n: self._array(v) for n, v in columns.items()})
        if self._open is None:
            self._open = self._writer(words.DATA_PATH.format(chunk_index=self.chunk, file_index=self.file), table)
        self._open.write_table(table, row_group_size=len(episode))
        self._tell(episode, columns)
        self.bytes += size
        self.frames += len(episode)
        self.count += 1

    def finish(self) -> None:
        """Close the last file, write the tables of episodes and of tasks."""
        self._close()
        episodes = self.pa.table({n: self._column(n, v) for n, v in self.rows.items()})
        table = self.pa.table({"task_index": [0], "task": [self.header.task]})
        tasks = table.replace_schema_metadata(words.pandas_index())
        place = words.EPISODES_PATH.format(chunk_index=0, file_index=0)
        for path, rows in ((place, episodes), (words.TASKS, tasks)):
            with self._writer(path, rows) as writer:
                writer.write_table(rows)

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open, self.bytes = None, 0

    def _writer(self, path: str, table: Any) -> Any:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        # dictionaries would make one of numbers that are equal but not the same bits: -0 and 0, the kinds of NaN
        return self.parquet.ParquetWriter(
            place, table.schema, compression="snappy", use_dictionary=False, write_page_checksum=True
        )

    def _array(self, values: Array) -> Any:
        if values.ndim == 1:
            return self.pa.array(values)
        flat = self.pa.array(np.ascontiguousarray(values).reshape(-1))
        return self.pa.FixedSizeListArray.from_arrays(flat, values.shape[1])

    def _column(self, name: str, values: list[Any]) -> Any:
        if name.startswith((f"{KEY}/final/", f"{KEY}/after/")):
            return self.pa.array(values, self.pa.list_(self.pa.float32()))
        return self.pa.array(values)

    def _tell(self, episode: Episode, columns: dict[str, Array]) -> None:
        row: dict[str, Any] = {"episode_index": self.count, "tasks": [self.header.task], "length": len(episode)}
        row |= {"data/chunk_index": self.chunk, "data/file_index": self.file}
        row |= {"dataset_from_index": self.frames, "dataset_to_index": self.frames + len(episode)}
        row |= {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}
        row |= {f"{KEY}/{name}": getattr(episode.place, name) for name in ("shard", "step", "row")}
        for name in stored(self.lanes):
            row[f"{KEY}/final/{name}"] = episode.states[name][-1]
            row[f"{KEY}/after/{name}"] = episode.after.get(name)
        for name, values in columns.items():
            found = words.statistics(values)
            self.stats.setdefault(name, []).append(found)
            row |= {f"stats/{name}/{key}": value for key, value in found.items()}
        for name, value in row.items():
            self.rows.setdefault(name, []).append(value)
