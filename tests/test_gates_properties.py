"""What gates promise: order, monotony, chunks, credit; and that they keep a learner from farming."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyembody import _core
from pyembody.learn.gate_rules import GateRules, GateState
from pyembody.learn.returns_reference import gae
from test_gates import EXAMPLE, INF, ends, gate, once

PLACES = ["steps", "terminal"]
SEEDS = st.integers(0, 2**32 - 1)


def rules_of(**changes):
    return replace(EXAMPLE, **changes)


def whole(rng, steps, envs, low=0.0):
    """Rewards of one episode an environment; channels 1 and 2 at least `low`."""
    rewards = rng.uniform(low, 3, (steps, envs, 3)).astype(np.float32)
    rewards[..., 0] = 0
    return rewards, ends(steps - 1, length=steps, envs=envs)


@given(SEEDS, st.sampled_from(PLACES))
@settings(max_examples=40, deadline=None)
def test_an_open_episode_returns_more_than_any_closed_one(seed, place):
    rng = np.random.default_rng(seed)
    rewards, ended = whole(rng, 6, 20)
    rewards[-1, :10, 0] = 1
    totals = once(rules_of(place=place), rewards, ended)[0].sum((0, 2))
    assert totals[:10].min() > totals[10:].max()


def discounted(rules, rewards, ended, gamma):
    """The discounted return of each environment's first episode, all channels together."""
    gated = once(rules, rewards, ended)[0]
    out, discount = np.empty_like(gated), np.full(3, gamma, np.float32)
    _core.discounted_returns(gated, np.zeros_like(gated), ended, np.zeros_like(ended), discount, out)
    return out[0].sum(1)


def ended_at(lengths):
    return np.arange(lengths.max())[:, None] == lengths - 1


@given(SEEDS, st.sampled_from(PLACES), st.floats(0.5, 0.99))
@settings(max_examples=40, deadline=None)
def test_discounted_an_open_episode_still_returns_more_if_closed_ones_are_paid_at_most_nothing(seed, place, gamma):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 13, 20)
    rewards = rng.uniform(0, 3, (lengths.max(), 20, 3)).astype(np.float32)
    rewards[..., 0] = 0
    rewards[lengths - 1, np.arange(20), 0] = np.where(np.arange(20) < 10, 1, rng.uniform(-1, 0, 20))
    totals = discounted(rules_of(place=place, agg=("last", "none", "none")), rewards, ended_at(lengths), gamma)
    assert totals[:10].min() > 0 >= totals[10:].max()


def test_discounted_a_short_closed_episode_of_some_worth_returns_more_than_a_long_open_one():
    lengths, rewards = np.array([1, 12]), np.zeros((12, 2, 3), np.float32)
    rewards[lengths - 1, [0, 1], 0] = 0.4, 0.9  # the gate opens from 0.5 on
    closed, opened = discounted(EXAMPLE, rewards, ended_at(lengths), 0.9)
    assert closed > opened
    closed, opened = discounted(EXAMPLE, rewards, ended_at(lengths), 1.0)
    assert closed < opened


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_with_equal_outcomes_the_episode_whose_summed_level_is_open_returns_more(seed):
    rng = np.random.default_rng(seed)
    rewards, ended = whole(rng, 6, 20)
    rewards[-1, :, 0] = 1
    rules = rules_of(agg=("last", "sum", "none"), threshold=np.float32([0.5, 9.0, 0]))
    gated, _, episodes = once(rules, rewards, ended)
    is_open = episodes["open"][:, 2]
    totals = gated.sum((0, 2))
    if is_open.any() and not is_open.all():
        assert totals[is_open].min() > totals[~is_open].max()


@given(SEEDS, st.sampled_from(PLACES), st.sampled_from(["episode", "running"]))
@settings(max_examples=60, deadline=None)
def test_a_greater_reward_never_lowers_the_total(seed, place, scope):
    rng = np.random.default_rng(seed)
    rewards, ended = whole(rng, 5, 30, low=-2)
    rewards[..., 0] = rng.uniform(-1, 1, rewards.shape[:2])
    more = rewards.copy()
    t, c = rng.integers(0, 5, 30), rng.integers(0, 3, 30)
    more[t, np.arange(30), c] += rng.uniform(0, 2, 30).astype(np.float32)
    # a running gate's cap is spent while the gate is closed, too: there the order does not hold
    rules = rules_of(place=place, scope=scope, cap=(INF, INF, 2.0 if scope == "episode" else INF))
    before, after = (once(rules, r, ended)[0].sum((0, 2), dtype=float) for r in (rewards, more))
    assert (after - before > -1e-5).all()


def test_a_masked_gate_hides_penalties_so_that_failing_can_beat_succeeding():
    rewards = np.zeros((2, 2, 3), np.float32)
    rewards[0, :, 2], rewards[1, 0, 0] = -5, 1
    totals = once(rules_of(mask=(True,) * 3, agg=("last", "none", "none")), rewards, ends(1, length=2, envs=2))[0]
    assert totals.sum((0, 2)).tolist() == [-4, 0]


