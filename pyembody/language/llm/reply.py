"""What a model may reply: a schema, and a text that has passed its limits. Nothing in it is ever executed."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from ...spec.errors import SpecError
from ..dialogue.behaviour import MAX_EDITS, MAX_STAGES

MAX_REPLY = 16 * 1024
MAX_DEPTH = 6
MAX_TEXT = 1000
_FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*?)```", re.DOTALL)


class ReplyEdit(Struct, frozen=True, forbid_unknown_fields=True):
    """One edit as a model writes it; `value` null clears."""

    parameter: str
    value: float | None
    unit: str = ""


class FormRow(Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the description form: a quantity by its name in words, and its number."""

    what: str
    value: float
    unit: str = ""


class Description(Struct, frozen=True, forbid_unknown_fields=True):
    """The motion in words, and the numbers of it; written before the edits."""

    summary: str
    form: tuple[FormRow, ...] = ()


class ReplyStage(Struct, frozen=True, forbid_unknown_fields=True):
    """A stage of a sequence, from nothing."""

    edits: tuple[ReplyEdit, ...]


class Reply(Struct, frozen=True, forbid_unknown_fields=True):
    """A whole reply. `unsupported` says why nothing fits; then there are no edits."""

    description: Description
    edits: tuple[ReplyEdit, ...] = ()
    stages: tuple[ReplyStage, ...] = ()
    unsupported: str | None = None


def reply_schema() -> dict[str, Any]:
    """Return the JSON schema of a reply: every key required and no other, the description first."""
    number, text = {"type": "number"}, {"type": "string"}
    row = _object(what=text, value=number, unit=text)
    edit = _object(parameter=text, value={"type": ["number", "null"]}, unit=text)
    edits = {"type": "array", "items": edit}
    return _object(
        description=_object(summary=text, form={"type": "array", "items": row}),
        edits=edits,
        stages={"type": "array", "items": _object(edits=edits)},
        unsupported={"type": ["string", "null"]},
    )


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def read_reply(text: str) -> Reply:
    """Return a reply within the limits. Raises SpecError naming the first fault."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_REPLY:
        raise SpecError(f"reply: expected at most {MAX_REPLY} bytes, got {size}", "limit_reply")
    inner = bare_json(text)
    depth = _depth(inner)
    if depth > MAX_DEPTH:
        raise SpecError(f"reply: expected at most {MAX_DEPTH} levels, got {depth}", "limit_reply")
    try:
        reply = msgspec.json.decode(inner, type=Reply)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise SpecError(f"reply: expected JSON of the schema: {error}") from None
    _check_counts(reply)
    return reply


def bare_json(text: str) -> str:
    """Return the JSON of a text: all of it, or its first fenced block."""
    stripped = text.strip()
    fence = _FENCE.search(stripped)
    return fence[1].strip() if fence and not stripped.startswith("{") else stripped


def _depth(text: str) -> int:
    """How deep brackets are nested, those inside strings left out."""
    deepest = depth = 0
    quoted = escaped = False
    for character in text:
        if quoted:
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            quoted = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _check_counts(reply: Reply) -> None:
    edits = len(reply.edits) + sum(len(stage.edits) for stage in reply.stages)
    counts = {"edits": (edits, MAX_EDITS), "stages": (len(reply.stages), MAX_STAGES)}
    counts["description.form"] = (len(reply.description.form), MAX_EDITS)
    counts["description.summary"] = (len(reply.description.summary), MAX_TEXT)
    for name, (count, most) in counts.items():
        if count > most:
            raise SpecError(f"reply: {name}: expected at most {most}, got {count}", "limit_reply")
    if reply.edits and reply.stages:
        raise SpecError("reply: expected either edits or stages, got both")
