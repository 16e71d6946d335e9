"""Recorded runs read back: whole shards, transitions with their true successors, windows of many steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..spec.errors import SpecError
from .header import Field, Header, read_header
from .shard import FINAL, LAST, OBSERVATIONS, SIGNAL, read_shard

Array = npt.NDArray[Any]
Arrays = dict[str, Array]


@dataclass(frozen=True)
class Transitions:
    """M steps as rows: `state` and `successor [M, S]`, `action [M, A]`, `channels [M, C]`, `terminated` and `truncated
    [M]` bool.
    """

    state: Array
    action: Array
    successor: Array
    channels: Array
    terminated: Array
    truncated: Array

    def __len__(self) -> int:
        return len(self.state)

    def rows(self, index: Array) -> Transitions:
        """Return the rows of `index`."""
        return Transitions(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Windows:
    """W stretches of k steps without an end: `states [k + 1, W, S]`, `actions [k, W, A]`."""

    states: Array
    actions: Array


class Dataset:
    """A folder that a `Recorder` wrote. Every shard is checked against its digests each time it is read."""

    def __init__(self, folder: Path | str) -> None:
        """Read the header. Raises SpecError for a folder that is no dataset, or a damaged header."""
        self.folder = Path(folder)
        self.header: Header = read_header(self.folder)

    def __len__(self) -> int:
        return self.header.steps

    def shards(self) -> Iterator[Arrays]:
        """Yield the arrays of each shard, see `write_shard`. Raises SpecError naming the file and array at fault."""
        for shard in self.header.shards:
            yield read_shard(self.folder, shard, self.header)

    def state_fields(self, names: Sequence[str] = ()) -> tuple[Field, ...]:
        """Return the signals of a model's state: those named, all that physics brings about without names.

        Raises SpecError for a name that was not recorded, or one that is given from outside.
        """
        if not names:
            return tuple(f for f in self.header.fields if f.role == "state")
        fields = tuple(self.header.field(name) for name in names)
        for field in fields:
            if field.role != "state":
                raise SpecError(f"{self.folder}: signal '{field.name}' is given from outside, not predicted")
        return fields

    def transitions(self, names: Sequence[str] = (), *, observations: bool = False) -> Transitions:
        """Return all steps whose numbers are finite; a state is the signals `names` (see `state_fields`) side by side.

        With `observations` a state is what the policy saw. Raises SpecError.
        """
        if observations and not self.header.observations:
            raise SpecError(f"{self.folder}: expected a dataset with observations, got one without")
        parts = []
        for arrays in self.shards():
            present, final = self._columns(arrays, names, observations)
            ended = arrays["terminated"] | arrays["truncated"]
            successor = present[1:].copy()
            successor[ended] = final
            rows = (present[:-1], arrays["actions"], successor, arrays["channels"])
            s, a, after, paid = (x.reshape(x.shape[0] * x.shape[1], x.shape[2]) for x in rows)
            parts.append(Transitions(s, a, after, paid, arrays["terminated"].ravel(), arrays["truncated"].ravel()))
        if not parts:
            raise SpecError(f"{self.folder}: expected a dataset with steps in it, got none")
        whole = Transitions(*(np.concatenate([getattr(p, n) for p in parts]) for n in Transitions.__dataclass_fields__))
        finite = np.isfinite(np.concatenate([whole.state, whole.successor], axis=1)).all(axis=1)
        return whole if finite.all() else whole.rows(finite)

    def present(self, names: Sequence[str]) -> Arrays:
        """Return signals `[M, lanes]` by name as they were before each step, given ones too. Raises SpecError."""
        for name in names:
            self.header.field(name)
        parts = [
            {name: arrays[SIGNAL + name][:-1].reshape(arrays["terminated"].size, -1) for name in names}
            for arrays in self.shards()
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in names}

    def windows(self, length: int, count: int, seed: int, names: Sequence[str] = ()) -> Windows:
        """Return `count` stretches of `length` steps within episodes, drawn without replacement (all, if there are
        fewer). Raises SpecError where no episode is so long.
        """
        chosen: list[tuple[Array, Array]] = []
        longest = 0
        for arrays in self.shards():
            present, _ = self._columns(arrays, names, False)
            longest = max(longest, len(arrays["terminated"]))
            ended = arrays["terminated"] | arrays["truncated"] | ~np.isfinite(present[1:]).all(2)
            starts = np.argwhere(_unbroken(ended, length))
            if len(starts):
                t = starts[:, 0] + np.arange(length + 1)[:, None]
                n = starts[:, 1]
                chosen.append((present[t, n], arrays["actions"][t[:-1], n]))
        if not chosen:
            raise SpecError(
                f"{self.folder}: expected an episode of at least {length} steps within a shard, found none: "
                f"its shards have {longest} steps; ask for fewer, or record longer episodes"
            )
        states, actions = (np.concatenate(part, axis=1) for part in zip(*chosen, strict=True))
        drawn = np.random.default_rng(seed).permutation(states.shape[1])[:count]
        return Windows(np.ascontiguousarray(states[:, drawn]), np.ascontiguousarray(actions[:, drawn]))

    def _columns(self, arrays: Arrays, names: Sequence[str], observations: bool) -> tuple[Array, Array]:
        """Present rows `[T + 1, N, S]` and final ones `[M, S]`."""
        if observations:
            return arrays[OBSERVATIONS], arrays[LAST]
        fields = self.state_fields(names)
        present = np.concatenate([arrays[SIGNAL + f.name] for f in fields], axis=2)
        return present, np.concatenate([arrays[FINAL + f.name] for f in fields], axis=1)


def _unbroken(ended: Array, length: int) -> Array:
    """Where `[T, N]` a stretch begins with no end in it, stretches of one shard not overlapping."""
    free = np.zeros_like(ended)
    for t in range(0, len(ended) - length + 1, length):
        free[t] = ~ended[t : t + length].any(0)
    return free
