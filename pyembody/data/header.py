"""What a dataset says of itself: `dataset.json`, a small header beside the shards."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from ..spec.errors import SpecError, unknown
from ..spec.files import write_atomic
from ..spec.load import decode
from ..spec.signal import Kind

FORMAT = "pyembody-dataset-1"
HEADER = "dataset.json"
MAX_BYTES = 16 * 1024 * 1024
Role = Literal["state", "carried"]
Size = Annotated[int, Meta(ge=0)]


class Field(Struct, frozen=True, forbid_unknown_fields=True):
    """A recorded signal: its name, unit, kind, and how many numbers `lanes` it has.

    A `state` is what physics brings about; what is `carried` is given from outside: commands, clocks, the last action.
    `adrift` are lanes whose zero is arbitrary, such as where on a floor a walking robot is.
    """

    name: str
    lanes: Annotated[int, Meta(ge=1)]
    unit: str = "1"
    kind: Kind = "scalar"
    role: Role = "state"
    adrift: tuple[int, ...] = ()


class Shard(Struct, frozen=True, forbid_unknown_fields=True):
    """One file of T `steps` of N `rows`, of which `ended` ended an episode; `digests` are the SHA-256 of its arrays."""

    file: str
    steps: Size
    rows: Size
    ended: Size
    bytes: Size
    digests: dict[str, str]
    source: str = ""


class Header(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything of a dataset but its numbers. `source` is what acted, `seeds` those of the environments."""

    robot: str
    task: str
    control_dt: float
    fields: tuple[Field, ...]
    actions: Size
    observations: Size = 0
    channels: tuple[str, ...] = ()
    robot_hash: str = ""
    task_hash: str = ""
    variant: str = ""
    kind: str = ""
    seeds: tuple[int, ...] = ()
    shards: tuple[Shard, ...] = ()
    format: str = FORMAT
    digest: str = ""

    @property
    def steps(self) -> int:
        """Transitions in all shards."""
        return sum(s.steps * s.rows for s in self.shards)

    def field(self, name: str) -> Field:
        """Return a recorded signal. Raises SpecError naming the nearest."""
        for field in self.fields:
            if field.name == name:
                return field
        raise unknown("dataset", "signal", name, [f.name for f in self.fields])


def _digest(header: Header) -> str:
    return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(header, digest=""))).hexdigest()


def write_header(folder: Path, header: Header) -> None:
    """Write `dataset.json`, whole or not at all. Raises SpecError."""
    sealed = msgspec.structs.replace(header, digest=_digest(header))
    write_atomic(folder / HEADER, msgspec.json.format(msgspec.json.encode(sealed)) + b"\n")


def read_header(folder: Path) -> Header:
    """Return a dataset's header. Raises SpecError for a folder that is none, another format, or a changed header."""
    path = Path(folder) / HEADER
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SpecError(f"{path}: expected at most {MAX_BYTES} bytes, got {path.stat().st_size}")
        data = path.read_bytes()
    except OSError as error:
        raise SpecError(f"{path}: cannot read: {error.strerror or error}; expected the folder of a dataset") from None
    return parse_header(data, str(path))


def parse_header(data: bytes, place: str) -> Header:
    """Return the header that a JSON text holds. Raises SpecError naming `place`: another format, or changed."""
    header = decode(Header, data, place)
    if header.format != FORMAT:
        raise SpecError(f"{place}: format: expected '{FORMAT}', got '{header.format}'")
    if header.digest != _digest(header):
        raise SpecError(f"{place}: damaged: expected digest {_digest(header)[:16]}..., got {header.digest[:16]}...")
    for shard in header.shards:
        if Path(shard.file).name != shard.file:
            raise SpecError(f"{place}: shards: expected the name of a file beside it, got '{shard.file}'")
    return header
