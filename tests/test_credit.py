"""Credit: rewards moved inside an episode, turn rewards, segments, groups; the core against its definitions."""

from __future__ import annotations

import re
from itertools import combinations_with_replacement, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyembody import _core
from pyembody.learn import credit_reference, returns_reference


@st.composite
def rollouts(draw):
    t, n, c = draw(st.integers(1, 12)), draw(st.integers(1, 30)), draw(st.sampled_from([1, 2, 4, 5]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rewards = rng.normal(size=(t, n, c)).astype(np.float32)
    ends = rng.random((2, t, n)) < draw(st.sampled_from([0.0, 0.2, 0.8]))
    return rewards, *ends, rng


def episode_sums(rewards, ended):
    """Sums per environment and episode: a list of arrays `[C]`."""
    sums = []
    for n in range(rewards.shape[1]):
        number = np.cumsum(ended[:, n]) - ended[:, n]
        sums += [rewards[number == k, n].sum(0, dtype=float) for k in range(number[-1] + 1)]
    return np.array(sums)


@given(rollouts(), st.sampled_from(["uniform", "discounted", "last", "given"]))
@settings(max_examples=80, deadline=None)
def test_redistributed_rewards_keep_the_sum_of_every_episode(rollout, how):
    rewards, terminated, truncated, rng = rollout
    gamma = rng.uniform(0.1, 1, rewards.shape[2]).astype(np.float32)
    weights = rng.random(rewards.shape[:2]).astype(np.float32) * (rng.random(rewards.shape[1]) < 0.8)
    weights = weights.astype(np.float32)
    out = np.full_like(rewards, 7)
    _core.redistribute(rewards, terminated, truncated, how, out, gamma, weights)
    wanted = credit_reference.redistribute(rewards, terminated, truncated, how, gamma, weights)
    np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-6)
    ended = terminated | truncated
    np.testing.assert_allclose(episode_sums(out, ended), episode_sums(rewards, ended), atol=1e-5)
    two = np.empty_like(out)
    _core.redistribute(rewards, terminated, truncated, how, two, gamma, weights, threads=3)
    np.testing.assert_array_equal(out, two)


@given(rollouts())
@settings(max_examples=60, deadline=None)
def test_turn_rewards_add_up_to_the_gain_of_an_episode(rollout):
    rewards, terminated, truncated, rng = rollout
    log_probs = rewards[..., 0].copy()
    start, before = rng.normal(size=(2, log_probs.shape[1])).astype(np.float32)
    out, carry = np.empty_like(log_probs), before.copy()
    _core.turn_rewards(log_probs, terminated, truncated, start, carry, out)
    wanted, after = credit_reference.turn_rewards(log_probs, terminated, truncated, start, before)
    np.testing.assert_array_equal(out, wanted)
    np.testing.assert_array_equal(carry, after)
    first = np.flatnonzero((terminated | truncated)[:, 0])
    last = first[0] if len(first) else len(out) - 1
    assert out[: last + 1, 0].sum() == pytest.approx(log_probs[last, 0] - before[0], abs=1e-5)


@given(rollouts())
@settings(max_examples=60, deadline=None)
def test_lambda_and_segment_returns_equal_their_definition_bit_for_bit(rollout):
    rewards, terminated, truncated, rng = rollout
    following = rng.normal(size=rewards.shape).astype(np.float32)
    gamma, lam = rng.random((2, rewards.shape[2])).astype(np.float32)
    valid = rng.random(rewards.shape[:2]) < 0.8
    episodic = rng.random(rewards.shape[2]) < 0.7
    out = np.full_like(rewards, 7)
    arguments = (rewards, following, terminated, truncated, gamma, lam)
    _core.lambda_returns(*arguments, out, valid=valid, episodic=episodic)
    np.testing.assert_array_equal(out, returns_reference.lambda_returns(*arguments, valid, episodic))
    _core.segment_returns(rewards, terminated, gamma, out)
    np.testing.assert_array_equal(out, returns_reference.segment_returns(rewards, terminated, gamma))


def test_lambda_returns_are_values_plus_advantages():
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(size=(2, 8, 5, 2)).astype(np.float32)
    following = np.concatenate([values[1:], rng.normal(size=(1, 5, 2)).astype(np.float32)])
    terminated = rng.random((8, 5)) < 0.2
    gamma, lam = np.full(2, 0.9, np.float32), np.full(2, 0.8, np.float32)
    advantages, returns, out = (np.empty_like(rewards) for _ in range(3))
    _core.gae(rewards, values, following, terminated, terminated, gamma, lam, advantages, returns)
    _core.lambda_returns(rewards, following, terminated, terminated, gamma, lam, out)
    np.testing.assert_allclose(out, returns, atol=1e-5)


def core_groups(rewards, weights, order, style="grpo"):
    out = np.empty(rewards.shape[:2])
    _core.group_advantages(rewards, weights, out, order, style)
    return out


@pytest.mark.parametrize(
    ("group", "channels", "count", "sums", "normals"),
    [(2, 2, 10, 2, 3), (4, 2, 35, 7, 14), (8, 2, 165, 29, 81), (4, 3, 330, 14, 45)],
)
def test_normalising_before_the_sum_tells_more_groups_apart(group, channels, count, sums, normals):
    # all multisets of binary rewards: how many patterns of advantages remain
    rows = list(product((0.0, 1.0), repeat=channels))
    multisets = np.array(list(combinations_with_replacement(rows, group)))
    assert len(multisets) == count
    for order, wanted in (("sum_then_normalise", sums), ("normalise_then_sum", normals)):
        advantages = np.sort(core_groups(multisets, np.ones(channels, np.float32), order), axis=1)
        assert len({tuple(np.round(row, 6) + 0.0) for row in advantages}) == wanted


@given(st.integers(0, 2**32 - 1), st.sampled_from(["grpo", "rloo"]), st.sampled_from([0.0, 0.3]))
@settings(max_examples=60, deadline=None)
def test_group_advantages_equal_their_definition(seed, style, missing):
    rng = np.random.default_rng(seed)
    rewards = rng.normal(size=(3, int(rng.integers(1, 9)), int(rng.integers(1, 5))))
    rewards[rng.random(rewards.shape) < missing] = np.nan
    weights = rng.random(rewards.shape[2]).astype(np.float32)
    for order in ("normalise_then_sum", "sum_then_normalise"):
        wanted = returns_reference.group_advantages(rewards, weights, order, style)
        np.testing.assert_allclose(core_groups(rewards, weights, order, style), wanted, atol=1e-9)


BAD = [
    (lambda r, e: _core.redistribute(r, e, e, "unifrom", r.copy()), "how: unknown value 'unifrom', did you mean 'unif"),
    (lambda r, e: _core.redistribute(r, e, e, "given", r.copy(), weights=-np.ones(e.shape, np.float32)), "at least 0"),
    (lambda r, e: core_groups(r.astype(float), np.ones(2, np.float32), "sum"), "order: unknown value 'sum'"),
    (lambda r, e: _core.segment_returns(r, e[:1], np.ones(2, np.float32), r.copy()), "shape (3, 4), got (1, 4)"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=[m[:30] for _, m in BAD])
def test_a_wrong_argument_is_named(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call(np.zeros((3, 4, 2), np.float32), np.zeros((3, 4), bool))
