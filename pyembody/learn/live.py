"""Edits of a running training: weights, parameters and texts of its task that change from one iteration to the next.

A request is a file in the run's folder `edits/`. Before an iteration begins, rank 0 moves waiting requests into the
history `edits.jsonl` with that iteration's number; then all ranks apply what the history has for it. A run that goes
on from an older checkpoint finds the edits of later iterations there and applies them at the same iterations again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from pyembody.envs.swap import replacement
from pyembody.language.paths import plain_data, read_path, write_path
from pyembody.program.params import find
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
    """Applies a run's edits to the environments of one rank; `tell` is given a line for each change and refusal."""

    def __init__(self, run: Path, group: Group, tell: Callable[[str], None] | None = None) -> None:
        self.run, self.group, self._tell = Path(run), group, tell or (lambda line: None)

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
            before = plain_data(env.task)
            if edit.changes:
                env.swap_program(changed_task(env.task, edit.changes))
            lines = [*_changed_texts(before, edit.changes), *_changed_numbers(env, edit.values)]
            env.set_params(edit.values)
            for line in lines:
                self._tell(f"iteration {iteration}: {line}")
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
                self._tell(f"iteration {iteration}: an edit is refused: {error}")
            else:
                edits.append(msgspec.structs.replace(asked, iteration=iteration))
        lines = [msgspec.json.encode(e) for e in [*read_edits(self.run), *edits]]
        if edits:
            write_atomic(self.run / HISTORY, b"".join(line + b"\n" for line in lines))
        for path in waiting:
            path.unlink()


def _changed_numbers(env: Any, values: Mapping[str, float]) -> Iterator[str]:
    """Name, old and new value of weights and parameters that are about to change."""
    for name, value in values.items():
        yield f"{name} {env.params[find(env.program.params, name).index]:g} -> {value:g}"


def _changed_texts(before: Any, changes: Mapping[str, Any]) -> Iterator[str]:
    """Place, old and new text of changes of a task that was `before`."""
    for path, value in changes.items():
        try:
            yield f"{path} {read_path(before, path)} -> {value}"
        except SpecError:
            yield f"{path} (new) -> {value}"


def _decoded(data: bytes, place: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise SpecError(f"{place}: {error}") from None
