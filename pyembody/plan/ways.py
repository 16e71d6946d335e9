"""Requests that cannot be met at once, led through stages: to lift a thing is to reach for it and hold it first."""

from __future__ import annotations

from msgspec.structs import replace

from ..spec.vocabulary import BehaviourStage, Vocabulary, Way
from .behaviour import Behaviour

END, RETRY = "end", "retry:"


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
        again = stage.on_fail.removeprefix(RETRY)
        on_fail = RETRY + renamed[again] if again in renamed else stage.on_fail
        stage = replace(stage, edits={**behaviour.edits, **stage.edits}, on_fail=on_fail)
        stages += _led(stage, *way) if way else [stage]
    planner = next((way[0].planner for way in ways if way and way[0].planner), behaviour.planner)
    return replace(behaviour, edits={}, stages=tuple(stages), planner=planner)


def _way(vocabulary: Vocabulary, edits: dict[str, float]) -> tuple[Way, dict[str, str]] | None:
    """The first way that fits, and its words: the instance that asks for it and the one beside."""
    asked = sorted({address.rpartition(".")[0] for address, value in edits.items() if value or "weight" not in address})
    for way in vocabulary.ways:
        if any(edits.get(address) != value for address, value in way.at.items()):
            continue
        for term in asked:
            name, _, instance = term.partition(".")
            other = _beside(way, term, instance, asked) if name in way.when else None
            if other is not None:
                return way, {"i": instance, "j": other}
    return None


def _beside(way: Way, term: str, instance: str, asked: list[str]) -> str | None:
    """What is beside an instance, '' where nothing need be, None where something is missing."""
    if "{j}" not in way.beside:
        return "" if not way.beside or (way.beside in asked and term != way.beside) else None
    for candidate in asked:
        name, _, pair = candidate.partition(".")
        a, _, b = pair.partition("-")
        other = b if a == instance else a
        if name == way.beside.partition(".")[0] and instance in (a, b) and other not in ("palm", ""):
            return other
    return None


def _led(stage: BehaviourStage, way: Way, words: dict[str, str]) -> list[BehaviourStage]:
    def fill(text: str) -> str:
        return text.replace("{i}", words["i"]).replace("{j}", words["j"])

    kept = {address: value for address, value in stage.edits.items() if address.partition(".")[0] in way.keeps}
    found = []
    for part in way.stages:
        edits = {fill(address): value for address, value in part.edits.items()}
        on_fail = part.on_fail
        if on_fail.startswith(RETRY):
            on_fail = f"{RETRY}{stage.name}_{on_fail.removeprefix(RETRY)}"
        led = BehaviourStage(
            f"{stage.name}_{part.name}",
            {**(stage.edits if part.asked else kept), **edits},
            until=fill(part.until),
            hold_s=part.hold_s,
            timeout_s=part.timeout_s,
            on_fail=on_fail,
        )
        if part.asked and stage.until:
            led = replace(led, until=stage.until, hold_s=stage.hold_s, on_fail=stage.on_fail)
        found.append(led)
    return found if stage.until else [*found, BehaviourStage(f"{stage.name}_{END}", found[-1].edits)]
