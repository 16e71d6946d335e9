"""Canonical turns and the replies that mean them, for the tests of the translator that asks a model."""

from __future__ import annotations

import json
from typing import Any

from l2r_scores import dialogue, sentences
from pyembody.language.dialogue import Patch, apply_patch, say, translate
from pyembody.language.llm import LLMConfig, LLMTranslator
from pyembody.language.llm.prompt import example_reply

CANONICAL = [case for case in sentences()["case"] if case["task"] not in ("moonwalk", "apple_in_drawer")]
CONFIG = LLMConfig(model="toy", backoff_s=0.01, call_s=0.5, total_s=4.0)


def begun(case: dict[str, Any]) -> Any:
    """A case's dialogue after what was said before."""
    return dialogue(*case.get("before", []), vocabulary=case["vocabulary"])


def offline_replies() -> dict[str, str]:
    """For every canonical turn the reply that means what the offline translator makes of it."""
    replies: dict[str, str] = {}
    for case in CANONICAL:
        state = begun(case)
        for text in case["canonical"]:
            patch = translate(text, state)
            assert isinstance(patch, Patch)
            replies[text] = json.dumps(example_reply(text, patch, state.language))
            say(text, state)
    return replies


def turns(case: dict[str, Any], translator: LLMTranslator) -> bool:
    """Whether the translator leads a case's turns to where the offline one leads them."""
    state, wanted = begun(case), begun(case)
    for text in case["canonical"]:
        patch = translator.translate(text, state)
        assert isinstance(patch, Patch), str(patch)
        state.add(patch, apply_patch(state.behaviour, patch, state.language))
        say(text, wanted)
    return state.behaviour == wanted.behaviour
