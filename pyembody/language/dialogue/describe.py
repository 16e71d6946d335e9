"""A behaviour in words that the translator reads back as the same behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from ...spec.vocabulary import BehaviourStage
from ..behaviours import Behaviours, spoken
from ..vocabulary import Language
from .behaviour import Behaviour, Stage, behaviours_of, covers


def describe(behaviour: Behaviour, language: Language) -> str:
    """Return the canonical description: `only torso height 0.1 m, torso pitch 0 rad; then only ...`."""
    behaviours = behaviours_of(language)
    stages = []
    for stage in behaviour.stages:
        said = [_said(address, value, behaviours) for address, value in sorted(stage.values.items())]
        stages.append(f"only {', '.join(said) or 'nothing'}")
    return "; then ".join(stages)


def said_address(address: str, behaviours: Behaviours) -> str:
    """Return the name of a parameter in words."""
    term, _, parameter = address.rpartition(".")
    name, _, instance = term.partition(".")
    return spoken(behaviours.say, behaviours.names, name, instance, parameter)


def planner_of(behaviour: Behaviour, language: Language, usual: str) -> str:
    """Return the name of the planner's settings that the last stage of a behaviour wants."""
    return _asked(behaviours_of(language).planners, behaviour.stages[-1]) or usual


def skill_of(stage: Stage, language: Language) -> tuple[BehaviourStage, ...]:
    """Return the stages of the skill by which a stage is done, none if it is done in one go."""
    behaviours = behaviours_of(language)
    return behaviours.vocabulary.skills.get(_asked(behaviours.skills, stage), ())


def _asked(table: Mapping[str, str], stage: Stage) -> str:
    """What a table says of the first of its addresses that a stage asks for, or ''."""
    return next((said for part, said in table.items() if any(covers(part, a) for a in stage.values)), "")


def _said(address: str, value: float, behaviours: Behaviours) -> str:
    number = format(Decimal(repr(value)).normalize(), "f")
    unit = behaviours.vocabulary.parameter(address).unit
    return f"{said_address(address, behaviours)} {number} {unit}".rstrip()
