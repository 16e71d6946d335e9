"""Behaviours of a dialogue as the planner follows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from ..language.dialogue import Behaviour as SaidBehaviour
from ..language.dialogue import Dialogue, Lexicon, Stage, Unsupported, planner_of, say, skill_of
from ..language.dialogue.behaviour import behaviours_of
from ..language.vocabulary import Language
from ..spec.errors import SpecError
from ..spec.vocabulary import WEIGHT, BehaviourStage, flat_name
from .behaviour import Behaviour

USUAL = "steady"
"""Planner's settings of what names none."""


def planned(said: SaidBehaviour, language: Language) -> Behaviour:
    """Return what a planner follows: a stage but the last ends when its goals are reached, or when its time is over.

    What is a skill is done in the skill's own stages.
    """
    planner = planner_of(said, language, USUAL)
    if len(said.stages) == 1:
        values = dict(said.stages[0].values)
        return Behaviour(values, skill_of(said.stages[0], language), planner)
    stages = tuple(s for place, stage in enumerate(said.stages) for s in _stages(said, place, stage, language))
    return Behaviour({}, stages, planner)


def _stages(said: SaidBehaviour, place: int, stage: Stage, language: Language) -> Iterator[BehaviourStage]:
    """A stage that was said, or those of its skill, the last of which ends like it."""
    name, last = f"stage_{place + 1}", place + 1 == len(said.stages)
    until = "" if last else " and ".join(f"reached_{flat_name(term)}" for term in goals(stage, language))
    skill = skill_of(stage, language)
    for own in skill[:-1]:
        back = own.on_fail.replace("retry:", f"retry:{name}_")
        yield replace(own, name=f"{name}_{own.name}", edits={**stage.values, **own.edits}, on_fail=back)
    edits = {**stage.values, **(skill[-1].edits if skill else {})}
    yield BehaviourStage(name, edits, until, on_fail="abort" if last else "next")


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
