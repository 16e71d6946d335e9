"""Dotted paths into a task's plain data: `command.low[0]`, `channels.style.terms.level.weight`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from ..spec.errors import SpecError, unknown

_STEP = re.compile(r"\.?([A-Za-z_]\w*)|\[(\d+)\]")


def plain_data(spec: Struct) -> Any:
    """Return a specification as dicts, lists and numbers that `write_path` may change."""
    return _lists(msgspec.to_builtins(spec))


def _lists(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _lists(value) for key, value in node.items()}
    return [_lists(value) for value in node] if isinstance(node, list | tuple) else node


def split_path(path: str) -> list[str | int]:
    """Return the keys and indices of a path; a SpecError tells a malformed one."""
    keys: list[str | int] = []
    place = 0
    while place < len(path):
        step = _STEP.match(path, place)
        if step is None or (not keys and step[1] is None):
            raise SpecError(
                f"path '{path}': expected names, dots and [indices], such as 'command.low[0]'"
            )
        keys.append(step[1] if step[1] is not None else int(step[2]))
        place = step.end()
    return keys


def read_path(data: Any, path: str) -> Any:
    """Return what stands at `path`; the `value` of a parameter table."""
    node = data
    for key in split_path(path):
        node = _child(node, key, path)
    return node["value"] if _is_parameter(node) else node


def write_path(data: Any, path: str, value: Any) -> None:
    """Set what stands at `path`, in place; of a parameter table its `value`."""
    *way, last = split_path(path)
    node = data
    for key in way:
        node = _child(node, key, path)
    old = _child(node, last, path)
    if _is_parameter(old):
        old["value"] = value
    else:
        node[last] = value


def changes(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield path, old and new value of everything in which two specifications of plain data differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from changes(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    elif old != new:
        yield path, old, new


def _child(node: Any, key: str | int, path: str) -> Any:
    if isinstance(key, int):
        if isinstance(node, list) and key < len(node):
            return node[key]
        size = len(node) if isinstance(node, list) else "no"
        raise SpecError(f"path '{path}': no entry [{key}], there are {size} entries")
    if isinstance(node, dict):
        if key in node:
            return node[key]
        raise unknown(f"path '{path}'", "key", key, node)
    raise SpecError(f"path '{path}': the task has nothing to look up '{key}' in")


def _is_parameter(node: Any) -> bool:
    return isinstance(node, dict) and "value" in node
