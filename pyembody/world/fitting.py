"""Fitting a model to a dataset, in a folder from which it goes on after an interruption."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from ..data.arrays import pack, unpack
from ..data.dataset import Dataset
from ..data.header import Field
from ..spec.errors import SpecError
from ..spec.files import write_atomic
from ..spec.load import decode
from .fit import Epoch, Fit, FitSettings
from .model import PROGRESS, SPEC, ModelSpec, WorldModel, adrift, load_model, save_model

STATES = ("fit-0.safetensors", "fit-1.safetensors")
"""Written in turn, so that the one that `fit.json` names is always whole."""
KEPT = ("flat", "mean", "square", "best", "errors")
Report = Callable[[Epoch], None]
Wanted = tuple[str, tuple[str, ...], FitSettings]


class Progress(Struct, frozen=True, forbid_unknown_fields=True):
    """`fit.json`: how far a fit has come, and of what."""

    dataset: str
    signals: tuple[str, ...]
    settings: FitSettings
    steps: int
    epochs: int
    stale: int
    history: tuple[Epoch, ...]
    digest: str


def fit_model(
    dataset: Dataset,
    out: Path,
    settings: FitSettings,
    signals: Sequence[str] = (),
    *,
    threads: int = 0,
    report: Report | None = None,
) -> WorldModel:
    """Fit an ensemble to a dataset and return the model, saved in the folder `out`.

    The folder keeps what a fit needs to go on: the same call after an interruption gives the same bits as none would.
    `signals` are those of the state (see `Dataset.state_fields`). Raises SpecError for a folder of another fit, for
    unknown signals, and for a damaged dataset.
    """
    fields = dataset.state_fields(signals)
    names = tuple(f.name for f in fields)
    wanted = (dataset.header.digest, names, settings)
    if (out / SPEC).exists():
        return _finished(out, wanted)
    fit = Fit(dataset.transitions(names), settings, adrift(fields), threads)
    if (out / PROGRESS).exists():
        _go_on(fit, out, wanted)
    while not fit.done:
        epoch = fit.epoch()
        _save(fit, out, wanted)
        if report is not None:
            report(epoch)
    model = WorldModel(_spec(dataset, fields, fit), fit.ensemble())
    save_model(out, model)
    for name in (PROGRESS, *STATES):
        (out / name).unlink(missing_ok=True)
    return load_model(out)


def _spec(dataset: Dataset, fields: tuple[Field, ...], fit: Fit) -> ModelSpec:
    header = dataset.header
    return ModelSpec(
        robot=header.robot,
        task=header.task,
        control_dt=header.control_dt,
        fields=fields,
        actions=header.actions,
        dataset=header.digest,
        settings=fit.settings,
        elites=fit.ensemble().elites,
        errors=tuple(fit.errors.tolist()),
        history=tuple(fit.history),
    )


def _finished(out: Path, wanted: Wanted) -> WorldModel:
    model = load_model(out)
    _same(out / SPEC, (model.spec.dataset, model.names, model.spec.settings), wanted)
    return model


def _same(path: Path, found: Wanted, wanted: Wanted) -> None:
    for what, one, other in zip(("dataset", "signals", "settings"), found, wanted, strict=True):
        if one != other:
            raise SpecError(f"{path}: {what}: expected {other}, got a fit of {one}; choose another folder")


def _save(fit: Fit, out: Path, wanted: Wanted) -> None:
    data = pack({name: getattr(fit, name) for name in KEPT})
    progress = Progress(*wanted, fit.steps, fit.epochs, fit.stale, tuple(fit.history), hashlib.sha256(data).hexdigest())
    write_atomic(out / STATES[fit.epochs % 2], data)
    write_atomic(out / PROGRESS, msgspec.json.encode(progress))


def _go_on(fit: Fit, out: Path, wanted: Wanted) -> None:
    path = out / PROGRESS
    progress = decode(Progress, path.read_bytes(), str(path))
    _same(path, (progress.dataset, progress.signals, progress.settings), wanted)
    place = out / STATES[progress.epochs % 2]
    arrays = unpack(place, progress.digest)
    for name in KEPT:
        own = getattr(fit, name)
        if name not in arrays or arrays[name].shape != own.shape:
            raise SpecError(f"{place}: {name}: expected shape {own.shape}")
        own[...] = arrays[name]
    fit.steps, fit.epochs, fit.stale = progress.steps, progress.epochs, progress.stale
    fit.history = list(progress.history)
    fit.errors = np.array(arrays["errors"])
