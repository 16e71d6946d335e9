"""What an arm says together with those that are made of it by changing one channel's weight."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from .coverage import hypervolume
from .interval import Interval, interval
from .plan import Piece, Result
from .spec import Study, Vary


class Front(msgspec.Struct, frozen=True):
    """An arm over its weights, a seed each: area under the points (x, y) of all weights, and by how much x varies."""

    hypervolume: Interval
    span: Interval
    points: dict[str, tuple[float, float]]
    """Mean (x, y) over the seeds by changed weight; `1` as the task says."""
    areas: dict[int, float]
    """The area of each seed."""


def fronts(study: Study, done: Mapping[str, Result]) -> dict[str, Front]:
    """Return the front of each varied arm whose pieces are all done, over the first two of the study's metrics."""
    if study.vary is None or len(study.metrics) < 2:
        return {}
    found = {}
    for name in study.vary.arms:
        own = {"1": name} | {k.removeprefix(f"{name}-"): k for k, a in study.arms.items() if a.varies == name}
        pieces = {key: [Piece(arm, s, 1.0).name for s in study.vary.seeds] for key, arm in own.items()}
        if all(p in done for names in pieces.values() for p in names):
            points = {key: [_point(study, done[p]) for p in names] for key, names in pieces.items()}
            found[name] = _front(study.vary, points)
    return found


def _point(study: Study, result: Result) -> tuple[float, float]:
    return result.metrics[study.metrics[0]], result.metrics[study.metrics[1]]


def _front(vary: Vary, points: dict[str, list[tuple[float, float]]]) -> Front:
    seeds = list(zip(*points.values(), strict=True))
    areas = [hypervolume(own) for own in seeds]
    span = interval([max(x for x, _ in own) - min(x for x, _ in own) for own in seeds])
    mean = {key: _mean(own) for key, own in points.items()}
    return Front(interval(areas), span, mean, dict(zip(vary.seeds, areas, strict=True)))


def _mean(points: list[tuple[float, float]]) -> tuple[float, float]:
    x, y = zip(*points, strict=True)
    return sum(x) / len(x), sum(y) / len(y)
