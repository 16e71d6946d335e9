"""How good a model is: one-step errors, calibration, and how errors grow over many steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data.dataset import Transitions, Windows
from .fit import LEAST_STD
from .model import WorldModel, adrift
from .reward import DynamicsReward, Judge, chosen

Array = npt.NDArray[Any]
LEVELS = (0.5, 0.8, 0.9, 0.95)
FAR = 25.0
"""Where predicted states are cut, in deviations of the data's states (MOREC does so too)."""
Chooser = Callable[[Array, Array, Array], Array]
"""Gives next states for states `[M, S]`, actions `[M, A]` and true successors `[M, S]`, which only an oracle reads."""


@dataclass(frozen=True)
class OneStep:
    """Errors of the elites' mean prediction: `rmse` by signal in its unit, `explained` the share of the change's
    variance; how often intervals of LEVELS hold the truth (`coverage`), and their mean distance from that
    (`miscalibration`).
    """

    rows: int
    rmse: dict[str, float]
    explained: dict[str, float]
    coverage: dict[str, float]
    miscalibration: float


@dataclass(frozen=True)
class Curve:
    """Errors after 1, ..., k steps, in deviations of the states: median and quartiles over the windows."""

    median: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def one_step(model: WorldModel, rows: Transitions, threads: int = 1) -> OneStep:
    """Return how well a model tells the next state of rows that it was not fitted to."""
    change = rows.successor - rows.state
    mean, log_var = model.predictor(threads).moments(rows.state, rows.action)
    elites = list(model.ensemble.elites)
    error = np.square(mean[elites].mean(0) - change, dtype=np.float64).mean(0)
    variance = change.var(0, dtype=np.float64)
    rmse, explained, start = {}, {}, 0
    for field in model.spec.fields:
        lanes = slice(start, start + field.lanes)
        start += field.lanes
        rmse[field.name] = float(np.sqrt(error[lanes].mean()))
        moved = variance[lanes] > LEAST_STD**2
        share = 1 - error[lanes][moved] / variance[lanes][moved]
        explained[field.name] = float(share.mean()) if moved.any() else 1.0
    moved = variance > LEAST_STD**2
    z = np.abs(mean[elites] - change)[..., moved] / np.exp(0.5 * log_var[elites][..., moved])
    held = {f"{level:g}": float((z < NormalDist().inv_cdf(0.5 + level / 2)).mean()) for level in LEVELS}
    off = float(np.mean([abs(share - float(level)) for level, share in held.items()]))
    return OneStep(len(rows), rmse, explained, held, off)


def choosers(model: WorldModel, seed: int, threads: int = 1, resamples: int = 2) -> dict[str, Chooser]:
    """Return the ways of choosing a next state that need nothing but the ensemble.

    `still`: nothing changes. `sampled`: one elite a row and step, with its noise. `mean`: the elites' mean.
    `agreed`: the candidate nearest to the elites' mean. `oracle`: the candidate nearest to the truth.
    """
    predictor, rng = model.predictor(threads), np.random.default_rng(seed)
    std = np.asarray(model.ensemble.state_std)

    def among(candidates: Array, place: Array) -> Array:
        gap = (((candidates - place) / std) ** 2).sum(2)
        return pick(candidates, gap.argmin(0))

    def sampled(state: Array, action: Array, _: Array) -> Array:
        found = predictor.candidates(state, action, 1, rng)
        return pick(found, rng.integers(0, len(found), len(state)))

    def agreed(state: Array, action: Array, _: Array) -> Array:
        return among(predictor.candidates(state, action, resamples, rng), predictor.mean(state, action))

    def oracle(state: Array, action: Array, truth: Array) -> Array:
        return among(predictor.candidates(state, action, resamples, rng), truth)

    return {
        "still": lambda state, _action, _truth: state,
        "sampled": sampled,
        "mean": lambda state, action, _: predictor.mean(state, action),
        "agreed": agreed,
        "oracle": oracle,
    }


