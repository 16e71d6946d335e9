"""Run folders: `<out>/<task>/<stamp>/` with the resolved specifications in spec.json."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

import pyembody
from pyembody.spec import Mbpo, Offline, Robot, Sac, SpecError, Task, Train, decode, find_folder, spec_hash
from pyembody.spec.files import write_atomic

MAX_STAMPS = 100


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the processes of a run are laid out: part of what its numbers depend on."""

    workers: int
    torch_threads: int = 1


class RunSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`spec.json`: everything that a run's numbers depend on.

    `edits`, what `sentence` asked for, are already part of `task`.
    """

    robot: Robot
    task: Task
    train: Train | Sac | Mbpo | Offline
    seed: int
    hash: str
    version: str
    edits: tuple[dict[str, Any], ...] = ()
    sentence: str = ""
    layout: Layout | None = None


def create_run(
    task: Task,
    robot: Robot,
    train: Train | Sac | Mbpo | Offline,
    seed: int = 0,
    edits: Sequence[object] = (),
    out: Path = Path("runs"),
    *,
    sentence: str = "",
) -> Path:
    """Make the folder `<out>/<task>/<stamp>` with its spec.json and return it.

    `sentence` and its `edits` (structs or dicts) are recorded as they are; `task` has them applied. Raises SpecError
    if the folder cannot be written.
    """
    spec = RunSpec(
        robot,
        task,
        train,
        seed,
        spec_hash(task, robot, train),
        pyembody.__version__,
        tuple(dict(msgspec.to_builtins(e)) for e in edits),
        sentence,
    )
    run = new_folder(Path(out) / task.name)
    write_spec(run, spec)
    return run


def read_run(run: Path) -> RunSpec:
    """Return a run's specifications. Raises SpecError if the folder is no run or its file is damaged.

    A robot or task folder that has moved since is looked up by its shipped name.
    """
    path = Path(run) / "spec.json"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SpecError(
            f"{path}: cannot read: {error.strerror or error}; expected the folder of a run"
        ) from None
    spec = decode(RunSpec, data, str(path))
    robot = msgspec.structs.replace(
        spec.robot, folder=_home("robot", spec.robot.name, spec.robot.folder)
    )
    task = msgspec.structs.replace(
        spec.task, folder=_home("task", spec.task.name, spec.task.folder)
    )
    return msgspec.structs.replace(spec, robot=robot, task=task)


def write_spec(run: Path, spec: RunSpec) -> None:
    """Write spec.json atomically. Raises SpecError."""
    write_atomic(Path(run) / "spec.json", msgspec.json.format(msgspec.json.encode(spec)))


def new_folder(parent: Path) -> Path:
    """Make a folder in `parent` that is named after the present time and return it. Raises SpecError."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    try:
        for n in range(MAX_STAMPS):
            run = parent / (f"{stamp}-{n}" if n else stamp)
            try:
                run.mkdir(parents=True)
            except FileExistsError:
                continue
            return run
    except OSError as error:
        raise SpecError(f"{parent}: cannot make a run folder: {error.strerror or error}") from None
    raise SpecError(f"{parent}: {MAX_STAMPS} runs were started within one second")


def _home(kind: str, name: str, folder: str) -> str:
    if not folder or (Path(folder) / f"{kind}.toml").is_file():
        return folder
    return str(find_folder(kind, name))
