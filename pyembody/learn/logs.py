"""metrics.jsonl and TensorBoard events: one entry an iteration."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped]
from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]
from tensorboard.summary.writer.event_file_writer import EventFileWriter  # type: ignore[import-untyped]

from pyembody.spec import SpecError
from pyembody.spec.files import read_json_lines, write_atomic

from .report import Metrics


class Logs:
    """Appends metrics to a run's files. On resume, what came after the checkpoint is dropped first."""

    def __init__(self, run: Path, iteration: int, enabled: bool) -> None:
        """Open the logs of a run that has done `iteration` iterations; does nothing unless `enabled`."""
        self.enabled = enabled
        if not enabled:
            return
        self.path = run / "metrics.jsonl"
        try:
            keep_until(self.path, iteration)
            self._file = self.path.open("ab")
            self._events = EventFileWriter(str(run / "tb"))
        except OSError as error:
            raise self._error(error) from None

    def write(self, metrics: Metrics) -> None:
        """Append one iteration's metrics. Raises SpecError if the disk does not take them."""
        if not self.enabled:
            return
        try:
            self._file.write(msgspec.json.encode(metrics) + b"\n")
            self._file.flush()
            values = [Summary.Value(tag=tag, simple_value=value) for tag, value in flatten(metrics)]
            self._events.add_event(
                Event(wall_time=time.time(), step=metrics["steps"], summary=Summary(value=values))
            )
        except OSError as error:
            raise self._error(error) from None

    def _error(self, error: OSError) -> SpecError:
        return SpecError(
            f"{self.path}: cannot write: {error.strerror or error}; earlier checkpoints are whole"
        )

    def __enter__(self) -> Logs:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.enabled:
            self._file.close()
            self._events.close()


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """Return the iterations of a run's metrics.jsonl; a last line that was cut off is left out. Raises SpecError."""
    return read_json_lines(run / "metrics.jsonl")


def keep_until(path: Path, iteration: int) -> None:
    """Drop the lines of metrics.jsonl that are newer than `iteration`."""
    if not path.is_file():
        return
    rows = [row for row in read_metrics(path.parent) if row["iteration"] <= iteration]
    write_atomic(path, b"".join(msgspec.json.encode(row) + b"\n" for row in rows))


def flatten(metrics: Metrics, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield `group/name` and value of every number in nested metrics."""
    for key, value in metrics.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}/")
        elif isinstance(value, list):
            yield from ((f"{prefix}{key}/{i}", float(x)) for i, x in enumerate(value))
        else:
            yield f"{prefix}{key}", float(value)
