"""The translator that asks a model against a server process on this machine, and its faults."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from l2r_scores import dialogue
from llm_cases import CANONICAL, CONFIG, offline_replies, turns
from pyembody.language.dialogue import Unsupported
from pyembody.language.llm import LLMTranslator
from pyembody.spec import SpecError


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("openai", reason="the extra llm is not installed")
    file = tmp_path_factory.mktemp("chat") / "replies.json"
    file.write_text(json.dumps(offline_replies()))
    script = Path(__file__).with_name("chat_server.py")
    process = subprocess.Popen([sys.executable, str(script), str(file)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def asking(server: str, path: str, **changes: Any) -> LLMTranslator:
    return LLMTranslator(replace(CONFIG, base_url=f"{server}/{path}/v1", api_key="toy-key", **changes))


def asked(server: str, path: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{server}/requests") as response:
        return [row for row in json.load(response) if row["fault"] == path]


def test_all_canonical_lines_pass_through_a_server(server: str) -> None:
    translator = asking(server, "good", call_s=5.0)
    assert all(turns(case, translator) for case in CANONICAL)
    request = asked(server, "good")[0]
    assert request["key"] == "Bearer toy-key"
    assert request["request"]["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    ("path", "formats"),
    [("object", ["json_schema", "json_object"]), ("plain", ["json_schema", "json_object", ""])],
)
def test_format_falls_back_until_the_server_knows_it(server: str, path: str, formats: list[str]) -> None:
    translator = asking(server, path, call_s=5.0)
    assert turns(CANONICAL[0], translator)
    assert [r["request"].get("response_format", {}).get("type", "") for r in asked(server, path)] == formats


def test_server_that_is_wrong_at_first_is_told_and_mends_its_reply(server: str) -> None:
    assert turns(CANONICAL[0], asking(server, "repair", call_s=5.0))
    assert [len(r["request"]["messages"]) for r in asked(server, "repair")] == [2, 4]


FAULTS = [
    ("wrong", "no usable reply after 2 repairs", 3),
    ("slow", "no reply within 0.3 s, tried 2 times", 2),
    ("drip", "no reply within 0.3 s, tried 2 times", 2),
    ("cut", "no connection: .*tried 2 times", 2),
    ("refusal", "the model refused: I cannot help with that.", 1),
    ("length", "the reply was cut off", 1),
    ("empty", "the response has no choices", 1),
    ("html", "the response is no chat completion", 1),
    ("huge", "expected a response of at most", 1),
    ("key", "the server said 401", 1),
    ("down", "the server said 503", 1),
]


@pytest.mark.parametrize(("path", "message", "calls"), FAULTS)
def test_fault_of_a_server_ends_in_one_clear_message(server: str, path: str, message: str, calls: int) -> None:
    start = time.monotonic()
    result = asking(server, path, call_s=0.3, retries=1).translate("Spin fast.", dialogue())
    assert isinstance(result, Unsupported)
    assert re.search(f"^'Spin fast.': language model: .*{message}", str(result)), str(result)
    assert len(asked(server, path)) == calls
    assert time.monotonic() - start < 3.5


def test_no_server_is_told_and_retried_for_a_limited_time() -> None:
    pytest.importorskip("openai", reason="the extra llm is not installed")
    translator = asking("http://127.0.0.1:9", "good", retries=2)
    assert "no connection" in str(translator.translate("Spin fast.", dialogue()))


def test_missing_client_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(SpecError, match=r"pip install 'pyembody\[llm\]'"):
        LLMTranslator(replace(CONFIG, base_url="http://127.0.0.1:9/v1"))
