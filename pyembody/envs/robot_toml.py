"""Writing a robot as the text of its `robot.toml`."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from ..spec.robot import Control, Robot

WIDTH = 100


def to_toml(robot: Robot) -> str:
    """Return the `robot.toml` of `robot`: what differs from the defaults, tables last. Own signals come at the end."""
    data = _changed(robot)
    data.pop("folder", None)
    signals = data.pop("signals", ())
    tables = {k: v for k, v in data.items() if isinstance(v, dict)}
    lines = [_entry(k, v) for k, v in data.items() if k not in tables]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(_entry(k, v) for k, v in table.items())]
    for signal in signals:
        lines += ["", "[[signals]]", *(_entry(k, v) for k, v in _changed(signal).items())]
    return "\n".join(lines) + "\n"


def _changed(struct: msgspec.Struct) -> dict[str, Any]:
    """Fields that differ from their defaults, in order; structs as dictionaries of the same kind."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        if value == default and not isinstance(value, Control):
            continue
        found[field.name] = _changed(value) if isinstance(value, msgspec.Struct) else value
    return found


def _entry(key: str, value: Any) -> str:
    text = f"{key} = {_text(value)}"
    if len(text) <= WIDTH or not isinstance(value, tuple):
        return text
    rows, row = [], ""
    for item in map(_text, value):
        if row and len(row) + len(item) + 6 > WIDTH:
            rows.append(row)
            row = ""
        row += f" {item}," if row else f"{item},"
    inner = "\n".join(f"    {r}" for r in [*rows, row])
    return f"{key} = [\n{inner}\n]"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_text, value)) + "]"
    return repr(value + 0.0 if isinstance(value, float) else value)  # -0.0 + 0.0 is 0.0
