"""Datasets in Minari's HDF5 files: written, and read back whoever wrote them. Needs h5py, not Minari itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...spec.errors import SpecError
from ...spec.extra import need
from ...spec.files import write_atomic
from ..dataset import Dataset
from ..header import Header
from ..shard import OBSERVATIONS, SIGNAL
from .episodes import Episode, Place, split
from .minari import after_reset, dataset_id, metadata, rewards
from .note import KEY, Found, checked, header_of, naming, place_of, read_json, state_lanes, stored

Array = npt.NDArray[Any]
DATA, META, FILE = "data", "metadata.json", "main_data.hdf5"
LIBRARY = ("v110", "v110")
"""Structures of HDF5 that carry check sums themselves."""
FLAGS = ("terminated", "terminations"), ("truncated", "truncations")


def write_minari(dataset: Dataset, folder: Path, name: str) -> str:
    """Write `dataset` into `folder` as Minari lays datasets out; return the id that it has there.

    Raises SpecError for a damaged dataset or one that cannot be written, ImportError without h5py.
    """
    h5py = need("h5py", "Minari's format")
    header, count = dataset.header, 0
    (folder / DATA).mkdir()
    path = folder / DATA / FILE
    try:
        with h5py.File(path, "w", libver=LIBRARY, track_order=True) as file:
            for episode in split(dataset.shards()):
                _write_episode(file.create_group(f"episode_{count}"), count, episode, header)
                count += 1
    except OSError as error:
        raise SpecError(f"{path}: cannot write: {error}") from None
    told = metadata(header, dataset_id(name), count, path.stat().st_size / 1e6)
    write_atomic(folder / DATA / META, json.dumps(told, indent=1).encode() + b"\n")
    return str(told["dataset_id"])


def _write_episode(group: Any, number: int, episode: Episode, header: Header) -> None:
    place = episode.place
    group.attrs.update({"id": number, "total_steps": len(episode)})
    group.attrs.update({f"{KEY}/{name}": getattr(place, name) for name in ("shard", "step", "row")})
    group.attrs.update({f"{KEY}/after/{name}": row for name, row in episode.after.items() if row.size})
    arrays = {"observations": episode.states[OBSERVATIONS], "actions": episode.steps["actions"]}
    arrays |= {"rewards": rewards(episode)} | {theirs: episode.steps[ours] for ours, theirs in FLAGS}
    arrays |= {"infos/channels": after_reset(episode.steps["channels"])} if header.channels else {}
    for name in stored(state_lanes(header)):
        if name != OBSERVATIONS:
            arrays[f"infos/signals/{name.removeprefix(SIGNAL)}"] = episode.states[name]
    for name, values in arrays.items():
        # room for appending, as Minari does it; every chunk has a check sum
        room = (None, *values.shape[1:])
        group.create_dataset(name, data=values, chunks=values.shape, maxshape=room, fletcher32=True)


def read_minari(folder: Path) -> Found:
    """Return what a dataset of Minari's holds; `folder` is that of the dataset or its `data`.

    Raises SpecError naming the file and the place in it that is missing, damaged or not understood, ImportError
    without h5py.
    """
    data = folder / DATA if (folder / DATA).is_dir() else folder
    told = read_json(data / META)
    if told.get("data_format") != "hdf5":
        raise SpecError(f"{data / META}: data_format: expected 'hdf5', got {told.get('data_format')!r}")
    count = told.get("total_episodes")
    if not isinstance(count, int) or count < 1:
        raise SpecError(f"{data / META}: total_episodes: expected at least 1, got {count!r}")
    header = header_of(told[KEY], f"{data / META}: {KEY}") if KEY in told else None
    episodes = _episodes(data / FILE, count, header)
    return Found(episodes, header, task=str(told.get("dataset_id") or folder.name))


def _episodes(path: Path, count: int, header: Header | None) -> Iterator[Episode]:
    h5py = need("h5py", "Minari's format")
    if not path.is_file():
        raise SpecError(f"{path}: cannot read: no such file")
    with naming(path, "the file", OSError):
        file = h5py.File(path, "r")
    with file:
        reader = _Reader(path, file, h5py)
        for number in range(count):
            group = f"episode_{number}"
            yield reader.own(group, header) if header else reader.foreign(group)


class _Reader:
    """Reads arrays of an open file by path."""

    def __init__(self, path: Path, file: Any, h5py: Any) -> None:
        self.path, self.file, self.h5py = path, file, h5py

    def node(self, place: str) -> Any:
        """Return the group or array at `place`, which must be stored in this very file."""
        node = self.file
        with naming(self.path, place, OSError, RuntimeError, KeyError, ValueError):
            for part in place.split("/"):
                if not isinstance(node.get(part, getlink=True), self.h5py.HardLink):
                    raise SpecError(f"{self.path}: {place}: expected it in the file, found a link to somewhere else")
                node = node[part]
        if isinstance(node, self.h5py.Dataset) and (node.external or node.is_virtual):
            raise SpecError(f"{self.path}: {place}: expected numbers in the file, found a reference to another one")
        return node

    def array(self, place: str, steps: int = 0) -> Array:
        """Return the numbers of the array at `place`, of `steps` rows if told."""
        node = self.node(place)
        if not isinstance(node, self.h5py.Dataset) or node.dtype.kind not in "biuf" or not 1 <= len(node.shape) <= 2:
            raise SpecError(f"{self.path}: {place}: expected numbers in rows, got {_described(node)}")
        if steps and node.shape[0] != steps:
            raise SpecError(f"{self.path}: {place}: expected {steps} rows, got {node.shape[0]}")
        with naming(self.path, place, OSError, RuntimeError, ValueError):
            found: Array = node[()]
            return found

    def own(self, group: str, header: Header) -> Episode:
        """Return an episode that was exported from here."""
        attributes = self._attributes(group)
        where = f"{self.path}: {group}"
        length = len(self.array(f"{group}/rewards"))
        lanes = state_lanes(header)
        states, after = {}, {}
        for name, width in lanes.items():
            signal = name.removeprefix(SIGNAL)
            inner = f"{group}/{OBSERVATIONS if name == OBSERVATIONS else f'infos/signals/{signal}'}"
            states[name] = self._shaped(inner, length + 1, width)
            if f"{KEY}/after/{name}" in attributes:
                after[name] = checked(np.asarray(attributes[f"{KEY}/after/{name}"]), (width,), f"{where}: after {name}")
        after |= {name: np.zeros(0, np.float32) for name, width in lanes.items() if after and not width}
        if after and after.keys() != lanes.keys():
            raise SpecError(f"{where}: expected what came after of {list(lanes)}, got {list(after)}")
        steps = {"actions": self._shaped(f"{group}/actions", length, header.actions)}
        steps["channels"] = self._shaped(f"{group}/infos/channels", length + 1, len(header.channels))[1:]
        for ours, theirs in FLAGS:
            place = f"{group}/{theirs}"
            steps[ours] = checked(self.array(place), (length,), f"{self.path}: {place}").astype(np.bool_)
        return Episode(place_of(attributes, where), states, steps, after)

    def _shaped(self, place: str, rows: int, width: int) -> Array:
        if not width:
            return np.zeros((rows, 0), np.float32)
        return checked(self.array(place), (rows, width), f"{self.path}: {place}")

    def _attributes(self, group: str) -> dict[str, Any]:
        with naming(self.path, group, OSError, RuntimeError, KeyError, ValueError):
            return dict(self.node(group).attrs)

    def foreign(self, group: str) -> Episode:
        """Return an episode of someone else's: its observations are its signals too."""
        paid = self.array(f"{group}/rewards").astype(np.float32).reshape(-1, 1)
        states = {SIGNAL + n: v for n, v in self._leaves(f"{group}/observations", "observation", len(paid) + 1)}
        actions = [v for _, v in self._leaves(f"{group}/actions", "action", len(paid))]
        flags = {ours: self.array(f"{group}/{theirs}", len(paid)).astype(np.bool_) for ours, theirs in FLAGS}
        steps = {"actions": np.concatenate(actions, axis=1), "channels": paid, **flags}
        states[OBSERVATIONS] = np.concatenate(list(states.values()), axis=1)
        return Episode(Place(0, 0, 0), states, steps)

    def _leaves(self, place: str, name: str, steps: int) -> Iterator[tuple[str, Array]]:
        """The arrays `[steps, lanes]` in a tree, by the names along the way to them."""
        node = self.node(place)
        if not isinstance(node, self.h5py.Group):
            yield name, self.array(place, steps).astype(np.float32).reshape(steps, -1)
            return
        for part in sorted(node):
            yield from self._leaves(f"{place}/{part}", f"{name}.{part}", steps)


def _described(node: Any) -> str:
    return f"{node.dtype} {node.shape}" if hasattr(node, "dtype") else "a group"
