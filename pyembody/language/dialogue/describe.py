"""A behaviour in words that the translator reads back as the same behaviour."""

from __future__ import annotations

from decimal import Decimal

from ..behaviours import Behaviours, spoken
from ..vocabulary import Language
from .behaviour import Behaviour, behaviours_of, covers


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
    values = behaviour.stages[-1].values
    wanted = behaviours_of(language).planners.items()
    return next((planner for part, planner in wanted if any(covers(part, a) for a in values)), usual)


def _said(address: str, value: float, behaviours: Behaviours) -> str:
    number = format(Decimal(repr(value)).normalize(), "f")
    unit = behaviours.vocabulary.parameter(address).unit
    return f"{said_address(address, behaviours)} {number} {unit}".rstrip()
