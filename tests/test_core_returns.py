"""Returns and advantages of the core against their NumPy definition."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyembody import _core
from pyembody.learn import returns_reference as reference


@st.composite
def rollouts(draw):
    t, n, c = draw(st.integers(1, 9)), draw(st.integers(1, 70)), draw(st.sampled_from([1, 2, 3, 4, 5, 9]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rewards, values, next_values = rng.normal(size=(3, t, n, c)).astype(np.float32)
    terminated, truncated = rng.random((2, t, n)) < draw(st.sampled_from([0.0, 0.2, 0.9]))
    gamma, lam = rng.random((2, c)).astype(np.float32)
    return rewards, values, next_values, terminated, truncated, gamma, lam


def gae(rewards, values, next_values, terminated, truncated, gamma, lam, threads=1):
    advantages, returns = np.full_like(rewards, 7), np.full_like(rewards, 7)
    _core.gae(rewards, values, next_values, terminated, truncated, gamma, lam, advantages, returns, threads)
    return advantages, returns


def discounted(rewards, next_values, terminated, truncated, gamma, threads=1):
    returns = np.full_like(rewards, 7)
    _core.discounted_returns(rewards, next_values, terminated, truncated, gamma, returns, threads)
    return returns


@given(rollouts())
@settings(max_examples=80, deadline=None)
def test_advantages_equal_their_definition_bit_for_bit(rollout):
    for got, wanted in zip(gae(*rollout), reference.gae(*rollout), strict=True):
        np.testing.assert_array_equal(got, wanted)


@given(rollouts())
@settings(max_examples=80, deadline=None)
def test_discounted_returns_equal_their_definition_bit_for_bit(rollout):
    rewards, _, next_values, terminated, truncated, gamma, _ = rollout
    arguments = (rewards, next_values, terminated, truncated, gamma)
    np.testing.assert_array_equal(discounted(*arguments), reference.discounted_returns(*arguments))


def with_gaps(advantages, some):
    """Some cells of which nothing is known, and rows that belong to no episode, or None."""
    rng = np.random.default_rng(0)
    advantages = np.where(rng.random(advantages.shape) < 0.05, np.float32(np.nan), advantages)
    return advantages, rng.random(advantages.shape[:2]) < 0.7 if some else None


@given(rollouts(), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_normalised_advantages_equal_their_definition(rollout, first, some):
    advantages, valid = with_gaps(rollout[0], some)
    floor = np.full(advantages.shape[-1], 0.1, np.float32)
    running = np.linspace(0.5, 3, len(floor))
    wanted, wanted_running = reference.normalise_advantages(advantages, floor, running, first=first, valid=valid)
    stats = _core.normalise_advantages(advantages, floor, running, first, valid=valid)
    np.testing.assert_allclose(advantages, wanted, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(running, wanted_running, rtol=1e-12)
    assert stats.shape == (len(floor), 4)


@given(rollouts(), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_combined_advantages_equal_their_definition(rollout, renormalise, some):
    (advantages, valid), weights = with_gaps(rollout[0], some), rollout[5]
    out = np.zeros(advantages.shape[:2], np.float32)
    _core.combine(advantages, weights, renormalise, out, valid=valid)
    wanted = reference.combine(advantages, weights, renormalise=renormalise, valid=valid)
    np.testing.assert_allclose(out, wanted, rtol=2e-6, atol=1e-6)


def test_rows_of_no_episode_move_no_moment_and_become_zero():
    rng = np.random.default_rng(2)
    advantages, valid = rng.normal(size=(30, 50, 2)).astype(np.float32), rng.random((30, 50)) < 0.6
    floor, weights = np.zeros(2, np.float32), np.float32([1, 2])
    alone, spoilt = advantages[valid][:, None].copy(), np.where(valid[..., None], advantages, np.float32(1e6))
    wanted = _core.normalise_advantages(alone, floor, np.ones(2), True)
    moments = _core.normalise_advantages(spoilt, floor, np.ones(2), True, valid=valid)
    np.testing.assert_allclose(moments, wanted, rtol=1e-12)
    np.testing.assert_allclose(spoilt[valid], alone[:, 0], rtol=1e-6)
    out = np.empty(valid.shape, np.float32)
    for renormalise in (False, True):
        _core.combine(np.where(valid[..., None], spoilt, np.float32(7)), weights, renormalise, out, valid=valid)
        assert not out[~valid].any() and out[valid].all()
    assert abs(out[valid].mean(dtype=float)) < 1e-6 and out[valid].std(dtype=float) == pytest.approx(1)
    with pytest.raises(ValueError, match=re.escape("valid: expected shape (30, 50), got (30, 49)")):
        _core.combine(spoilt, weights, False, out, valid=valid[:, :49].copy())


def steps(*values):
    """One environment and channel: `[T, 1, 1]`."""
    return np.array(values, np.float32)[:, None, None]


def flags(*values):
    return np.array(values, bool)[:, None]


HALF = np.array([0.5], np.float32)


def test_truncation_bootstraps_the_true_successor_and_not_the_next_episode():
    # The next episode starts in a state of value 1000, which must not be seen.
    advantages, returns = gae(
        steps(1, 2, 3, 4), steps(8, 4, 2, 1000), steps(4, 2, 6, 16), flags(0, 0, 0, 0), flags(0, 0, 1, 0), HALF, HALF
    )
    last = 3 + 0.5 * 6 - 2
    middle = 2 + 0.5 * 2 - 4 + 0.25 * last
    first = 1 + 0.5 * 4 - 8 + 0.25 * middle
    assert advantages.ravel().tolist() == [first, middle, last, 4 + 8 - 1000]
    assert returns.ravel().tolist() == [first + 8, middle + 4, last + 2, 12]


def test_termination_stops_bootstrap_and_trace_and_wins_over_truncation():
    advantages, _ = gae(
        steps(1, 1), steps(3, 5), steps(np.nan, 4), flags(1, 0), flags(1, 0), HALF, HALF
    )
    assert advantages.ravel().tolist() == [-2, 1 + 2 - 5]
    assert discounted(steps(1, 1), steps(np.nan, 4), flags(1, 0), flags(1, 0), HALF).ravel().tolist() == [1, 3]


def test_weighted_channels_are_the_channel_of_weighted_rewards():
    rng = np.random.default_rng(0)
    for _ in range(200):
        t = int(rng.integers(1, 9))
        rewards, values, following = rng.integers(-8, 9, (3, t, 4, 3)).astype(np.float32)
        ends = rng.random((2, t, 4)) < 0.3
        weights = np.float32([0.5, 2, 4])
        halves = np.full(3, 0.5, np.float32)
        split, _ = gae(rewards, values, following, *ends, halves, halves)
        whole, _ = gae(*((x @ weights)[..., None] for x in (rewards, values, following)), *ends, HALF, HALF)
        np.testing.assert_array_equal(split @ weights, whole[..., 0])


def test_channels_keep_their_own_discount():
    gamma, lam = np.float32([0, 1]), np.float32([1, 1])
    ones = np.ones((3, 2, 2), np.float32)
    never = np.zeros((3, 2), bool)
    returns = discounted(ones, 0 * ones, never, never, gamma)
    assert returns[0].tolist() == [[1, 3], [1, 3]]
    advantages, _ = gae(ones, 0 * ones, 0 * ones, never, never, gamma, lam)
    assert advantages[0].tolist() == [[1, 3], [1, 3]]


def test_thread_count_changes_no_bit():
    rng = np.random.default_rng(1)
    rewards, values, following = rng.standard_normal((3, 300, 1500, 4), np.float32)
    ends = rng.random((2, 300, 1500)) < 0.05
    gamma, lam, floor = rng.random((3, 4)).astype(np.float32)
    results = []
    for threads in (1, 2, 5):
        advantages, returns = gae(rewards, values, following, *ends, gamma, lam, threads)
        plain = discounted(rewards, following, *ends, gamma, threads)
        raw = advantages.copy()
        stats = _core.normalise_advantages(advantages, floor, np.ones(4), False, threads)
        out = np.zeros((300, 1500), np.float32)
        _core.combine(advantages, gamma, True, out, threads)
        results.append([raw, returns, plain, advantages, stats, out])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_constant_channel_contributes_exactly_nothing():
    advantages = np.full((40, 300, 2), 0.1, np.float32)
    advantages[..., 1] = np.random.default_rng(0).normal(size=(40, 300))
    stats = _core.normalise_advantages(advantages, np.float32([0.1, 0.1]), np.ones(2), False)
    assert not advantages[..., 0].any()
    assert stats[0].tolist() == [pytest.approx(np.float32(0.1)), 0, pytest.approx(0.095), 12000]


def test_the_floor_keeps_a_nearly_constant_channel_small():
    advantages = (1e-3 * np.random.default_rng(0).normal(size=(40, 300, 1))).astype(np.float32)
    _core.normalise_advantages(advantages, np.float32([0.1]), np.ones(1), False)
    assert advantages.std() < 0.02


def test_a_channel_without_a_finite_row_becomes_zero_and_keeps_its_running_deviation():
    advantages = np.full((2, 3, 1), np.nan, np.float32)
    running = np.array([2.0])
    stats = _core.normalise_advantages(advantages, np.float32([0.1]), running, False)
    assert not advantages.any()
    assert running.tolist() == [2]
    assert stats[0, 3] == 0


def arguments():
    cube, row, ends = np.ones((3, 4, 2), np.float32), np.ones(2, np.float32), np.zeros((3, 4), bool)
    return {
        "rewards": cube, "values": cube.copy(), "next_values": cube.copy(), "terminated": ends, "truncated": ends,
        "gamma": row, "lam": row, "advantages": cube.copy(), "returns": cube.copy(), "threads": 1,
    }


BAD = [
    ("rewards", np.ones((3, 4), np.float32), ValueError, "rewards: expected shape (any, any, any), got (3, 4)"),
    ("rewards", np.ones((0, 4, 2), np.float32), ValueError, "rewards: expected at least one step"),
    ("rewards", np.ones((3, 4, 2)), TypeError, "rewards: expected dtype float32, got float64"),
    ("values", np.ones((3, 4, 1), np.float32), ValueError, "values: expected shape (3, 4, 2), got (3, 4, 1)"),
    ("next_values", np.ones((4, 4, 2), np.float32), ValueError, "next_values: expected shape (3, 4, 2), got (4, 4, 2)"),
    ("terminated", np.ones((3, 4), np.int64), TypeError, "terminated: expected dtype bool or uint8, got int64"),
    ("truncated", np.ones((3, 4, 1), bool), ValueError, "truncated: expected shape (3, 4), got (3, 4, 1)"),
    ("gamma", np.ones(3, np.float32), ValueError, "gamma: expected shape (2,), got (3,)"),
    ("lam", 0.95, TypeError, "lam: expected a numpy array of float32, got float"),
    ("advantages", np.ones((3, 4, 4), np.float32)[..., ::2], ValueError, "advantages: expected a C-contiguous array"),
    ("threads", 0, ValueError, "threads: expected 1 to 1024, got 0"),
]


@pytest.mark.parametrize(("name", "value", "error", "message"), BAD, ids=[m[:44] for *_, m in BAD])
def test_a_wrong_argument_is_named(name, value, error, message):
    with pytest.raises(error, match=re.escape(message)):
        _core.gae(**{**arguments(), name: value})


def test_outputs_that_share_memory_are_refused():
    given_arguments = arguments()
    given_arguments["returns"] = given_arguments["advantages"]
    with pytest.raises(ValueError, match="advantages: expected memory of its own, got memory shared with returns"):
        _core.gae(**given_arguments)
    given_arguments["returns"] = given_arguments["values"]
    with pytest.raises(ValueError, match="returns: expected memory of its own, got memory shared with values"):
        _core.gae(**given_arguments)
