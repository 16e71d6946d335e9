"""What a study's results say: means over seeds with bootstrap intervals, and whether its preconditions hold."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from ..analysis.statistics import Mean, bootstrap_mean
from .plan import Result, left_pieces
from .spec import Most, Study


class Interval(msgspec.Struct, frozen=True):
    """A mean over `n` seeds with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float
    n: int


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
    `shaped` tells whether the study has shaping channels.
    """

    name: str
    title: str
    left: int
    shaped: bool
    preconditions: list[Condition]
    arms: dict[str, ArmSummary]
    swept: dict[str, dict[str, Interval]]


def summarise(study: Study, done: dict[str, Result]) -> Summary:
    """Return what the results `done`, by piece name, say; arms without any are left out."""
    arms = {}
    for name, arm in study.arms.items():
        own = [r for r in done.values() if r.piece.arm == name and not r.piece.swept and r.piece.seed in study.seeds]
        if own:
            arms[name] = _arm(study, arm.title, own)
    conditions = [_condition(p, arms) for p in study.preconditions]
    left, shaped = left_pieces(study, done), bool(study.shaping)
    return Summary(study.name, study.title, left, shaped, conditions, arms, _swept(study, done))


def _arm(study: Study, title: str, results: list[Result]) -> ArmSummary:
    names = [n for n in study.metrics or results[0].metrics if n in results[0].metrics]
    points = range(min(len(r.steps) for r in results))
    return ArmSummary(
        title=title,
        weight=results[0].piece.weight,
        seeds=sorted(r.piece.seed for r in results),
        success=_interval(r.success for r in results),
        metrics={k: _interval(r.metrics[k] for r in results) for k in names},
        steps=[results[0].steps[i] for i in points],
        curve=[_interval(r.curve[i] for r in results) for i in points],
        shaped=[_interval(r.shaped[i] for r in results) for i in points],
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
                swept.setdefault(arm, {})[f"{weight:g}"] = _interval(own)
    return swept


def _interval(values: Iterable[float]) -> Interval:
    mean: Mean = bootstrap_mean(list(values))
    return Interval(mean.mean, mean.low, mean.high, mean.n)
