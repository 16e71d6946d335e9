"""A fitted model as a folder: `model.json` says what its states are, `model.safetensors` holds the ensemble."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from ..data.arrays import pack, unpack
from ..data.header import Field
from ..spec.errors import SpecError
from ..spec.files import write_atomic
from ..spec.load import decode
from .ensemble import Ensemble
from .fit import Epoch, FitSettings
from .predict import Predictor

Array = npt.NDArray[Any]
FORMAT = "pyembody-world-1"
SPEC, ARRAYS = "model.json", "model.safetensors"
PROGRESS = "fit.json"
"""What the folder of a fit that has not ended has instead of SPEC."""
VECTORS = ("log_var_min", "log_var_max", "state_mean", "state_std", "action_mean", "action_std")


class ModelSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """What a model predicts and how it came about; `fields` lie side by side in a state, `history` tells the epochs."""

    robot: str
    task: str
    control_dt: float
    fields: tuple[Field, ...]
    actions: int
    dataset: str
    settings: FitSettings
    elites: tuple[int, ...]
    errors: tuple[float, ...]
    history: tuple[Epoch, ...] = ()
    digest: str = ""
    format: str = FORMAT


@dataclass(frozen=True)
class WorldModel:
    """An ensemble and what its numbers mean."""

    spec: ModelSpec
    ensemble: Ensemble

    @property
    def names(self) -> tuple[str, ...]:
        """The signals of a state, in their order."""
        return tuple(f.name for f in self.spec.fields)

    def predictor(self, threads: int = 1) -> Predictor:
        """Return what evaluates it."""
        return Predictor(self.ensemble, quats(self.spec.fields), threads)


def adrift(fields: Sequence[Field]) -> Array:
    """Return which lanes `[S]` of a state have an arbitrary zero."""
    return np.concatenate([np.isin(np.arange(f.lanes), f.adrift) for f in fields])


def quats(fields: Sequence[Field]) -> tuple[int, ...]:
    """Return the first lane of every unit quaternion of a state."""
    starts = np.cumsum([0, *(f.lanes for f in fields)])
    return tuple(
        int(start + 4 * k)
        for start, f in zip(starts[:-1], fields, strict=True)
        if f.kind == "quat"
        for k in range(f.lanes // 4)
    )


def save_model(folder: Path, model: WorldModel) -> None:
    """Write the model's two files, each whole or not at all. Raises SpecError."""
    own = model.ensemble
    arrays = {name: getattr(own, name) for name in VECTORS}
    arrays |= {f"weights.{i}": w for i, w in enumerate(own.weights)}
    arrays |= {f"biases.{i}": b for i, b in enumerate(own.biases)}
    data = pack(arrays)
    write_atomic(folder / ARRAYS, data)
    spec = msgspec.structs.replace(model.spec, digest=hashlib.sha256(data).hexdigest())
    write_atomic(folder / SPEC, msgspec.json.format(msgspec.json.encode(spec)) + b"\n")


def unfinished(folder: Path) -> bool:
    """Whether the folder is that of a fit that was stopped."""
    return (folder / PROGRESS).is_file() and not (folder / SPEC).is_file()


def load_model(folder: Path | str) -> WorldModel:
    """Return the model of a folder. Raises SpecError naming the file, and the array, that is missing or damaged."""
    path = Path(folder) / SPEC
    try:
        data = path.read_bytes()
    except OSError as error:
        expected = "expected the folder of a model"
        if unfinished(Path(folder)):
            expected = "its fit was stopped before the end: pyembody world fit goes on with it"
        raise SpecError(f"{path}: cannot read: {error.strerror or error}; {expected}") from None
    spec = decode(ModelSpec, data, str(path))
    if spec.format != FORMAT:
        raise SpecError(f"{path}: format: expected '{FORMAT}', got '{spec.format}'")
    place = Path(folder) / ARRAYS
    arrays = unpack(place, spec.digest)
    width = sum(f.lanes for f in spec.fields)
    sizes = (width + spec.actions, *spec.settings.hidden, 2 * width)
    _check(arrays, spec, sizes, str(place))
    layers = range(len(sizes) - 1)
    weights, biases = ([arrays[f"{name}.{i}"] for i in layers] for name in ("weights", "biases"))
    vectors = {name: arrays[name] for name in VECTORS}
    ensemble = Ensemble(weights, biases, **vectors, activation=spec.settings.activation, elites=spec.elites)
    return WorldModel(spec, ensemble)


def _check(arrays: dict[str, Array], spec: ModelSpec, sizes: tuple[int, ...], place: str) -> None:
    members, width = spec.settings.members, sizes[-1] // 2
    expected: dict[str, tuple[int, ...]] = {
        name: (spec.actions,) if name.startswith("action") else (width,) for name in VECTORS
    }
    for i in range(len(sizes) - 1):
        expected |= {f"weights.{i}": (members, sizes[i], sizes[i + 1]), f"biases.{i}": (members, 1, sizes[i + 1])}
    for name, shape in expected.items():
        if name not in arrays or arrays[name].shape != shape or arrays[name].dtype != np.float32:
            got = arrays[name].shape if name in arrays else "none"
            raise SpecError(f"{place}: {name}: expected float32 {shape}, got {got}")
    if not spec.elites or not set(spec.elites) <= set(range(members)):
        raise SpecError(f"{place}: elites: expected some of the {members} members, got {spec.elites}")
