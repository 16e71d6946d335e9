"""Requests that cannot be met at once, led through stages: to lift a thing is to reach for it and hold it first."""

from __future__ import annotations

from msgspec.structs import replace

from ..spec.vocabulary import Vocabulary, Way
from .behaviour import Behaviour, BehaviourStage

END = "end"


def with_ways(vocabulary: Vocabulary, behaviour: Behaviour) -> Behaviour:
    """Return the behaviour with each stage that asks for a template with a way led through the way's stages.

    A behaviour without stages counts as one. The stage that was there before is the last of its own way.
    """
    own = behaviour.stages or (BehaviourStage("asked"),)
    ways = [_way(vocabulary, {**behaviour.edits, **stage.edits}) for stage in own]
    if not any(ways):
        return behaviour
    firsts = [f"{stage.name}_{way[0].stages[0].name}" if way else stage.name
              for stage, way in zip(own, ways, strict=True)]
    renamed = dict(zip((stage.name for stage in own), firsts, strict=True))
    stages: list[BehaviourStage] = []
    for stage, way in zip(own, ways, strict=True):
        stage = replace(stage, edits={**behaviour.edits, **stage.edits}, on_fail=renamed.get(stage.on_fail, ""))
        stages += _led(stage, *way) if way else [stage]
    planner = next((way[0].planner for way in ways if way and way[0].planner), behaviour.planner)
    return Behaviour({}, tuple(stages), planner)


def _way(vocabulary: Vocabulary, edits: dict[str, float]) -> tuple[Way, str] | None:
    """The first way that fits, and the instance that asks for it."""
    asked = sorted({address.rpartition(".")[0] for address, value in edits.items() if value or "weight" not in address})
    for way in vocabulary.ways:
        for term in asked:
            name, _, instance = term.partition(".")
            beside = not way.beside or (way.beside in asked and term != way.beside)
            if name in way.when and beside:
                return way, instance
    return None


def _led(stage: BehaviourStage, way: Way, instance: str) -> list[BehaviourStage]:
    def fill(text: str) -> str:
        return text.replace("{i}", instance)

    found = []
    for part in way.stages:
        edits = {fill(address): value for address, value in part.edits.items()}
        on_fail = f"{stage.name}_{part.on_fail}" if part.on_fail else ""
        led = BehaviourStage(
            f"{stage.name}_{part.name}", {**stage.edits, **edits} if part.asked else edits, fill(part.until),
            part.hold_s, part.timeout_s, on_fail,
        )
        if part.asked and stage.until:
            led = replace(led, until=stage.until, hold_s=stage.hold_s)
        found.append(led)
    return found if stage.until else [*found, BehaviourStage(f"{stage.name}_{END}", found[-1].edits)]
