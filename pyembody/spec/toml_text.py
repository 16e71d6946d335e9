"""Specifications as TOML text: what the standard library reads but does not write."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from .signal import Signal
from .task import Task

BARE = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(spec: msgspec.Struct) -> str:
    """Return the TOML text of a specification, fields that have their default and places of files left out."""
    return tables_toml(_given(spec, ("folder", "variant")))


def tables_toml(data: Mapping[str, Any]) -> str:
    """Return the TOML text of nested tables, lists, texts and numbers."""
    return "\n".join(_table(data, "")).lstrip("\n") + "\n"


def program_toml(task: Task, signals: Mapping[str, Signal], dt: float | None) -> str:
    """Return the TOML text of a reward program by itself, which `read_standalone` reads as the same program."""
    tables = {name: _given(signal, ("name",)) for name, signal in signals.items()}
    data = ({} if dt is None else {"dt": dt}) | _given(task, ("folder", "variant")) | {"signals": tables}
    return tables_toml(data)


def _given(value: Any, leave_out: tuple[str, ...] = ()) -> Any:
    """Plain data of what differs from the defaults."""
    if isinstance(value, msgspec.Struct):
        fields = {f.name: f for f in msgspec.structs.fields(value)}
        found = {n: getattr(value, n) for n in fields if n not in leave_out}
        kept = {n: _given(v) for n, v in found.items() if v is not None and not _default(fields[n], v)}
        return dict(sorted(kept.items(), key=lambda item: _is_table(item[1])))  # a struct's fields have no order
    if isinstance(value, Mapping):
        return {k: _given(v) for k, v in value.items()}
    return [_given(v) for v in value] if isinstance(value, list | tuple) else value


def _default(field: msgspec.structs.FieldInfo, value: Any) -> bool:
    if field.default_factory is not msgspec.NODEFAULT:
        return bool(value == field.default_factory())
    return bool(value == field.default)


def _table(data: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield the lines of a table in its order: a table that a number or text comes after stays in its line."""
    keys = list(data)
    last = max((i for i, k in enumerate(keys) if not _is_table(data[k])), default=-1)
    if name and (last >= 0 or not data):
        yield f"\n[{name}]"
    for key in keys[: last + 1]:
        yield f"{_key(key)} = {_value(data[key])}"
    for key in keys[last + 1 :]:
        yield from _table(data[key], f"{name}.{_key(key)}" if name else _key(key))


def _is_table(value: Any) -> bool:
    """True for what gets a table of its own; a parameter stays in its line."""
    return isinstance(value, Mapping) and "value" not in value


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
