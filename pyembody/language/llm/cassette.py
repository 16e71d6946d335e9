"""Recorded replies: one JSON file per request, named by the SHA-256 of its canonical form."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from ...spec.errors import SpecError
from ...spec.files import atomic_path

Request = dict[str, Any]


def request_key(request: Request) -> str:
    """Return the SHA-256, in hexadecimal, of a request's JSON with sorted keys. A request holds no secrets."""
    return hashlib.sha256(msgspec.json.encode(request, order="sorted")).hexdigest()


def recorded(folder: str | Path, request: Request) -> str:
    """Return the recorded reply to a request. Raises SpecError if there is none or it cannot be read."""
    path = _path(folder, request)
    try:
        data = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        raise SpecError(f"{folder}: no recorded reply to this request ({path.name}); record it first") from None
    except (OSError, msgspec.DecodeError) as error:
        raise SpecError(f"{path}: not a recorded reply: {error}") from None
    if not isinstance(data, dict) or not isinstance(data.get("reply"), str):
        raise SpecError(f"{path}: not a recorded reply: expected the keys request and reply")
    return str(data["reply"])


def record(folder: str | Path, request: Request, reply: str) -> None:
    """Write a reply to the folder. Raises SpecError if it cannot be written."""
    with atomic_path(_path(folder, request)) as path:
        path.write_bytes(msgspec.json.format(msgspec.json.encode({"request": request, "reply": reply})))


def _path(folder: str | Path, request: Request) -> Path:
    return Path(folder) / f"{request_key(request)}.json"