def judged(
    model: WorldModel, reward: DynamicsReward, seed: int, threads: int = 1, resamples: int = 2
) -> dict[str, Chooser]:
    """Return the ways that ask a dynamics reward: `select` the most credible candidate, or draw by `softmax`."""
    predictor, judge = model.predictor(threads), Judge(reward, threads)

    def by(how: str) -> Chooser:
        rng = np.random.default_rng(seed)

        def way(state: Array, action: Array, _: Array) -> Array:
            candidates = predictor.candidates(state, action, resamples, rng)
            return pick(candidates, chosen(judge.candidates(state, action, candidates), how, rng))

        return way

    return {how: by(how) for how in ("select", "softmax")}


def ranking(
    model: WorldModel, rows: Transitions, reward: DynamicsReward | None, seed: int, threads: int = 1
) -> dict[str, float]:
    """Return how well scores of sampled next states tell those whose error is among the tenth of the largest: the area
    under the curve of hits over false alarms, 0.5 for chance.

    `disagreement`: of the members' means. `deviation`: the largest member's own. `credibility`: the dynamics reward.
    """
    predictor, std = model.predictor(threads), model.ensemble.state_std
    candidates = predictor.candidates(rows.state, rows.action, 1, np.random.default_rng(seed))
    which = np.random.default_rng([seed, 1]).integers(0, len(candidates), len(rows))
    successor = pick(candidates, which)
    known = ~adrift(model.spec.fields)
    gap = np.abs((successor - rows.successor) / std)[:, known]
    error = (gap.astype(np.float64) ** 2).mean(1)
    wrong = error > np.quantile(error, 0.9)
    mean, log_var = predictor.moments(rows.state, rows.action)
    scores = {
        "disagreement": np.linalg.norm((mean.std(0) / std)[:, known], axis=1),
        "deviation": np.linalg.norm((np.exp(0.5 * log_var) / std)[..., known], axis=2).max(0),
    }
    if reward is not None:
        scores["credibility"] = -Judge(reward, threads)(rows.state, rows.action, successor)
    return {name: auc(score, wrong) for name, score in scores.items()}


def auc(scores: Array, positive: Array) -> float:
    """Return the chance that a positive row `[M]` bool has a higher score `[M]` than another, ties counting half."""
    order = np.unique(scores, return_inverse=True)[1]
    counts = np.bincount(order)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[order]
    hits = int(positive.sum())
    return float((ranks[positive].sum() - hits * (hits + 1) / 2) / (hits * (len(scores) - hits)))


def pick(candidates: Array, which: Array) -> Array:
    """Return candidate `which [M]` of `[J, M, S]` in each row."""
    chosen: Array = candidates[which, np.arange(candidates.shape[1])]
    return chosen


def curves(model: WorldModel, windows: Windows, ways: Mapping[str, Chooser]) -> dict[str, Curve]:
    """Return how errors grow when each way predicts the windows from their first state and their actions."""
    return {name: _summary(open_loop(model, windows, way)) for name, way in ways.items()}


def open_loop(model: WorldModel, windows: Windows, way: Chooser) -> Array:
    """Return errors `[k, W]`: roots of mean squares over the lanes that have a zero, in deviations of the states."""
    own = model.ensemble
    known = ~adrift(model.spec.fields)
    mean, std = own.state_mean[known], own.state_std[known]
    state, errors = windows.states[0].copy(), []
    for action, truth in zip(windows.actions, windows.states[1:], strict=True):
        state = np.array(way(state, action, truth), np.float32)
        state[:, known] = mean + np.clip((state[:, known] - mean) / std, -FAR, FAR) * std
        gap = (state[:, known] - truth[:, known]) / std
        errors.append(np.sqrt((gap.astype(np.float64) ** 2).mean(1)))
    return np.stack(errors)


def _summary(errors: Array) -> Curve:
    low, median, high = (tuple(row) for row in np.quantile(errors, [0.25, 0.5, 0.75], axis=1).tolist())
    return Curve(median, low, high)
