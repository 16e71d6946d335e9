"""Shards as episodes and back, bit for bit: what other formats keep one after the other, we keep side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...spec.errors import SpecError
from ..shard import FINAL, LAST, OBSERVATIONS, SIGNAL

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
STEPS = ("actions", "channels", "terminated", "truncated")
"""Arrays of a shard with one row for each step."""


@dataclass(frozen=True)
class Place:
    """Where an episode begins: the number of the shard, the step in it, and which of the environments side by side."""

    shard: int
    step: int
    row: int


@dataclass(frozen=True)
class Episode:
    """L steps of one environment, from a reset to an end or to where the recording was cut.

    `states` are `observations` and `signals.NAME`, `[L + 1, lanes]` each, the last row being the true successor;
    `steps` are `actions [L, A]`, `channels [L, C]`, `terminated` and `truncated [L]`. Where a shard ends with the
    episode, `after` holds the state `[lanes]` that the environment was reset to, which no other episode has.
    """

    place: Place
    states: Arrays
    steps: Arrays
    after: Arrays = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.steps["terminated"])

    @property
    def ended(self) -> bool:
        """Whether the last step ended the episode, or the recording of it was cut there."""
        return bool(self.steps["terminated"][-1] | self.steps["truncated"][-1])


def split(shards: Iterable[Arrays]) -> Iterator[Episode]:
    """Yield the episodes of shards (see `write_shard`), those that go on in the next shard as one."""
    going: dict[int, Episode] = {}
    for number, arrays in enumerate(shards):
        still: dict[int, Episode] = {}
        for piece in _pieces(arrays, number):
            row = piece.place.row
            before = going.pop(row, None) if piece.place.step == 0 else None
            if before is not None and not _goes_on(before, piece):
                yield before
                before = None
            whole = piece if before is None else _joined(before, piece)
            if whole.ended:
                yield whole
            else:
                still[row] = whole
        yield from going.values()
        going = still
    yield from going.values()


def cut(episode: Episode, lengths: Sequence[int]) -> Iterator[Episode]:
    """Yield the pieces of an episode in shards of `lengths` steps. Raises SpecError where it goes beyond the last."""
    place, at = episode.place, 0
    while at < len(episode):
        if place.shard >= len(lengths):
            raise SpecError(f"{len(episode) - at} steps beyond the last shard")
        count = min(len(episode) - at, lengths[place.shard] - place.step)
        last = at + count == len(episode)
        states = {k: v[at : at + count + 1] for k, v in episode.states.items()}
        steps = {k: v[at : at + count] for k, v in episode.steps.items()}
        yield Episode(place, states, steps, episode.after if last else {})
        place, at = Place(place.shard + 1, 0, place.row), at + count


def fill(steps: int, rows: int, pieces: Sequence[Episode]) -> dict[str, Array]:
    """Return the arrays of a shard of T `steps` of N `rows` made of pieces that lie in it, see `write_shard`.

    Raises SpecError where a step is missing or there twice.
    """
    seen = np.zeros((steps, rows), np.int64)
    for piece in pieces:
        place = piece.place
        if not (place.step >= 0 and place.step + len(piece) <= steps and 0 <= place.row < rows):
            raise SpecError(f"steps {place.step} to {place.step + len(piece)} of row {place.row}: outside the shard of "
                            f"{steps} steps of {rows} rows")
        seen[place.step : place.step + len(piece), place.row] += 1
    if (seen != 1).any():
        step, row = np.argwhere(seen != 1)[0]
        raise SpecError(f"step {step} of row {row}: expected it once, found it {seen[step, row]} times")
    return _filled(steps, rows, pieces)


def _filled(steps: int, rows: int, pieces: Sequence[Episode]) -> dict[str, Array]:
    first = pieces[0]
    arrays = {k: np.zeros((steps, rows, *v.shape[1:]), v.dtype) for k, v in first.steps.items()}
    arrays |= {k: np.zeros((steps + 1, rows, *v.shape[1:]), v.dtype) for k, v in first.states.items()}
    for piece in pieces:
        start, row, end = piece.place.step, piece.place.row, piece.place.step + len(piece)
        for name, values in piece.steps.items():
            arrays[name][start:end, row] = values
        for name, values in piece.states.items():
            arrays[name][start:end, row] = values[:-1]
            if end == steps:
                arrays[name][end, row] = piece.after[name] if piece.ended else values[-1]
    ends = sorted((p for p in pieces if p.ended), key=lambda p: (p.place.step + len(p), p.place.row))
    for name, values in first.states.items():
        rows_of = [p.states[name][-1] for p in ends]
        arrays[final_name(name)] = np.array(rows_of, values.dtype).reshape(len(ends), *values.shape[1:])
    return arrays


def final_name(name: str) -> str:
    """Return the name of the array with the last states of `signals.NAME` or `observations`."""
    return LAST if name == OBSERVATIONS else FINAL + name.removeprefix(SIGNAL)


def _pieces(arrays: Arrays, number: int) -> Iterator[Episode]:
    """The stretches of each row of a shard that no end interrupts."""
    ended = arrays["terminated"] | arrays["truncated"]
    count, rows = ended.shape
    final_row = np.cumsum(ended.ravel()).reshape(ended.shape) - 1
    names = [n for n in arrays if n == OBSERVATIONS or n.startswith(SIGNAL)]
    for row in range(rows):
        begin = 0
        for end in sorted({*(np.flatnonzero(ended[:, row]) + 1).tolist(), count}):
            states, after = {}, {}
            for name in names:
                states[name] = arrays[name][begin : end + 1, row]
                if ended[end - 1, row]:
                    after[name] = states[name][-1]
                    states[name] = states[name].copy()
                    states[name][-1] = arrays[final_name(name)][final_row[end - 1, row]]
            steps = {n: arrays[n][begin:end, row] for n in STEPS}
            yield Episode(Place(number, begin, row), states, steps, after if end == count else {})
            begin = end


def _goes_on(before: Episode, piece: Episode) -> bool:
    """Whether a piece begins in the very state that another one was cut in."""
    return all(before.states[n][-1].tobytes() == values[0].tobytes() for n, values in piece.states.items())


def _joined(before: Episode, piece: Episode) -> Episode:
    states = {n: np.concatenate([before.states[n][:-1], values]) for n, values in piece.states.items()}
    steps = {n: np.concatenate([before.steps[n], values]) for n, values in piece.steps.items()}
    return Episode(before.place, states, steps, piece.after)
