"""The dynamics reward: its formula, what it knows of a motion outside its data, and how it chooses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyembody.data.header import Field
from pyembody.spec import SpecError
from pyembody.world import FitSettings, ModelSpec
from pyembody.world.adversarial import AdversarialSettings, adversarial
from pyembody.world.contrastive import ContrastiveSettings, contrastive
from pyembody.world.predict import Predictor
from pyembody.world.reward import DynamicsReward, Judge, chosen, combined
from pyembody.world.reward_files import RewardSpec, load_reward, save_reward
from world_toy import STRIP, fitted, move, off_strip, strip

STEPS, ROWS = 50, 400


def plain(groups: int, data: float, made: float, clip: float = 1.0) -> DynamicsReward:
    one, two = np.ones(1, np.float32), np.zeros(1, np.float32)
    rng = np.random.default_rng(0)
    return DynamicsReward(
        [rng.standard_normal((groups, 3, 1), dtype=np.float32)], [np.zeros((groups, 1, 1), np.float32)],
        np.full(groups, data, np.float32), np.full(groups, made, np.float32), two, one, two, one, two, one, clip=clip,
    )


def test_votes_are_placed_between_made_up_and_data() -> None:
    reward = plain(1, 2.0, -3.0)
    low, middle, high = combined(np.array([[-9.0], [-0.5], [9.0]]), reward)
    assert low == pytest.approx(-np.log(1 - 1 / (1 + np.exp(3.0))), rel=1e-5)
    assert middle == pytest.approx(np.log(2), rel=1e-5)
    assert high == pytest.approx(-np.log(1 - 1 / (1 + np.exp(-3.0)) + 1e-9), rel=1e-4)


def test_each_vote_counts_up_to_the_clip() -> None:
    logits = np.array([[9.0, -9.0]])
    votes = np.array([1 / (1 + np.exp(-3.0)), 1 / (1 + np.exp(3.0))])
    assert combined(logits, plain(2, 2.0, -3.0))[0] == pytest.approx(-np.log(1 - votes.mean()), rel=1e-4)
    clipped = combined(logits, plain(2, 2.0, -3.0, clip=0.6))[0]
    assert clipped == pytest.approx(-np.log(1 - np.minimum(votes, 0.6).mean()), rel=1e-4)


def test_the_best_candidate_is_selected_and_softmax_draws_by_reward() -> None:
    rng = np.random.default_rng(0)
    rewards = np.tile(np.array([[0.5], [0.7], [0.6]]), (1, 20_000))
    assert (chosen(rewards, "select", rng) == 1).all()
    shares = np.bincount(chosen(rewards, "softmax", rng)) / rewards.shape[1]
    expected = np.exp(rewards[:, 0] / 0.1) / np.exp(rewards[:, 0] / 0.1).sum()
    np.testing.assert_allclose(shares, expected, atol=0.02)
    with pytest.raises(ValueError, match="expected select or softmax, got 'best'"):
        chosen(rewards, "best", rng)


def outside(seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Starts beyond the strip, and actions."""
    rng = np.random.default_rng(100 + seed)
    start = rng.uniform(-2, 2, (ROWS, 2)).astype(np.float32)
    start = start[(off_strip(start) > STRIP) & (off_strip(start) < 1.5)]
    return start, [rng.uniform(-1, 1, (len(start), 1)).astype(np.float32) for _ in range(STEPS)]


def errors(predictor: Predictor, judge: Judge | None, seed: int) -> np.ndarray:
    """Distances from the truth after STEPS steps outside the strip; a random elite's sample without a judge."""
    rng, (start, actions) = np.random.default_rng(7), outside(seed)
    state = truth = start
    for action in actions:
        candidates = predictor.candidates(state, action, 2, rng)
        which = rng.integers(0, len(candidates), len(state))
        if judge is not None:
            which = chosen(judge.candidates(state, action, candidates), "select", rng)
        state = np.clip(candidates[which, np.arange(len(state))], -25, 25)
        truth = move(truth, action)
    return np.linalg.norm(state - truth, axis=1)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long), pytest.param(2, marks=pytest.mark.long)])
def test_the_filter_halves_the_error_of_fifty_steps_outside_the_data(seed: int) -> None:
    rows = strip(seed)
    fit, stages = fitted(rows, seed=seed)
    spread = [stages[round(i)] for i in np.linspace(0, len(stages) - 1, 10)]
    reward = contrastive(rows, spread, ContrastiveSettings(seed=seed, updates=500, penalty=0.0))
    assert reward.discriminators == 10
    predictor = Predictor(fit.ensemble())
    plainly, filtered = errors(predictor, None, seed), errors(predictor, Judge(reward), seed)
    assert np.median(filtered) <= 0.5 * np.median(plainly)
    assert filtered.mean() < plainly.mean()


@pytest.mark.long
def test_the_game_learns_to_tell_data_from_shuffled_successors() -> None:
    rows = strip(0)
    reward = adversarial(rows, AdversarialSettings(updates=600, interval=60, kept=5))
    judge, fresh = Judge(reward), strip(5)
    wrong = fresh.state + np.roll(fresh.successor - fresh.state, 1, axis=0)
    told = judge(fresh.state, fresh.action, fresh.successor) > judge(fresh.state, fresh.action, wrong)
    # a fifth of the shuffled changes are within a deviation of the true ones; more updates tell no more (0.78 to 0.80)
    assert reward.discriminators <= 5 and told.mean() > 0.75


def test_the_same_seed_learns_the_same_reward() -> None:
    rows = strip(0, 2000)
    _, stages = fitted(rows, 3)
    one, other = (contrastive(rows, stages, ContrastiveSettings(updates=20)) for _ in range(2))
    for a, b in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="at least one checkpoint"):
        contrastive(rows, [], ContrastiveSettings())


def test_a_reward_is_read_back_exactly_and_refused_when_damaged(tmp_path: Path) -> None:
    reward = plain(4, 1.0, -1.0)
    spec = RewardSpec("contrastive", "d", (), 4, "relu", 1.0, 0.6)
    model = ModelSpec("r", "t", 0.1, (Field("x", 1),), 1, "d", FitSettings(), (0,), (0.1,))
    save_reward(tmp_path, spec, reward)
    found, read = load_reward(tmp_path, model)
    np.testing.assert_array_equal(read.weights[0], reward.weights[0])
    assert (found.threshold, read.clip, read.discriminators) == (0.6, 1.0, 4)
    wider = ModelSpec("r", "t", 0.1, (Field("x", 2),), 1, "d", FitSettings(), (0,), (0.1,))
    with pytest.raises(SpecError, match=r"state_mean: expected float32 \(2,\), got \(1,\)"):
        load_reward(tmp_path, wider)
    path = tmp_path / "reward.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(SpecError, match=r"reward.safetensors: damaged"):
        load_reward(tmp_path, model)
