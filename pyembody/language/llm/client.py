"""One request to a chat server: bounded in time and size, retried only where the network failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from ...spec.errors import SpecError
from .cassette import Request
from .config import LLMConfig
from .reply import MAX_REPLY

MAX_BODY = 8 * MAX_REPLY
Send = Callable[[Request, float], str]
"""A request and the seconds left to the text of the reply. Raises ServerError."""


class ServerError(Exception):
    """Why a server gave no text. `refused_format`: it does not know the format asked for."""

    def __init__(self, message: str, refused_format: bool = False) -> None:
        super().__init__(message)
        self.refused_format = refused_format


class _Message(Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(Struct):
    message: _Message
    finish_reason: str | None = None


class _Completion(Struct):
    choices: list[_Choice]


def openai_sender(config: LLMConfig) -> Send:
    """Return a sender on the `openai` client. Raises SpecError if the extra `llm` is not installed."""
    try:
        import openai
    except ImportError:
        raise SpecError("a language model needs the openai client: pip install 'pyembody[llm]'") from None
    client = openai.OpenAI(
        base_url=config.base_url, api_key=config.api_key or "none", max_retries=0, timeout=config.call_s
    )

    def send(request: Request, left_s: float) -> str:
        deadline = time.monotonic() + left_s
        for attempt in range(config.retries + 1):
            seconds = min(config.call_s, deadline - time.monotonic())
            if seconds <= 0:
                raise ServerError(f"no reply within {config.total_s:g} s")
            try:
                return read_completion(_body(client, request, seconds))
            except openai.APIStatusError as error:
                refused = error.status_code in (400, 404, 415, 422) and "response_format" in request
                raise ServerError(f"the server said {error.status_code}: {_short(error.message)}", refused) from None
            except ServerError:
                raise
            except Exception as error:
                fault = _network_fault(error, config)
                if not fault:
                    raise ServerError(f"the request failed: {_short(str(error))}") from None
            pause = min(config.backoff_s * 2**attempt, max(deadline - time.monotonic(), 0.0))
            if attempt < config.retries:
                time.sleep(pause)
        raise ServerError(f"{fault}, tried {config.retries + 1} times")

    return send


def _body(client: Any, request: Request, seconds: float) -> bytes:
    """The body of a response, read piece by piece so that neither size nor time has no end."""
    end = time.monotonic() + seconds
    body = bytearray()
    with client.chat.completions.with_streaming_response.create(**request, timeout=seconds) as response:
        pieces: Iterator[bytes] = response.iter_bytes()
        for piece in pieces:
            body += piece
            if len(body) > MAX_BODY:
                raise ServerError(f"expected a response of at most {MAX_BODY} bytes")
            if time.monotonic() > end:
                raise TimeoutError
    return bytes(body)


def _network_fault(error: Exception, config: LLMConfig) -> str:
    """What the network did, or empty if it was not the network.

    While a body is read, errors of the client's own transport come through, whatever its name is in a release.
    """
    module = type(error).__module__.partition(".")[0]
    if "Timeout" in type(error).__name__:
        return f"no reply within {config.call_s:g} s"
    if type(error).__name__ == "APIConnectionError" or module.startswith(("httpx", "httpcore")):
        return f"no connection: {_short(str(error.__cause__ or error))}"
    return ""


def read_completion(body: bytes) -> str:
    """Return the text of a chat completion. Raises ServerError for a refusal, a cut or an empty one."""
    try:
        completion = msgspec.json.decode(body, type=_Completion)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ServerError(f"the response is no chat completion: {_short(str(error))}") from None
    if not completion.choices:
        raise ServerError("the response has no choices")
    choice = completion.choices[0]
    if choice.message.refusal:
        raise ServerError(f"the model refused: {_short(choice.message.refusal)}")
    if choice.finish_reason in ("length", "content_filter"):
        raise ServerError(f"the reply was cut off ({choice.finish_reason})")
    if not choice.message.content:
        raise ServerError("the reply is empty")
    return choice.message.content


def _short(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text[:200])
    return " ".join(printable.split())
