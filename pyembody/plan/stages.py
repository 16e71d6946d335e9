"""The stages of a behaviour as a machine of the reward language: which stage follows which, and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..spec.errors import SpecError, unknown
from ..spec.tables import Edge, Staging
from ..spec.vocabulary import BehaviourStage
from .behaviour import Behaviour

FAILED = "failed"
RETRY = "retry:"
SLACK = 1e-6  # s by which times are compared too early: they are sums of control steps


@dataclass(frozen=True)
class StageMachine:
    """Edges between states, `staging` with those that end, and the number of each state's stage (None: failed).

    A state is a stage in a round: each retry begins another round, so that nothing has to be counted.
    """

    edges: tuple[Edge, ...]
    staging: Staging
    stages: tuple[int | None, ...]


def stage_machine(behaviour: Behaviour) -> StageMachine:
    """Return the machine of at least two stages. Raises SpecError for stages that do not lead on, or back."""
    stages = behaviour.stages
    back = [_target(behaviour, i)[0] for i, s in enumerate(stages) if s.on_fail.startswith(RETRY)]
    rounds = behaviour.max_retries + 1 if back else 1
    states = [(i, k) for k in range(rounds) for i in range(min(back) if k else 0, len(stages))]
    edges = tuple(edge for i, k in states for edge in _edges(behaviour, i, k))
    names = dict.fromkeys(name for edge in edges for name in (edge.source, edge.to))
    ends = tuple(name for name in names if name not in {edge.source for edge in edges})
    number = {_name(i, k): i for i, k in states}
    return StageMachine(edges, Staging(terminal=ends), tuple(number.get(name) for name in names))


def _name(i: int, k: int) -> str:
    return f"stage{i}_round{k}"


def _edges(behaviour: Behaviour, i: int, k: int) -> Iterator[Edge]:
    stage, last = behaviour.stages[i], i + 1 == len(behaviour.stages)
    here = _name(i, k)
    if last and stage.until:
        raise SpecError(f"stage '{stage.name}': until: expected none, as it is the last stage, got '{stage.until}'")
    if stage.invariant:
        yield Edge(here, _failing(behaviour, i, k), f"not ({stage.invariant})")
    if stage.until:
        yield Edge(here, _name(i + 1, k), _held(stage))
    elif not last and not (stage.on_fail == "next" and stage.timeout_s):
        raise SpecError(f"stage '{stage.name}': until: expected an expression that ends it, got none")
    if stage.timeout_s and not last:
        yield Edge(here, _failing(behaviour, i, k), f"time_in_stage >= {stage.timeout_s - SLACK!r}")


def _held(stage: BehaviourStage) -> str:
    if not stage.hold_s:
        return stage.until
    return f"hold({stage.until}, {stage.hold_s!r}) and time_in_stage >= {stage.hold_s - SLACK!r}"


def _failing(behaviour: Behaviour, i: int, k: int) -> str:
    """The state that a stage leads to when it fails in a round."""
    target, rounds = _target(behaviour, i)
    return _name(target, k + rounds) if target >= 0 and k + rounds <= behaviour.max_retries else FAILED


def _target(behaviour: Behaviour, i: int) -> tuple[int, int]:
    """The stage that follows a failed one (-1: none), and in how many rounds from now."""
    stage, names = behaviour.stages[i], [s.name for s in behaviour.stages]
    place = f"stage '{stage.name}': on_fail"
    if stage.on_fail.startswith(RETRY):
        again = stage.on_fail.removeprefix(RETRY)
        if again not in names[: i + 1]:
            raise unknown(place, "stage so far", again, names[: i + 1])
        return names.index(again), 1
    if stage.on_fail == "next":
        if i + 1 == len(names):
            raise SpecError(f"{place}: expected abort or retry:STAGE, as it is the last stage, got 'next'")
        return i + 1, 0
    if stage.on_fail != "abort":
        raise unknown(place, "way on", stage.on_fail, ("abort", "next", *(RETRY + n for n in names[: i + 1])))
    return -1, 0
