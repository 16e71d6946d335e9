"""What is asked for: edits of the templates' parameters, perhaps in stages, and what they mean in a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct, field

from ..spec.errors import SpecError
from ..spec.vocabulary import (
    WEIGHT,
    BehaviourStage,
    Value,
    Vocabulary,
    check_value,
    flat_name,
    parameter_name,
)

Edits = Mapping[str, Value]


class Behaviour(Struct, frozen=True, forbid_unknown_fields=True):
    """Edits by address, stages in order, and the name of the planner's settings.

    Stages are retried at most `max_retries` times in all. With `lookahead` a planner's candidates may go on into later
    stages, else they stay in the present one.
    """

    edits: dict[str, float] = field(default_factory=dict)
    stages: tuple[BehaviourStage, ...] = ()
    planner: str = "steady"
    max_retries: Annotated[int, Meta(ge=0, le=6)] = 3
    lookahead: bool = False


def merge(vocabulary: Vocabulary, before: Edits, patch: Edits) -> dict[str, float]:
    """Return the edits after a patch, whose order does not matter; None clears, and setting one template of an
    exclusive group clears the others' earlier edits.

    Raises SpecError for unknown addresses, values out of range, and a patch that sets two of a group.
    """
    for address, value in patch.items():
        check_value(vocabulary, address, value)
    merged = {a: v for a, v in before.items() if v is not None}
    asked = {a.split(".")[0] for a, v in patch.items() if v is not None}
    for group, names in vocabulary.exclusive.items():
        chosen = sorted(asked & set(names))
        if len(chosen) > 1:
            raise SpecError(f"{group}: expected one of {', '.join(names)}, got {' and '.join(chosen)}")
        if chosen:
            merged = {a: v for a, v in merged.items() if a.split(".")[0] not in set(names) - {chosen[0]}}
    for address, value in patch.items():
        merged.pop(address, None)
        if value is not None:
            merged[address] = value
    return dict(sorted(merged.items()))


def parameters(vocabulary: Vocabulary, edits: Edits) -> dict[str, float]:
    """Return what edits mean in the program of `make_task`: an edited template counts with its own weight, unless the
    weight was edited too; others of its exclusive groups do not count.
    """
    values: dict[str, float] = {}
    asked = {a.rpartition(".")[0] for a, v in edits.items() if v is not None}
    for group in vocabulary.exclusive.values():
        chosen = [n for n in group if n in asked]
        for name in group if chosen else ():
            if name not in chosen:
                values[parameter_name(f"{name}.{WEIGHT}")] = 0.0
    terms = vocabulary.terms()
    for stem in asked:
        values[parameter_name(f"{stem}.{WEIGHT}")] = vocabulary.templates[terms[stem][0]].weight
    values |= {parameter_name(a): v for a, v in edits.items() if v is not None}
    return values


def counting(vocabulary: Vocabulary, edits: Edits) -> frozenset[str]:
    """Return the flat names of the terms whose weight is not 0 under edits."""
    values = parameters(vocabulary, edits)
    found = set()
    for address, (name, _) in vocabulary.terms().items():
        template = vocabulary.templates[name]
        weight = values.get(parameter_name(f"{address}.{WEIGHT}"), template.weight if template.on else 0.0)
        if weight:
            found.add(flat_name(address))
    return frozenset(found)
