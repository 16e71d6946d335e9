"""Intervals: hand-computed values, edges, and repeatability."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pyembody.analysis.statistics import bootstrap_mean, finite, percentiles, wilson


def test_wilson_interval_equals_the_published_example() -> None:
    # Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662
    rate = wilson(81, 263)
    assert rate.rate == pytest.approx(81 / 263)
    assert (rate.low, rate.high) == (
        pytest.approx(0.2553, abs=5e-5),
        pytest.approx(0.3662, abs=5e-5),
    )


@pytest.mark.parametrize("n", [1, 10, 200])
def test_wilson_interval_stays_inside_at_none_and_all(n: int) -> None:
    none, every = wilson(0, n), wilson(n, n)
    assert none.low == 0.0
    assert every.high == 1.0
    assert none.high == pytest.approx(1 - every.low)
    assert 0 < none.high < 1


def test_wilson_without_trials_knows_nothing() -> None:
    rate = wilson(0, 0)
    assert math.isnan(rate.rate)
    assert (rate.low, rate.high) == (0.0, 1.0)
    assert rate.to_json()["rate"] is None


def test_wilson_refuses_more_successes_than_trials() -> None:
    with pytest.raises(ValueError, match="successes: expected a number from 0 to 3, got 4"):
        wilson(4, 3)


def test_bootstrap_is_repeatable_and_holds_the_mean() -> None:
    values = np.random.default_rng(3).normal(2.0, 0.5, 400)
    first, second = bootstrap_mean(values, seed=7), bootstrap_mean(values, seed=7)
    assert first == second
    assert first.low < first.mean < first.high
    # the interval of a mean of 400 values with deviation 0.5 is about +- 1.96 * 0.5 / 20
    assert first.high - first.low == pytest.approx(2 * 1.96 * 0.025, rel=0.2)


def test_bootstrap_leaves_out_what_is_not_finite() -> None:
    mean = bootstrap_mean([1.0, np.nan, 3.0, np.inf])
    assert (mean.mean, mean.n) == (2.0, 2)
    assert bootstrap_mean([]).to_json() == {"mean": None, "low": None, "high": None, "n": 0}


def test_bootstrap_refuses_an_impossible_confidence() -> None:
    with pytest.raises(ValueError, match="expected a number between 0 and 1, got 1"):
        bootstrap_mean([1.0], confidence=1.5)


def test_percentiles_are_named() -> None:
    assert percentiles([0, 1, 2, 3, 4], (25, 50)) == {"p25": 1.0, "p50": 2.0}


def test_finite_turns_nan_into_none() -> None:
    assert finite(float("nan")) is None
    assert finite(2.5) == 2.5
