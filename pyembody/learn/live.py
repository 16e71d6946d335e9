"""Edits of a running training: weights and parameters that change from one iteration to the next.

A request is a file in the run's folder `edits/`. Before an iteration begins, rank 0 moves waiting requests into the
history `edits.jsonl` with that iteration's number; then all ranks apply what the history has for it. A run that goes
on from an older checkpoint finds the edits of later iterations there and applies them at the same iterations again.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import msgspec

from pyembody.spec import SpecError
from pyembody.spec.files import write_atomic

from .distributed import Group

HISTORY, FOLDER = "edits.jsonl", "edits"


class LiveEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the history: before which iteration (counted from 1), which parameters, by full name, become what."""

    iteration: int
    values: dict[str, float]


def request_edit(run: Path, values: dict[str, float]) -> Path:
    """Ask the training in `run` to change parameters before its next iteration; return the waiting file.

    Raises SpecError if it cannot be written.
    """
    path = Path(run) / FOLDER / f"{time.time_ns():020d}-{os.getpid()}.json"
    return write_atomic(path, msgspec.json.encode(values))


def read_edits(run: Path) -> list[LiveEdit]:
    """Return a run's history of edits, oldest first. Raises SpecError for a damaged file."""
    path = Path(run) / HISTORY
    lines = path.read_bytes().splitlines() if path.is_file() else []
    return [_decoded(line, f"{path}: line {i}", LiveEdit) for i, line in enumerate(lines, 1)]


class LiveEdits:
    """Applies a run's edits to the environments of one rank."""

    def __init__(self, run: Path, group: Group) -> None:
        self.run, self.group = Path(run), group

    def apply(self, env: Any, iteration: int) -> list[LiveEdit]:
        """Change the environments' parameters as the history says for `iteration` (counted from 1); return the edits.

        A request that is damaged, or that the task does not allow, is renamed to `.refused` with the reason in it.
        """
        waiting = sorted((self.run / FOLDER).glob("*.json")) if self.group.rank == 0 else []
        if waiting:
            self._write_down(waiting, iteration, env)
        history = (self.run / HISTORY).is_file()
        if not self.group.any(bool(waiting) or history):  # one message; after it all ranks see the same file
            return []
        edits = [e for e in read_edits(self.run) if e.iteration == iteration]
        for edit in edits:
            env.set_params(edit.values)
        return edits

    def _write_down(self, waiting: list[Path], iteration: int, env: Any) -> None:
        edits = []
        for path in waiting:
            try:
                values = _decoded(path.read_bytes(), str(path), dict[str, float])
                env.program.set_params(env.params.copy(), values)
            except SpecError as error:
                write_atomic(path.with_suffix(".refused"), f"{error}\n".encode())
            else:
                edits.append(LiveEdit(iteration, values))
        lines = [msgspec.json.encode(e) for e in [*read_edits(self.run), *edits]]
        if edits:
            write_atomic(self.run / HISTORY, b"".join(line + b"\n" for line in lines))
        for path in waiting:
            path.unlink()


def _decoded(data: bytes, place: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise SpecError(f"{place}: {error}") from None
