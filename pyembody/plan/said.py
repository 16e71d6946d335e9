"""Behaviours of a dialogue as the planner follows them."""

from __future__ import annotations

from collections.abc import Iterable

from ..language.dialogue import Behaviour as SaidBehaviour
from ..language.dialogue import Dialogue, Lexicon, Stage, Unsupported, planner_of, say
from ..language.dialogue.behaviour import behaviours_of
from ..language.vocabulary import Language
from ..spec.errors import SpecError
from ..spec.vocabulary import WEIGHT, flat_name
from .behaviour import Behaviour, BehaviourStage

USUAL = "steady"
"""Planner's settings of what names none."""


def planned(said: SaidBehaviour, language: Language) -> Behaviour:
    """Return what a planner follows: a stage but the last ends when its goals are reached, or when its time is over."""
    planner = planner_of(said, language, USUAL)
    if len(said.stages) == 1:
        return Behaviour(dict(said.stages[0].values), planner=planner)
    last = len(said.stages) - 1
    stages = tuple(
        BehaviourStage(
            f"stage_{place + 1}",
            dict(stage.values),
            "" if place == last else " and ".join(f"reached_{flat_name(term)}" for term in goals(stage, language)),
            on_fail="abort" if place == last else "next",
        )
        for place, stage in enumerate(said.stages)
    )
    return Behaviour({}, stages, planner)


def goals(stage: Stage, language: Language) -> list[str]:
    """Return the terms that a stage wants reached: those with a number of their own, not only another weight."""
    templates = behaviours_of(language).vocabulary.templates
    plain = [term for term in stage.terms if not templates[term.partition(".")[0]].parameters]
    named = {address.rpartition(".")[0] for address in stage.values if not address.endswith(f".{WEIGHT}")}
    return [term for term in stage.terms if term in named or term in plain]


def translated(texts: Iterable[str], language: Language | Lexicon) -> list[Behaviour]:
    """Return what holds after each sentence of a dialogue. Raises SpecError for one that is not understood."""
    state = Dialogue(language)
    found = []
    for text in texts:
        turn = say(text, state)
        if isinstance(turn, Unsupported):
            raise SpecError(str(turn))
        found.append(planned(turn.behaviour, state.language))
    return found
