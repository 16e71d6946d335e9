"""Edits of a running training: weights, parameters and texts of its task that change from one iteration to the next.

A request is a file in the run's folder `edits/`. Before an iteration begins, rank 0 moves waiting requests into the
history `edits.jsonl` with that iteration's number; then all ranks apply what the history has for it. A run that goes
on from an older checkpoint finds the edits of later iterations there and applies them at the same iterations again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from pyembody.envs.swap import replacement
from pyembody.language.paths import plain_data, read_path, write_path
from pyembody.spec import SpecError, Task, convert
from pyembody.spec.check import check_task
from pyembody.spec.files import write_atomic

from .distributed import Group

HISTORY, FOLDER = "edits.jsonl", "edits"


class LiveEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the history: before which iteration (counted from 1) what becomes what. `values` are parameters by
    full name, `changes` places of the task, as `channels.task.terms.track.expr`, or new terms.
    """

    iteration: int = 0
    values: dict[str, float] = {}
    changes: dict[str, Any] = {}


def request_edit(run: Path, values: dict[str, float], changes: dict[str, Any] | None = None) -> Path:
    """Ask the training in `run` to change parameters and texts before its next iteration; return the waiting file.

    Raises SpecError if it cannot be written.
    """
    path = Path(run) / FOLDER / f"{time.time_ns():020d}-{os.getpid()}.json"
    return write_atomic(path, msgspec.json.encode(LiveEdit(0, values, changes or {})))


def changed_task(task: Task, changes: Mapping[str, Any]) -> Task:
    """Return a task with texts changed and terms added. Raises SpecError for places that it has not, for bad values."""
    data = plain_data(task)
    for path, value in changes.items():
        parent, _, name = path.rpartition(".")
        if parent.endswith(".terms") and isinstance(value, dict):
            terms = read_path(data, parent)
            if name in terms:
                raise SpecError(f"edits: {path}: this term is there; change its places, such as {path}.expr")
            terms[name] = value
        else:
            write_path(data, path, value)
    changed = convert(data, Task, "edits")
    check_task(changed, "edits")
    return changed


def read_edits(run: Path) -> list[LiveEdit]:
    """Return a run's history of edits, oldest first. Raises SpecError for a damaged file."""
    path = Path(run) / HISTORY
    lines = path.read_bytes().splitlines() if path.is_file() else []
    return [_decoded(line, f"{path}: line {i}", LiveEdit) for i, line in enumerate(lines, 1)]


def waiting_edits(run: Path) -> list[LiveEdit]:
    """Return the requests that no training has taken up yet, oldest first. Raises SpecError for a damaged file."""
    return [_decoded(p.read_bytes(), str(p), LiveEdit) for p in sorted((Path(run) / FOLDER).glob("*.json"))]


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
            if edit.changes:
                env.swap_program(changed_task(env.task, edit.changes))
            env.set_params(edit.values)
        return edits

    def restore(self, env: Any, iteration: int) -> None:
        """Give the environments the task that they had after `iteration`; their state is loaded after that."""
        for edit in read_edits(self.run):
            if edit.changes and edit.iteration <= iteration:
                env.swap_program(changed_task(env.task, edit.changes))

    def _write_down(self, waiting: list[Path], iteration: int, env: Any) -> None:
        edits, program, task = [], env.program, env.task
        for path in waiting:
            try:
                asked = _decoded(path.read_bytes(), str(path), LiveEdit)
                if asked.changes:
                    changed = changed_task(task, asked.changes)
                    program, task = replacement(env, changed), changed
                program.set_params(program.defaults.copy(), asked.values)
            except SpecError as error:
                write_atomic(path.with_suffix(".refused"), f"{error}\n".encode())
            else:
                edits.append(msgspec.structs.replace(asked, iteration=iteration))
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
