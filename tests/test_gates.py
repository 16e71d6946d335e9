"""Gated accumulation: the core against its definition, the worked example, and what must always hold."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyembody import _core
from pyembody.learn import gates_reference as reference
from pyembody.learn import returns_reference
from pyembody.learn.gate_rules import GateRules, GateState

INF = float("inf")
EXAMPLE = GateRules(
    level=(0, 1, 2),
    agg=("last", "max", "none"),
    threshold=np.float32([0.5, 0.5, 0]),
    strict=(False,) * 3,
    mask=(False,) * 3,
    mean=(False,) * 3,
    cap=(INF,) * 3,
    waits=(False,) * 3,
)
EXAMPLE_REWARDS = np.float32(
    [[0, 0, 0.3], [0, 0.2, 0.3], [0, 0.9, -0.4], [1, 0, 0.3], [0, 0.1, 0.5], [0, 0.1, 0.5], [-1, 0, 0.5], [0, 0.6, 0.2]]
)[:, None]


def ends(*steps, length=8, envs=1):
    out = np.zeros((length, envs), bool)
    out[list(steps)] = True
    return out


def gate(rules, state, rewards, terminated, truncated=None, valid=None, conditions=None, threads=1):
    """The core's gated rewards, gate rows and episodes."""
    truncated = np.zeros_like(terminated) if truncated is None else truncated
    gated, rows = np.full_like(rewards, 7), np.full(rewards.shape, 9, np.uint8)
    episodes = _core.gate_rewards(
        rules.core, state.arrays(), rewards, terminated, truncated, gated, rows, valid, conditions, threads
    )
    return gated, rows, episodes


def once(rules, rewards, terminated, **given):
    return gate(rules, GateState(rules, rewards.shape[1]), rewards, terminated, **given)


