"""Rollouts that choose among candidates: the core against its twin, rejected rows, what may not change a bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nn_twins import assert_other_level_passes
from pyembody.world import Candidates, EnsembleModel, Imagined, ModelState
from pyembody.world.reward import Judge
from world_twins import STATE, assert_twins, draw_rows, make_actor, make_ensemble, make_program, make_reward

ANY = Candidates(make_reward(), threshold=0.0)


@pytest.fixture(scope="module")
def program() -> Any:
    return make_program()


def model_of(program: Any, threads: int = 1) -> EnsembleModel:
    return EnsembleModel(make_ensemble("silu"), STATE, program, threads=threads)


def run(model: EnsembleModel, asked: Candidates, rows: int = 300, steps: int = 5, **options: Any) -> Imagined:
    states, goals = draw_rows(rows)
    return model.rollout(states, steps, actor=make_actor(11), carried=goals, candidates=asked, **options)


@pytest.mark.parametrize("propagation", ["select", "softmax"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "elu", "silu"])
def test_every_choice_is_the_twins(program: Any, propagation: str, activation: str) -> None:
    asked = Candidates(make_reward(activation), threshold=0.0)
    got = assert_twins(model_of(program), 150, 4, make_actor(11), seed=3, propagation=propagation, candidates=asked)
    assert len(np.unique(got.member[got.valid])) == 3
    assert not got.rejected.any()


@pytest.mark.parametrize("on_reject", ["truncate", "terminate"])
def test_rejections_are_the_twins(program: Any, on_reject: Any) -> None:
    asked = Candidates(make_reward(), resamples=1, threshold=0.55, after=1, on_reject=on_reject)
    got = assert_twins(
        model_of(program), 200, 4, make_actor(11), propagation="softmax", candidates=asked, penalty="disagreement"
    )
    assert 0.05 < got.rejected.mean() < 0.95
    assert (got.credible[0] < 0.55).any()


@pytest.mark.parametrize("level", ["generic", "avx2"])
def test_other_levels_are_the_twins(level: str) -> None:
    assert_other_level_passes(level, __file__, "twins")


def test_the_rewards_of_a_rollout_are_those_of_its_transitions(program: Any) -> None:
    got = run(model_of(program), ANY, propagation="select")
    before = np.concatenate([draw_rows(300)[0][None], got.next_states[:-1]])
    valid = got.valid
    want = Judge(ANY.reward)(before[valid], got.actions[valid], got.next_states[valid])
    np.testing.assert_allclose(got.credible[valid], want, rtol=2e-4, atol=2e-5)


def test_the_best_candidate_is_more_credible_than_a_drawn_one_and_than_the_only_one(program: Any) -> None:
    rewards = {
        how: run(model_of(program), replace(ANY, resamples=n), steps=1, propagation=how).credible.mean()
        for how, n in (("select", 8), ("softmax", 8))
    }
    assert rewards["select"] > rewards["softmax"]
    few = run(model_of(program), replace(ANY, resamples=1), steps=1, propagation="select").credible.mean()
    assert rewards["select"] > few


def test_a_rejected_row_ends_before_its_step_or_with_it_as_terminated(program: Any) -> None:
    asked = replace(ANY, threshold=0.5)
    cut = run(model_of(program), asked, propagation="select")
    dead = run(model_of(program), replace(asked, on_reject="terminate"), propagation="select")
    np.testing.assert_array_equal(cut.rejected, dead.rejected)
    rows = np.flatnonzero(cut.rejected)
    assert 10 < len(rows) < 290
    for row in rows:
        last = int(dead.valid[:, row].sum()) - 1
        assert dead.terminated[last, row]
        assert dead.credible[last, row] < 0.5
        assert cut.valid[:, row].sum() == last
        assert not cut.terminated[:, row].any()
        assert (cut.credible[cut.valid[:, row], row] >= 0.5).all()
        np.testing.assert_array_equal(cut.final_observations[row], dead.observations[last, row])


def test_nothing_is_rejected_before_the_length_that_was_asked_for(program: Any) -> None:
    got = run(model_of(program), replace(ANY, threshold=100.0, after=2), propagation="select")
    assert (got.valid.sum(0) <= 2).all()
    assert got.valid[0].all()


@pytest.mark.parametrize("propagation", ["select", "softmax"])
def test_threads_and_halves_change_no_bit(program: Any, propagation: str) -> None:
    asked = replace(ANY, threshold=0.5)
    whole = run(model_of(program), asked, rows=701, propagation=propagation, seed=11)
    two = run(model_of(program, threads=2), asked, rows=701, propagation=propagation, seed=11)
    states, goals = draw_rows(701)
    ids, part = np.arange(701, dtype=np.uint32), slice(300, 701)
    half = model_of(program).rollout(
        states[part], 5, actor=make_actor(11), carried=goals[part], ids=ids[part], seed=11, propagation=propagation,
        candidates=asked,
    )
    for name, array in whole.arrays.items():
        np.testing.assert_array_equal(two.arrays[name], array, err_msg=name)
        by_row = name in ("final_observations", "final_critic_observations", "rejected")
        np.testing.assert_array_equal(half.arrays[name], array[part] if by_row else array[:, part], err_msg=name)


def test_candidates_that_does_not_fit_is_named(program: Any) -> None:
    model = model_of(program)
    wider = {"state_std": np.ones(12), "change_mean": np.zeros(12), "change_std": np.ones(12)}
    wider |= {"action_mean": np.zeros(1), "action_std": np.ones(1)}
    with pytest.raises(ValueError, match="candidates: expected some for 'select' and 'softmax'"):
        run(model, None, propagation="select")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="candidates: expected some for 'select' and 'softmax'"):
        run(model, ANY, propagation="mean")
    with pytest.raises(ValueError, match="resamples: expected 1 to 1024, got 0"):
        run(model, replace(ANY, resamples=0), propagation="select")
    with pytest.raises(ValueError, match="unknown value 'truncated', did you mean 'truncate'"):
        run(model, replace(ANY, on_reject="truncated"), propagation="select")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="candidates: expected 11 numbers of state and 3 of action, got 12 and 1"):
        run(model, replace(ANY, reward=replace(ANY.reward, state_mean=np.zeros(12), **wider)), propagation="select")


def test_without_a_program_candidates_work_too() -> None:
    model = EnsembleModel(make_ensemble("relu"), ModelState(STATE.predicted))
    got = assert_twins(model, 40, 3, make_actor(11, squashed=0.5), propagation="select", candidates=ANY)
    assert got.valid.all()
