"""Episodes written as our shards: in the places that they came from, or one after the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from msgspec.structs import replace as changed

from ...spec.errors import SpecError
from ..header import Field, Header, Shard, write_header
from ..recorder import SHARD_ROWS
from ..shard import OBSERVATIONS, SIGNAL, digest, write_shard
from .episodes import Episode, Place, cut, fill
from .note import Found


def restore(header: Header, episodes: Iterable[Episode], folder: Path, source: Path) -> None:
    """Write the dataset of a header again. Raises SpecError naming `source` where its numbers are not those that were
    exported.
    """
    lengths = [shard.steps for shard in header.shards]
    pieces: dict[int, list[Episode]] = defaultdict(list)
    for number, episode in enumerate(episodes):
        try:
            for piece in cut(episode, lengths):
                pieces[piece.place.shard].append(piece)
        except SpecError as error:
            raise SpecError(f"{source}: episode {number}: {error}") from None
    for number, shard in enumerate(header.shards):
        _restore_shard(shard, pieces.pop(number, []), folder, source)
    write_header(folder, header)


def _restore_shard(shard: Shard, pieces: list[Episode], folder: Path, source: Path) -> None:
    held = sum(len(piece) for piece in pieces)
    if held != shard.steps * shard.rows:
        raise SpecError(f"{source}: expected the {shard.steps * shard.rows} steps of {shard.file}, found {held}")
    try:
        arrays = fill(shard.steps, shard.rows, pieces)
    except (SpecError, KeyError) as error:
        raise SpecError(f"{source}: {shard.file}: {error}") from None
    for name, told in shard.digests.items():
        if name not in arrays or digest(arrays[name]) != told:
            raise SpecError(f"{source}: {name} of {shard.file}: not the numbers that were exported: damaged or edited")
    written = write_shard(folder, shard.file, {name: arrays[name] for name in shard.digests}, shard.source)
    if written != shard:
        raise SpecError(f"{source}: {shard.file}: expected {shard.bytes} bytes of it, wrote {written.bytes}")


def adopt(found: Found, folder: Path, source: Path, kind: str) -> None:
    """Write episodes of someone else's one after the other, as a dataset of one environment; those that do not end by
    themselves are truncated. Raises SpecError for a dataset without steps, or of unlike episodes.
    """
    header: Header | None = None
    for number, group in enumerate(_groups(found.episodes)):
        first = group[0]
        header = header or _described(found, first, kind)
        steps = sum(len(e) for e in group)
        try:
            arrays = fill(steps, 1, group)
        except ValueError as error:
            raise SpecError(f"{source}: episodes of one shape expected: {error}") from None
        shard = write_shard(folder, f"shard-{number:05d}.safetensors", arrays, kind)
        header = changed(header, shards=(*header.shards, shard))
    if header is None:
        raise SpecError(f"{source}: expected a dataset with steps in it, got none")
    write_header(folder, header)


def _groups(episodes: Iterator[Episode]) -> Iterator[list[Episode]]:
    """Episodes of a shard each, in their places, every one with an end."""
    group: list[Episode] = []
    at = 0
    for episode in episodes:
        flags = episode.steps["truncated"].copy()
        flags[-1] |= not episode.steps["terminated"][-1]
        last = {name: values[-1] for name, values in episode.states.items()}
        group.append(replace(episode, place=Place(0, at, 0), steps={**episode.steps, "truncated": flags}, after=last))
        at += len(episode)
        if at >= SHARD_ROWS:
            yield group
            group, at = [], 0
    if group:
        yield group


def _described(found: Found, first: Episode, kind: str) -> Header:
    names = [n for n in first.states if n != OBSERVATIONS]
    channels = first.steps["channels"].shape[1]
    return Header(
        robot=found.robot,
        task=found.task,
        control_dt=found.control_dt,
        fields=tuple(
            Field(n.removeprefix(SIGNAL), w, kind="scalar" if w == 1 else "vector")
            for n in names
            if (w := int(np.shape(first.states[n])[1]))
        ),
        actions=first.steps["actions"].shape[1],
        observations=first.states[OBSERVATIONS].shape[1],
        channels=("reward",) if channels == 1 else tuple(f"reward_{i}" for i in range(channels)),
        kind=kind,
    )