@st.composite
def cases(draw):
    """Rules, a state of running episodes, and one buffer."""
    t, n, c = draw(st.integers(1, 12)), draw(st.integers(1, 40)), draw(st.sampled_from([1, 2, 3, 4, 7]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    running = draw(st.booleans())
    mask = tuple(map(bool, rng.random(c) < 0.3))
    shape = (n, c) if draw(st.booleans()) else (c,)
    rules = GateRules(
        level=tuple(map(int, rng.integers(0, 3, c))),
        agg=tuple(map(str, rng.choice(["none", "last", "sum", "max"], c))),
        threshold=rng.normal(size=shape).astype(np.float32),
        strict=tuple(map(bool, rng.random(c) < 0.5)),
        mask=mask,
        mean=tuple(map(bool, rng.random(c) < 0.3)),
        cap=tuple(INF if m or rng.random() < 0.5 else float(np.float32(rng.random() * 3)) for m in mask),
        waits=tuple(map(bool, rng.random(c) < 0.3)),
        scope="running" if running else "episode",
        place=draw(st.sampled_from(["steps", "terminal"])),
        pending=draw(st.sampled_from(["hold", "zero", "open"])),
    )
    rewards = rng.normal(size=(t, n, c)).astype(np.float32)
    rewards[rng.random(rewards.shape) < draw(st.sampled_from([0.0, 0.05]))] = np.nan
    terminated, truncated = rng.random((2, t, n)) < draw(st.sampled_from([0.0, 0.1, 0.6]))
    valid = rng.random((t, n)) < 0.8 if draw(st.booleans()) else None
    return rules, rewards, terminated, truncated, valid, rng.random(rewards.shape) < 0.2


@given(cases())
@settings(max_examples=120, deadline=None)
def test_gated_rewards_equal_their_definition_bit_for_bit(case):
    rules, *arrays = case
    ours, theirs = GateState(rules, arrays[0].shape[1]), GateState(rules, arrays[0].shape[1])
    for _ in range(2):  # the second buffer begins with running episodes
        got, rows, episodes = gate(rules, ours, *arrays)
        wanted, wanted_rows, wanted_episodes = reference.gate_rewards(rules, theirs, *arrays)
        np.testing.assert_array_equal(got, wanted)
        np.testing.assert_array_equal(rows, wanted_rows)
        for name, values in vars(wanted_episodes).items():
            np.testing.assert_array_equal(episodes[name].ravel(), np.array(values).ravel(), name)
        for name, array in ours.arrays().items():
            np.testing.assert_array_equal(array, theirs.arrays()[name], name)


@given(cases(), st.integers(0, 2**32 - 1))
@settings(max_examples=120, deadline=None)
def test_fused_returns_are_those_of_gated_rewards_bit_for_bit(case, seed):
    rules, rewards, terminated, truncated, valid, conditions = case
    rng = np.random.default_rng(seed)
    c = rewards.shape[2]
    rewards = np.nan_to_num(rewards)
    values, following = rng.normal(size=(2, *rewards.shape)).astype(np.float32)
    gamma, lam = rng.random((2, c)).astype(np.float32)
    episodic = ~((rng.random(c) < 0.3) & ~np.array(rules.gated)) if seed % 2 else None
    fused, parts = GateState(rules, rewards.shape[1]), GateState(rules, rewards.shape[1])
    for _ in range(2):
        advantages, returns = np.full_like(rewards, 7), np.full_like(rewards, 7)
        got = _core.gated_returns(
            rules.core, fused.arrays(), rewards, values, following, terminated, truncated, gamma, lam, advantages,
            returns, valid, conditions, episodic,
        )
        gated, rows, wanted = gate(rules, parts, rewards, terminated, truncated, valid, conditions)
        cut = (truncated & ~terminated)[..., None] & (np.ones(c, bool) if episodic is None else episodic)
        through = np.where(cut, following * rows, following)
        twin = returns_reference.gae(gated, values, through, terminated, truncated, gamma, lam, valid, episodic)
        np.testing.assert_array_equal(advantages, twin[0])
        np.testing.assert_array_equal(returns, twin[1])
        for mine, theirs in ((got, wanted), (fused.arrays(), parts.arrays())):
            for name in theirs:
                np.testing.assert_array_equal(mine[name], theirs[name], name)


STEPS = [[0, 0, 0.3], [0, 0.2, 0.3], [0, 0.9, -0.4], [1, 0, 0.3], [0, 0, 0], [0, 0, 0], [-1, 0, 0], [0, 0, 0]]
TERMINAL = [[0, 0, 0], [0, 0, 0], [0, 0, -0.4], [1, 1.1, 0.9], [0, 0, 0], [0, 0, 0], [-1, 0, 0], [0, 0, 0]]
RUNNING = [[0, 0, 0], [0, 0, 0], [0, 0, -0.4], [1, 0, 0.3], [0, 0, 0], [0, 0, 0], [-1, 0, 0], [0, 0, 0]]
CAPPED = [[0, 0, 0.3], [0, 0.2, 0.2], [0, 0.9, -0.4], [1, 0, 0], [0, 0, 0], [0, 0, 0], [-1, 0, 0], [0, 0, 0]]
MEAN = [[0, 0, 0.075], [0, 0.2, 0.075], [0, 0.9, -0.4], [1, 0, 0.075], [0, 0, 0], [0, 0, 0], [-1, 0, 0], [0, 0, 0]]
GATE = [[1, 1, 1]] * 4 + [[1, 0, 0]] * 4
EXAMPLES = {
    "steps": ({}, STEPS, [0, 0.6, 0.2]),
    "terminal": ({"place": "terminal"}, TERMINAL, [0, 0.6, 0.2]),
    "running": ({"scope": "running"}, RUNNING, [0, 0, 0]),
    "cap": ({"cap": (INF, INF, 0.5)}, CAPPED, [0, 0.6, 0.2]),
    "mean": ({"mean": (False, False, True)}, MEAN, [0, 0.6, 0.2]),
    "zero": ({"pending": "zero"}, STEPS, [0, 0, 0]),
    "open": ({"pending": "open"}, [*STEPS[:7], [0, 0.6, 0.2]], [0, 0, 0]),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_worked_example_is_paid_as_the_table_says(name):
    changes, wanted, held = EXAMPLES[name]
    rules = replace(EXAMPLE, **changes)
    state = GateState(rules, 1)
    gated, rows, episodes = gate(rules, state, EXAMPLE_REWARDS, ends(3, 6))
    np.testing.assert_allclose(gated[:, 0], wanted, atol=1e-6)
    np.testing.assert_allclose(state.held[0], held, atol=1e-6)
    assert episodes["length"].tolist() == [4, 3]
    assert episodes["open"].tolist() == [[True] * 3, [True, False, False]]
    if name != "running":
        assert rows[:, 0].tolist() == GATE


def test_what_was_held_is_paid_at_the_end_if_the_gate_opens():
    state = GateState(EXAMPLE, 1)
    gate(EXAMPLE, state, EXAMPLE_REWARDS, ends(3, 6))
    opening = np.float32([[[1, 0, 0.25]]])
    gated, _, episodes = gate(EXAMPLE, copy.deepcopy(state), opening, ends(0, length=1))
    np.testing.assert_allclose(gated[0, 0], [1, 0.6, 0.45], atol=1e-6)
    np.testing.assert_allclose(episodes["lump"][0], [0, 0.6, 0.2], atol=1e-6)
    assert episodes["length"].tolist() == [2]
    gated, *_ = gate(EXAMPLE, state, -opening, ends(0, length=1))
    np.testing.assert_allclose(gated[0, 0], [-1, 0, -0.25], atol=1e-6)
