"""Checkpoints: `checkpoints/<iteration>/` with model.safetensors, state-<rank>.safetensors and meta.json."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy.typing as npt

from pyembody.data.arrays import pack, unpack
from pyembody.spec import SpecError, convert
from pyembody.spec.files import sync_folder

from .distributed import Group
from .files import remove_folder, write_synced

Array = npt.NDArray[Any]
MODEL = "model.safetensors"
STATISTICS = "rewards.statistics"
"""The array of the model that holds the running statistics of `normalise`."""
THRESHOLDS = "gates.threshold"
"""The array of the model that holds the thresholds of the channels' gates, where a task has any."""
KEEP = 3


class Meta(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`meta.json`: what a checkpoint is, and the SHA-256 of each of its files."""

    iteration: int
    steps: int
    workers: int
    score: float
    learning_rate: float
    episode_length: float
    spec_hash: str
    activation: str
    observation_clip: float
    mirror_clock: int
    elapsed_s: float = 0.0
    digests: dict[str, str] = msgspec.field(default_factory=dict)


def state_name(rank: int) -> str:
    """Return the name of a rank's own file."""
    return f"state-{rank}.safetensors"


def save(
    run: Path, meta: Meta, model: Mapping[str, Array], state: Mapping[str, Array], group: Group
) -> Path:
    """Write a checkpoint of all ranks and return its folder; it appears whole or not at all.

    Every rank writes its own state; rank 0 also the model and, when all are done, the metadata and the final name.
    Raises SpecError, on every rank, if any of them could not write; older checkpoints are untouched then, and when a
    second Ctrl-C cuts the save short.
    """
    final = run / "checkpoints" / f"{meta.iteration:06d}"
    temporary = final.with_name(f".{final.name}.tmp")
    problem = ""
    try:
        if group.rank == 0:
            problem = _attempt(lambda: _fresh(temporary))
        if not group.any(bool(problem)):
            problem = _attempt(lambda: _write_own(temporary, model, state, group.rank))
            if not group.any(bool(problem)) and group.rank == 0:
                problem = _attempt(lambda: _finish(temporary, final, meta))
        if group.any(bool(problem)):
            why = problem or "another worker could not write"
            raise SpecError(f"{final}: cannot write checkpoint: {why}; earlier checkpoints are whole")
    finally:
        if group.rank == 0:
            shutil.rmtree(temporary, ignore_errors=True)
    if group.rank == 0:
        _prune(final.parent)
    return final


def load(folder: Path, rank: int) -> tuple[Meta, dict[str, Array], dict[str, Array]]:
    """Return (meta, model arrays, this rank's state arrays). Raises SpecError naming the file that is not sound."""
    meta = read_meta(folder)
    return meta, read_part(folder, meta, MODEL), read_part(folder, meta, state_name(rank))


def read_part(folder: Path, meta: Meta, name: str) -> dict[str, Array]:
    """Return the arrays of one file of a checkpoint. Raises SpecError."""
    if name not in meta.digests:
        raise SpecError(
            f"{folder}: expected a file {name}; the checkpoint has {', '.join(sorted(meta.digests))}"
        )
    return unpack(folder / name, meta.digests[name])


def read_meta(folder: Path) -> Meta:
    """Return a checkpoint's metadata. Raises SpecError."""
    path = folder / "meta.json"
    try:
        return convert(msgspec.json.decode(path.read_bytes()), Meta, str(path))
    except OSError as error:
        raise SpecError(f"{path}: cannot read: {error.strerror or error}") from None
    except msgspec.DecodeError as error:
        raise SpecError(f"{path}: not JSON: {error}") from None


def find(run: Path) -> list[Path]:
    """Return the run's checkpoint folders, oldest first."""
    return sorted(p for p in (run / "checkpoints").glob("[0-9]*") if p.name.isdigit())


def latest(run: Path) -> Path:
    """Return the newest checkpoint folder. Raises SpecError if there is none."""
    folders = find(run)
    if not folders:
        raise SpecError(f"{run}: expected a checkpoint in {run / 'checkpoints'}, found none")
    return folders[-1]


def _attempt(action: Any) -> str:
    """Run a file operation; return why it failed, empty if it did not."""
    try:
        action()
    except OSError as error:
        return str(error.strerror or error)
    return ""


def _fresh(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _write_own(
    folder: Path, model: Mapping[str, Array], state: Mapping[str, Array], rank: int
) -> None:
    if rank == 0:
        write_synced(folder / MODEL, pack(model))
    write_synced(folder / state_name(rank), pack(state))


def _finish(temporary: Path, final: Path, meta: Meta) -> None:
    digests = {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(temporary.iterdir())
    }
    meta = msgspec.structs.replace(meta, digests=digests)
    write_synced(temporary / "meta.json", msgspec.json.format(msgspec.json.encode(meta)))
    sync_folder(temporary)
    remove_folder(final)
    temporary.replace(final)
    sync_folder(final.parent)


def _prune(folder: Path) -> None:
    """Keep the newest checkpoints and the best one."""
    folders = find(folder.parent)
    best = max(folders, key=lambda p: (_score(p), p.name))
    for old in folders[:-KEEP]:
        if old != best:
            remove_folder(old)


def _score(folder: Path) -> float:
    try:
        return read_meta(folder).score
    except SpecError:
        return -float("inf")
