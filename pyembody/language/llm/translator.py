"""The translator that asks a model: the contract of the offline one, every reply checked like a stranger's file."""

from __future__ import annotations

import time
from typing import Any

from ...spec.errors import SpecError
from ..behaviours import Behaviours
from ..dialogue import Dialogue, Patch, Stage, Unsupported, apply_patch
from ..dialogue.behaviour import behaviours_of, checked, patched
from ..dialogue.describe import said_address
from ..dialogue.translate import MAX_CHARACTERS
from ..edit import Edit
from ..vocabulary import Language
from .cassette import Request, record, recorded
from .client import Send, ServerError, openai_sender
from .config import LLMConfig
from .prompt import messages
from .reply import FormRow, Reply, ReplyEdit, read_reply, reply_schema

FORMATS: tuple[dict[str, Any], ...] = (
    {"type": "json_schema", "json_schema": {"name": "motion", "strict": True, "schema": reply_schema()}},
    {"type": "json_object"},
    {},
)
"""Asked for in this order, until the server knows one; without a format the reply may be a fenced block."""


class LLMTranslator:
    """Asks one server. `send` stands in for it in tests; None uses the `openai` client."""

    def __init__(self, config: LLMConfig, send: Send | None = None) -> None:
        """Prepare to ask; a SpecError if the client is missing and would be needed."""
        self.config = config
        needed = send is None and config.mode != "replay"
        self._send = openai_sender(config) if needed else send
        self._format = 0

    def translate(self, text: str, state: Dialogue) -> Patch | Unsupported:
        """Return the patch that a model made of a text, checked, or why there is none. Never raises for a reply."""
        if len(text) > MAX_CHARACTERS:
            return Unsupported(f"expected at most {MAX_CHARACTERS} characters, got {len(text)}", text[:60])
        deadline = time.monotonic() + self.config.total_s
        conversation = messages(text, state)
        fault = ""
        for _ in range(self.config.repairs + 1):
            try:
                said = self._ask(conversation, deadline)
            except (ServerError, SpecError) as error:
                return Unsupported(f"language model: {error}", text[:60])
            try:
                return read_patch(text, said, state)
            except SpecError as error:
                fault = str(error)
            conversation += [{"role": "assistant", "content": said[:4000]}, {"role": "user", "content": _repair(fault)}]
        return Unsupported(f"language model: no usable reply after {self.config.repairs} repairs: {fault}", text[:60])

    def _ask(self, conversation: list[dict[str, str]], deadline: float) -> str:
        """The text of a reply, in the first format that the server knows."""
        while True:
            request = self._request(conversation)
            try:
                return self._reply(request, deadline)
            except ServerError as error:
                if not error.refused_format or self._format + 1 == len(FORMATS):
                    raise
                self._format += 1

    def _request(self, conversation: list[dict[str, str]]) -> Request:
        wanted = FORMATS[self._format]
        request: Request = {"model": self.config.model, "messages": list(conversation)}
        if self.config.temperature is not None:
            request["temperature"] = self.config.temperature
        return request | ({"response_format": wanted} if wanted else {})

    def _reply(self, request: Request, deadline: float) -> str:
        if self.config.mode == "replay" or self._send is None:
            return recorded(self.config.cassettes, request)
        left = deadline - time.monotonic()
        if left <= 0:
            raise ServerError(f"no usable reply within {self.config.total_s:g} s")
        said = self._send(request, left)
        if self.config.mode == "record":
            record(self.config.cassettes, request, said)
        return said


def read_patch(text: str, said: str, state: Dialogue) -> Patch | Unsupported:
    """Return the patch of a reply, or its own reason for having none. Raises SpecError listing the faults."""
    reply = read_reply(said)
    if reply.unsupported:
        return Unsupported(f"language model: {_clean(reply.unsupported)}", text[:60])
    language = state.language
    faults: list[str] = []
    edits = _checked(reply.edits, language, faults)
    stages = [_checked(stage.edits, language, faults) for stage in reply.stages]
    faults += _form_faults(reply, [*edits, *(e for stage in stages for e in stage)], behaviours_of(language), language)
    if not faults and not edits and not stages:
        faults.append("edits: expected at least one, or a reason in unsupported")
    if faults:
        raise SpecError("; ".join(faults[:8]))
    understood = (_clean(reply.description.summary),)
    patch = Patch(text, tuple(edits), tuple(_stage(stage, language) for stage in stages), understood)
    apply_patch(state.behaviour, patch, language)
    return patch


def _stage(edits: list[Edit], language: Language) -> Stage:
    return patched({}, edits, language)


def _checked(edits: tuple[ReplyEdit, ...], language: Language, faults: list[str]) -> list[Edit]:
    """The legal edits, in order of their names; the faults of others are added to `faults`."""
    legal: list[Edit] = []
    for edit in edits:
        try:
            legal.append(
                checked(language, Edit(edit.parameter, edit.value, edit.unit if edit.value is not None else ""))
            )
        except SpecError as error:
            faults.append(str(error))
    return sorted(set(legal), key=str_of)


def str_of(edit: Edit) -> str:
    """Return the key by which edits are ordered."""
    return f"{edit.parameter} {edit.value}"


def _form_faults(reply: Reply, edits: list[Edit], behaviours: Behaviours, language: Language) -> list[str]:
    """Where the numbers of the description and of the edits differ."""
    said: dict[str, list[FormRow]] = {}
    for row in reply.description.form:
        said.setdefault(row.what.strip().lower(), []).append(row)
    values: dict[str, set[float]] = {}
    for edit in edits:
        if edit.value is not None:
            values.setdefault(edit.parameter, set()).add(float(edit.value))
    names = {said_address(address, behaviours).lower(): address for address in values}
    faults = [f"description: '{_clean(what)}' has no edit" for what in said.keys() - names.keys()]
    for what, address in names.items():
        if what not in said:
            faults.append(f"{address}: expected a row '{what}' in the description")
            continue
        try:
            described = {checked(language, Edit(address, row.value, row.unit)).value for row in said[what]}
        except SpecError as error:
            faults.append(f"description: {error}")
            continue
        if described != values[address]:
            faults.append(f"{address}: the description says {_shown(described)}, the edits {_shown(values[address])}")
    return sorted(faults)


def _shown(values: set[Any]) -> str:
    return ", ".join(f"{value:g}" for value in sorted(values))


def _repair(fault: str) -> str:
    return f"That reply cannot be used: {fault}. Reply again with the whole corrected JSON object and nothing else."


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text[:300]).strip()
