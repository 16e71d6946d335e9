"""A dynamics reward beside its model: `reward.json` and `reward.safetensors` in the model's folder."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from msgspec import Struct

from ..data.arrays import pack, unpack
from ..spec.errors import SpecError
from ..spec.files import write_atomic
from ..spec.load import decode
from .model import ModelSpec
from .reward import DynamicsReward

FORMAT = "pyembody-dynamics-reward-1"
SPEC, ARRAYS = "reward.json", "reward.safetensors"
VOTES = ("logit_data", "logit_made")
SCALES = ("state_mean", "state_std", "action_mean", "action_std", "change_mean", "change_std")
Trainer = Literal["contrastive", "adversarial"]


class RewardSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """How a dynamics reward came about. `threshold` is the reward that 95 % of held-out data reach."""

    trainer: Trainer
    dataset: str
    hidden: tuple[int, ...]
    discriminators: int
    activation: str
    clip: float
    threshold: float
    digest: str = ""
    format: str = FORMAT


def save_reward(folder: Path, spec: RewardSpec, reward: DynamicsReward) -> None:
    """Write both files, each whole or not at all. Raises SpecError."""
    arrays = {name: getattr(reward, name) for name in (*VOTES, *SCALES)}
    arrays |= {f"weights.{i}": w for i, w in enumerate(reward.weights)}
    arrays |= {f"biases.{i}": b for i, b in enumerate(reward.biases)}
    data = pack(arrays)
    write_atomic(folder / ARRAYS, data)
    sealed = msgspec.structs.replace(spec, digest=hashlib.sha256(data).hexdigest())
    write_atomic(folder / SPEC, msgspec.json.format(msgspec.json.encode(sealed)) + b"\n")


def load_reward(folder: Path | str, model: ModelSpec) -> tuple[RewardSpec, DynamicsReward]:
    """Return the dynamics reward of a model's folder. Raises SpecError for a missing, damaged or foreign one."""
    path = Path(folder) / SPEC
    try:
        data = path.read_bytes()
    except OSError as error:
        why = error.strerror or error
        raise SpecError(f"{path}: cannot read: {why}; make one with: pyembody world reward") from None
    spec = decode(RewardSpec, data, str(path))
    if spec.format != FORMAT:
        raise SpecError(f"{path}: format: expected '{FORMAT}', got '{spec.format}'")
    place = Path(folder) / ARRAYS
    arrays = unpack(place, spec.digest)
    width, groups = sum(f.lanes for f in model.fields), spec.discriminators
    sizes = (2 * width + model.actions, *spec.hidden, 1)
    expected: dict[str, tuple[int, ...]] = dict.fromkeys(VOTES, (groups,))
    expected |= {name: (model.actions,) if name.startswith("action") else (width,) for name in SCALES}
    layers = range(len(sizes) - 1)
    for i in layers:
        expected |= {f"weights.{i}": (groups, sizes[i], sizes[i + 1]), f"biases.{i}": (groups, 1, sizes[i + 1])}
    for name, shape in expected.items():
        if name not in arrays or arrays[name].shape != shape or arrays[name].dtype != np.float32:
            got = arrays[name].shape if name in arrays else "none"
            raise SpecError(f"{place}: {name}: expected float32 {shape}, got {got}")
    weights, biases = ([arrays[f"{name}.{i}"] for i in layers] for name in ("weights", "biases"))
    rest = {name: arrays[name] for name in (*VOTES, *SCALES)}
    return spec, DynamicsReward(weights, biases, **rest, activation=spec.activation, clip=spec.clip)
