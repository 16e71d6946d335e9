"""Files: TOML that a person wrote, read with one set of errors; and written ones that are whole or not there."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from .errors import SpecError

MAX_BYTES = 256 * 1024
MAX_PARTS = 24
LONG_KEY = re.compile(
    rf"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{MAX_PARTS}}}"""
)
"""More dots in one key than tables may be deep. Python's parser takes quadratic time for those."""
AT = re.compile(r"at line (\d+), column (\d+)")
QUOTES = """: quotes within quotes: '...["name"]...' keeps them"""


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file of at most MAX_BYTES. Raises SpecError naming the file and what is wrong."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise SpecError(f"{path}: {error.strerror or error}") from None
    return parse_toml(raw, str(path))


def parse_toml(raw: bytes, place: str) -> dict[str, Any]:
    """Return the tables of a TOML text of at most MAX_BYTES. Raises SpecError naming `place` and what is wrong."""
    if len(raw) > MAX_BYTES:
        raise SpecError(f"{place}: expected at most {MAX_BYTES} bytes, got {len(raw)}", "limit_file")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SpecError(f"{place}: not TOML: {error}") from None
    if LONG_KEY.search(text):
        raise SpecError(f"{place}: expected keys of at most {MAX_PARTS} parts")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a ValueError too for an integer of thousands of digits
        raise SpecError(f"{place}: not TOML: {_with_place(str(error), text)}") from None


def _with_place(message: str, text: str) -> str:
    """The parser's message with line and column, also at the end, and a word about quotes that ended too soon."""
    lines = text.split("\n")
    end = f"(at line {len(lines)}, column {len(lines[-1]) + 1}, the end of the file)"
    message = message.replace("(at end of document)", end)
    at = AT.search(message)
    line, column = ("", 0) if at is None else (lines[int(at[1]) - 1], int(at[2]) - 1)
    within = line[:column].endswith('"') and '"' in line[column:]
    return message + (QUOTES if within else "")


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a file that has one on each line, an empty list without the file.

    A last line that was cut off while it was written is left out. Raises SpecError naming file and line of any other
    that is damaged.
    """
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SpecError(f"{path}: cannot read: {error.strerror or error}") from None
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(msgspec.json.decode(line, type=dict[str, Any]))
        except msgspec.DecodeError as error:
            if number < len(lines):
                raise SpecError(f"{path}: line {number}: {error}") from None
    return rows


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Give a temporary path in the folder of `path` and move it there when the block ends well.

    The folder is made if it is missing. Otherwise nothing is left behind and an older file stays.
    Raises SpecError naming `path` if it cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise SpecError(f"{path}: cannot write: {error.strerror or error}") from None
    finally:
        if temporary.exists():
            temporary.unlink()


def write_atomic(path: Path | str, data: bytes) -> Path:
    """Write `data` to `path`, whole or not at all, and return the path. Raises SpecError."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return Path(path)


def sync_folder(path: Path) -> None:
    """Force a folder's entries to the disk, so that a rename survives a power cut. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
