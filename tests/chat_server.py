"""A chat completions server for tests, as a process of its own: `python chat_server.py REPLIES.json`.

The first part of the path names what it does: `/good/v1/chat/completions`. It prints its port when it is ready, and
GET /requests tells what it was asked.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

REQUESTS: list[dict[str, Any]] = []
REPLIES: dict[str, str] = {}


def completion(content: str | None, finish: str = "stop", **message: Any) -> bytes:
    """The body of a chat completion."""
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": "toy", "choices": [choice]}
    return json.dumps(body).encode()


class Handler(BaseHTTPRequestHandler):
    """Answers by the first part of the path."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._send(json.dumps(REQUESTS).encode())

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = self.path.strip("/").split("/")[0]
        REQUESTS.append({"fault": fault, "request": request, "key": self.headers.get("Authorization", "")})
        getattr(self, f"answer_{fault}")(request)

    def answer_good(self, request: dict[str, Any]) -> None:
        self._send(completion(REPLIES[self._asked(request)]))

    def answer_plain(self, request: dict[str, Any]) -> None:
        """Knows no response format; fences its replies."""
        if "response_format" in request:
            self._send(b'{"error": {"message": "response_format is not supported"}}', 400)
        else:
            self._send(completion(f"Here it is:\n```json\n{REPLIES[self._asked(request)]}\n```\nDone."))

    def answer_object(self, request: dict[str, Any]) -> None:
        """Knows json_object, not json_schema."""
        if request.get("response_format", {}).get("type") == "json_schema":
            self._send(b'{"error": {"message": "unknown response_format"}}', 422)
        else:
            self.answer_good(request)

    def answer_repair(self, request: dict[str, Any]) -> None:
        """Is wrong at first and right when it is told."""
        told = len(request["messages"]) > 2
        self._send(completion(REPLIES[self._asked(request)] if told else '{"description": {"summary": "no edits"}}'))

    def answer_wrong(self, _: dict[str, Any]) -> None:
        self._send(completion("I would lift the paw, of course!"))

    def answer_slow(self, _: dict[str, Any]) -> None:
        time.sleep(3.0)
        self._send(completion("{}"))

    def answer_drip(self, _: dict[str, Any]) -> None:
        """Sends a byte now and then: each arrives in time, all of it never does."""
        self._head(1_000_000)
        for _ in range(40):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.1)

    def answer_cut(self, _: dict[str, Any]) -> None:
        body = completion("{}")
        self._head(len(body) + 100)
        self.wfile.write(body)
        self.close_connection = True

    def answer_refusal(self, _: dict[str, Any]) -> None:
        self._send(completion(None, refusal="I cannot help with that."))

    def answer_length(self, _: dict[str, Any]) -> None:
        self._send(completion('{"description": {"summ', "length"))

    def answer_empty(self, _: dict[str, Any]) -> None:
        self._send(b'{"choices": []}')

    def answer_html(self, _: dict[str, Any]) -> None:
        self._send(b"<html>maintenance</html>")

    def answer_huge(self, _: dict[str, Any]) -> None:
        self._send(completion("x" * 5_000_000))

    def answer_key(self, _: dict[str, Any]) -> None:
        self._send(b'{"error": {"message": "wrong key"}}', 401)

    def answer_down(self, _: dict[str, Any]) -> None:
        self._send(b'{"error": {"message": "overloaded"}}', 503)

    def _asked(self, request: dict[str, Any]) -> str:
        asked = request["messages"][1]["content"].rpartition("Request: ")[2]
        return str(json.loads(asked))

    def _head(self, length: int, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _send(self, body: bytes, status: int = 200) -> None:
        self._head(len(body), status)
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """A client that goes away is no error here."""

    def handle_error(self, *_: Any) -> None:
        """Say nothing."""


if __name__ == "__main__":
    REPLIES.update(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
