"""A dataset of random bits in several shards, NaN and -0 among them, as a recorder would have laid it out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pyembody.data import Dataset, Field, Header
from pyembody.data.exchange.episodes import final_name
from pyembody.data.header import write_header
from pyembody.data.shard import OBSERVATIONS, SIGNAL, write_shard

FIELDS = (
    Field("base_pos", 3, "m", "vector", adrift=(0, 1)),
    Field("pole_angle", 1, "rad"),
    Field("command", 2, "m/s", "vector", role="carried"),
)
LANES = {SIGNAL + f.name: f.lanes for f in FIELDS} | {OBSERVATIONS: 4}
ROWS = 3


def bits(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Floats of all kinds: any 32 bits are one, but for NaNs that a processor would change as it loads them."""
    words = rng.integers(0, 2**32, shape, np.uint32)
    floats = words.view(np.float32)
    floats[np.isnan(floats)] = np.float32("nan")
    floats[rng.random(shape) < 0.05] = -0.0
    return floats


def shard_arrays(
    rng: np.random.Generator, steps: int, before: dict[str, np.ndarray] | None, rows: int = ROWS
) -> dict[str, np.ndarray]:
    """Arrays of a shard that goes on from the one `before`, if there is one."""
    states = {n: bits(rng, steps + 1, rows, w) for n, w in LANES.items()}
    if before is not None:
        for name, values in states.items():
            values[0] = before[name][-1]
    terminated, cut = rng.random((2, steps, rows)) < 0.15
    arrays = states | {"terminated": terminated, "truncated": cut & ~terminated}
    arrays |= {"actions": bits(rng, steps, rows, 2), "channels": rng.normal(size=(steps, rows, 2)).astype(np.float32)}
    ended = int((terminated | cut).sum())
    return arrays | {final_name(n): bits(rng, ended, w) for n, w in LANES.items()}


def toy_shards(seed: int = 0, lengths: tuple[int, ...] = (7, 7, 4), gap: bool = False) -> list[dict[str, np.ndarray]]:
    """Shards of `lengths` steps; with a `gap` the last one does not go on from the one before."""
    rng, found = np.random.default_rng(seed), []
    for number, steps in enumerate(lengths):
        alone = number == 0 or (gap and number == len(lengths) - 1)
        found.append(shard_arrays(rng, steps, None if alone else found[-1]))
    return found


def toy_dataset(folder: Path, shards: list[dict[str, np.ndarray]] | None = None) -> Dataset:
    """Write shards as a dataset."""
    folder.mkdir(parents=True)
    found = [
        write_shard(folder, f"shard-{number:05d}.safetensors", arrays, "by hand")
        for number, arrays in enumerate(shards or toy_shards())
    ]
    write_header(folder, Header(
        robot="cartpole", task="balance", control_dt=0.02, fields=FIELDS, actions=2, observations=4,
        channels=("task", "effort"), robot_hash="r", task_hash="t", kind="random", seeds=(3, 4), shards=tuple(found),
    ))  # fmt: skip
    return Dataset(folder)


def assert_same_folder(mine: Path, theirs: Path) -> None:
    """Both datasets are the same files, byte for byte."""
    assert sorted(p.name for p in mine.iterdir()) == sorted(p.name for p in theirs.iterdir())
    for path in mine.iterdir():
        assert path.read_bytes() == (theirs / path.name).read_bytes(), path.name
