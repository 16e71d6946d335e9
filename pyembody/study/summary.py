"""What a study's results say: means over seeds with bootstrap intervals, and whether its preconditions hold."""

from __future__ import annotations

import msgspec
import numpy as np

from .fronts import Front, fronts
from .interval import Interval, interval
from .plan import Result, left_pieces, seeds_of
from .spec import Most, Study

FRONT = "front"
"""The metric of a contrast that is no piece's: the area under an arm's points over all its weights."""


class ArmSummary(msgspec.Struct, frozen=True):
    """An arm over its seeds: final success and metrics, and along the training steps success and shaped return."""

    title: str
    weight: float
    seeds: list[int]
    success: Interval
    metrics: dict[str, Interval]
    steps: list[int]
    curve: list[Interval]
    shaped: list[Interval]
    seconds: float


class Condition(msgspec.Struct, frozen=True):
    """A precondition with what was found: `holds` is None while the arm has no result."""

    text: str
    found: str
    holds: bool | None


class Summary(msgspec.Struct, frozen=True):
    """A study's results. `swept[arm][weight]` is a sweep's final success, `left` pieces have no result yet;
    `shaped` tells whether the study has shaping channels; `contrasts` are by what they compare, `fronts` by arm.
    """

    name: str
    title: str
    left: int
    shaped: bool
    preconditions: list[Condition]
    arms: dict[str, ArmSummary]
    swept: dict[str, dict[str, Interval]]
    contrasts: dict[str, Interval] = {}
    fronts: dict[str, Front] = {}


def summarise(study: Study, done: dict[str, Result]) -> Summary:
    """Return what the results `done`, by piece name, say; arms without any are left out."""
    arms = {}
    for name, arm in study.arms.items():
        own = [] if arm.varies else _results(study, done, name)
        if own:
            arms[name] = _arm(study, arm.title, own)
    conditions = [_condition(p, arms) for p in study.preconditions]
    left, shaped = left_pieces(study, done), bool(study.shaping)
    swept, found = _swept(study, done), fronts(study, done)
    return Summary(
        study.name, study.title, left, shaped, conditions, arms, swept, _contrasts(study, done, found), found
    )


def _results(study: Study, done: dict[str, Result], arm: str) -> list[Result]:
    seeds = seeds_of(study, study.arms[arm])
    return [r for r in done.values() if r.piece.arm == arm and not r.piece.swept and r.piece.seed in seeds]


def _contrasts(study: Study, done: dict[str, Result], found: dict[str, Front]) -> dict[str, Interval]:
    """Differences over the seeds that both arms have; the metric `front` is the area under all of an arm's weights."""
    told = {}
    for c in study.contrasts:
        one, two = (_by_seed(study, done, found, arm, c.metric) for arm in (c.arm, c.against))
        both = one.keys() & two.keys()
        if both:
            told[f"{c.arm} - {c.against}: {c.metric}"] = interval(one[s] - two[s] for s in sorted(both))
    return told


def _by_seed(
    study: Study, done: dict[str, Result], found: dict[str, Front], arm: str, metric: str
) -> dict[int, float]:
    if metric == FRONT:
        return found[arm].areas if arm in found else {}
    own = _results(study, done, arm)
    if metric == "success":
        return {r.piece.seed: r.success for r in own}
    return {r.piece.seed: r.metrics[metric] for r in own if metric in r.metrics}


def _arm(study: Study, title: str, results: list[Result]) -> ArmSummary:
    names = [n for n in study.metrics or results[0].metrics if n in results[0].metrics]
    points = range(min(len(r.steps) for r in results))
    return ArmSummary(
        title=title,
        weight=results[0].piece.weight,
        seeds=sorted(r.piece.seed for r in results),
        success=interval(r.success for r in results),
        metrics={k: interval(r.metrics[k] for r in results) for k in names},
        steps=[results[0].steps[i] for i in points],
        curve=[interval(r.curve[i] for r in results) for i in points],
        shaped=[interval(r.shaped[i] for r in results) for i in points],
        seconds=float(np.mean([r.seconds for r in results])),
    )


def _condition(wanted: Most, arms: dict[str, ArmSummary]) -> Condition:
    text = f"{wanted.arm}: success at most {wanted.success:.0%}"
    if wanted.growth:
        text += f", shaped return at least {wanted.growth:g} times that of a tenth of the budget"
    if wanted.arm not in arms:
        return Condition(text, "no result yet", None)
    arm = arms[wanted.arm]
    early, late = arm.shaped[max(0, len(arm.shaped) // 10 - 1)].mean, arm.shaped[-1].mean
    found = f"success {arm.success.mean:.1%}, shaped return {early:.3g} to {late:.3g}"
    holds = arm.success.mean <= wanted.success and (not wanted.growth or late >= wanted.growth * early)
    return Condition(text, found, holds)


def _swept(study: Study, done: dict[str, Result]) -> dict[str, dict[str, Interval]]:
    if study.sweep is None:
        return {}
    swept: dict[str, dict[str, Interval]] = {}
    for arm in study.sweep.arms:
        for weight in study.sweep.weights:
            own = [r.success for r in done.values() if r.piece.swept and (r.piece.arm, r.piece.weight) == (arm, weight)]
            if own:
                swept.setdefault(arm, {})[f"{weight:g}"] = interval(own)
    return swept
