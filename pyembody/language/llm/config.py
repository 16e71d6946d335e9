"""Which chat server is asked, how long, and whether its replies are recorded or replayed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from ...spec.errors import SpecError
from ...spec.files import read_toml
from ...spec.load import convert

Mode = Literal["live", "record", "replay"]
ENVIRONMENT = {
    "base_url": "PYEMBODY_LLM_BASE_URL",
    "model": "PYEMBODY_LLM_MODEL",
    "api_key": "PYEMBODY_LLM_API_KEY",
    "mode": "PYEMBODY_LLM_MODE",
    "cassettes": "PYEMBODY_LLM_CASSETTES",
}


class LLMConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A server that speaks the chat completions protocol, and its limits in seconds.

    `cassettes` is the folder of recorded replies for the modes `record` and `replay`.
    """

    base_url: str = ""
    model: str = ""
    api_key: str = ""
    mode: Mode = "live"
    cassettes: str = ""
    call_s: float = 30.0
    total_s: float = 90.0
    retries: int = 3
    backoff_s: float = 0.5
    repairs: int = 2
    temperature: float | None = 0.0

    def __repr__(self) -> str:
        """Show everything but the key."""
        return f"LLMConfig({self.base_url!r}, {self.model!r}, mode={self.mode!r})"


def load_llm_config(path: str | Path | None = None, environment: Mapping[str, str] | None = None) -> LLMConfig:
    """Return the settings of a TOML file (its table `llm`), overridden by the PYEMBODY_LLM_* variables.

    Raises SpecError for an unknown key, and for a missing address, model or folder of cassettes.
    """
    place = str(path or "environment")
    data = dict(read_toml(Path(path)).get("llm", {})) if path is not None else {}
    variables = os.environ if environment is None else environment
    data |= {key: variables[name] for key, name in ENVIRONMENT.items() if variables.get(name)}
    config = convert(data, LLMConfig, place)
    _check(config, place)
    return replace(config, base_url=config.base_url.rstrip("/"))


def _check(config: LLMConfig, place: str) -> None:
    for key in ("base_url", "model") if config.mode != "replay" else ("model",):
        if not getattr(config, key):
            raise SpecError(f"{place}: {key}: expected a value; set it in the file or as {ENVIRONMENT[key]}")
    if config.base_url and urlsplit(config.base_url).scheme not in ("http", "https"):
        raise SpecError(f"{place}: base_url: expected http:// or https://, got '{config.base_url}'")
    if config.mode != "live" and not config.cassettes:
        raise SpecError(f"{place}: cassettes: expected a folder for mode '{config.mode}'")