@given(SEEDS, st.sampled_from(["running", "terminal", "steps"]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_one_buffer_equals_two_halves_with_what_is_carried(seed, kind, cap):
    rng = np.random.default_rng(seed)
    rewards = (rng.integers(-8, 9, (12, 9, 3)) / 8).astype(np.float32)  # sums are exact
    terminated = rng.random((12, 9)) < 0.2
    terminated[-1] = True
    rules = rules_of(cap=(INF, INF, 1.5 if cap else INF), agg=("last", "sum", "none"))
    rules = replace(rules, scope="running") if kind == "running" else replace(rules, place=kind)
    one, two = GateState(rules, 9), GateState(rules, 9)
    wanted, rows, _ = gate(rules, one, rewards, terminated)
    halves = [gate(rules, two, rewards[i : i + 6].copy(), terminated[i : i + 6].copy()) for i in (0, 6)]
    got = np.concatenate([h[0] for h in halves])
    if kind == "steps":
        np.testing.assert_allclose(got.sum(0, dtype=float), wanted.sum(0, dtype=float), atol=1e-12)
    else:
        np.testing.assert_array_equal(got, wanted)
    if kind == "running":
        np.testing.assert_array_equal(np.concatenate([h[1] for h in halves]), rows)
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, two.arrays()[name], name)


@pytest.mark.parametrize("changes", [{}, {"place": "terminal"}, {"scope": "running"}, {"pending": "zero"}])
def test_without_a_gate_rewards_pass_bit_for_bit(changes):
    rng = np.random.default_rng(0)
    rewards = rng.normal(size=(9, 50, 3)).astype(np.float32)
    rewards[0, 0] = [-0.0, np.nan, np.inf]
    gated, rows, _ = once(rules_of(agg=("none",) * 3, **changes), rewards, rng.random((9, 50)) < 0.2)
    assert gated.tobytes() == rewards.tobytes()
    assert rows.all()


@pytest.mark.parametrize("changes", [{}, {"place": "terminal"}, {"scope": "running"}, {"cap": (INF, 1.0, 1.0)}])
def test_thread_count_changes_no_bit(changes):
    rng = np.random.default_rng(1)
    rewards = rng.normal(size=(40, 3000, 3)).astype(np.float32)
    terminated = rng.random((40, 3000)) < 0.05
    rules = rules_of(**changes)
    found = [once(rules, rewards, terminated, threads=k) for k in (1, 2, 5)]
    for gated, rows, episodes in found[1:]:
        np.testing.assert_array_equal(gated, found[0][0])
        np.testing.assert_array_equal(rows, found[0][1])
        for name, values in found[0][2].items():
            np.testing.assert_array_equal(episodes[name], values)


WORK, SUCCEED = 0.2, 0.0
"""Logits of the two steps of a task in which step 0 works or idles and step 1 succeeds or fails."""


@pytest.mark.parametrize(("place", "wanted"), [("steps", 0.0), ("terminal", 0.1375)])
def test_only_pay_at_the_end_credits_the_action_that_opens_the_gate(place, wanted):
    work, succeed = (1 / (1 + np.exp(-x)) for x in (WORK, SUCCEED))
    paths = [(a, b) for a in (0, 1) for b in (0, 1)]
    chance = np.array([(work if a else 1 - work) * (succeed if b else 1 - succeed) for a, b in paths])
    rewards = np.zeros((2, 4, 2), np.float32)
    rewards[0, :, 1] = [a for a, _ in paths]
    rewards[1, :, 0] = [b for _, b in paths]
    no = (False, False)
    rules = GateRules((0, 1), ("last", "none"), np.float32([0.5, 0]), no, no, no, (INF, INF), no, place=place)
    gated, *_ = once(rules, rewards, ends(1, length=2, envs=4))
    # the outcome itself pays nothing; d log p / d logit = b - p; reward to go of step 1
    score = np.array([b - succeed for _, b in paths])
    assert (chance * score * gated[1, :, 1]).sum() == pytest.approx(wanted, abs=5e-5)
    exact = work * succeed * (1 - succeed)
    assert (chance * score * gated[:, :, 1].sum(0)).sum() == pytest.approx(exact, abs=1e-6)


def test_channels_without_normalisation_are_one_channel_up_to_rounding():
    rng = np.random.default_rng(0)
    rewards, values, following = rng.normal(size=(3, 64, 50, 4)).astype(np.float32)
    terminated, truncated = rng.random((2, 64, 50)) < 0.03
    weights = rng.uniform(0.2, 2, 4).astype(np.float32)
    gamma, lam = np.full(4, 0.99, np.float32), np.full(4, 0.95, np.float32)
    split, _ = gae(rewards, values, following, terminated, truncated, gamma, lam)
    sums = [(x @ weights)[..., None] for x in (rewards, values, following)]
    joined, _ = gae(*sums, terminated, truncated, gamma[:1], lam[:1])
    assert np.abs(split @ weights - joined[..., 0]).max() <= 1e-6 * np.abs(joined).max()


def test_normalised_channels_are_one_channel_of_rewards_divided_by_their_deviation():
    rng = np.random.default_rng(1)
    scales = np.array([1.0, 10.0, 0.1])
    rewards, values, following = rng.normal(size=(3, 40, 30, 3)) * scales
    terminated, truncated = rng.random((2, 40, 30)) < 0.05
    gamma, lam, weights = np.full(3, 0.99), np.full(3, 0.95), np.array([1.0, 0.5, 2.0])
    split, _ = gae(rewards, values, following, terminated, truncated, gamma, lam)
    mean, std = split.mean((0, 1)), split.std((0, 1))
    k = weights / std
    sums = [(x @ k)[..., None] for x in (rewards, values, following)]
    joined, _ = gae(*sums, terminated, truncated, gamma[:1], lam[:1])
    np.testing.assert_allclose((split - mean) / std @ weights, joined[..., 0] - (k * mean).sum(), atol=1e-12)


class Farm:
    """Farm, work or submit, at most STEPS times; a submission after two steps of work succeeds. Farming pays always.

    A table of logits per (step, work done) learns from whole episodes compared with each other.
    """

    STEPS, ENVS, ITERATIONS, RATE, PAY = 6, 128, 150, 1.0, 0.6

    def __init__(self, rules: GateRules | None, weight: float, seed: int) -> None:
        self.rules, self.weight = rules, weight
        self.rng = np.random.default_rng(seed)
        self.logits = np.zeros((self.STEPS, 3, 3))

    def episodes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        done, ended = np.zeros(self.ENVS, int), np.zeros(self.ENVS, bool)
        rewards = np.zeros((self.STEPS, self.ENVS, 2), np.float32)
        valid = np.zeros((self.STEPS, self.ENVS), bool)
        terminated, taken = valid.copy(), np.zeros((self.STEPS, self.ENVS, 2), int)
        for t in range(self.STEPS):
            valid[t] = ~ended
            chance = self.chances()[t, done]
            action = (self.rng.random((self.ENVS, 1)) > chance.cumsum(1)).sum(1).clip(0, 2)
            taken[t] = np.stack([done, action], 1)
            rewards[t, :, 0] = valid[t] & (action == 2) & (done == 2)
            rewards[t, :, 1] = self.PAY * (valid[t] & (action == 0))
            done = np.minimum(done + (valid[t] & (action == 1)), 2)
            terminated[t] = valid[t] & ((action == 2) | (t == self.STEPS - 1))
            ended |= terminated[t]
        return rewards, terminated, valid, taken

    def chances(self) -> np.ndarray:
        grown = np.exp(self.logits - self.logits.max(-1, keepdims=True))
        return grown / grown.sum(-1, keepdims=True)

    def train(self) -> float:
        """Return the share of successes at the end."""
        for _ in range(self.ITERATIONS):
            rewards, terminated, valid, taken = self.episodes()
            paid = rewards if self.rules is None else once(self.rules, rewards, terminated, valid=valid)[0]
            returns = paid.sum(0, dtype=float) @ np.array([1.0, self.weight])
            advantage = np.empty((1, self.ENVS))
            _core.group_advantages(np.ascontiguousarray(returns[None, :, None]), np.ones(1, np.float32), advantage)
            chance, step = self.chances(), np.zeros_like(self.logits)
            for t in range(self.STEPS):
                state, action = taken[t].T
                push = valid[t] * advantage[0]
                np.add.at(step[t], state, -push[:, None] * chance[t, state])
                np.add.at(step[t], (state, action), push)
            self.logits += self.RATE * step / self.ENVS
        return float(np.mean([self.episodes()[0][..., 0].sum(0).mean() for _ in range(4)]))


def farm_rules(**changes: object) -> GateRules:
    no = (False, False)
    rules = GateRules((0, 1), ("last", "none"), np.float32([0.5, 0]), no, no, no, (INF, INF), no)
    return replace(rules, **changes)


def mean_success(rules: GateRules | None, weight: float) -> float:
    return float(np.mean([Farm(rules, weight, seed).train() for seed in range(5)]))


@pytest.mark.parametrize("changes", [{}, {"place": "terminal"}, {"mean": (False, True)}, {"cap": (INF, 0.5)}])
def test_gates_keep_a_learner_from_farming(changes):
    assert mean_success(farm_rules(**changes), 1.0) >= 0.85


def test_without_gates_a_learner_farms_and_without_shaping_it_succeeds():
    assert mean_success(None, 1.0) <= 0.75
    assert mean_success(None, 0.0) >= 0.95
