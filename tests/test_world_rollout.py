"""Imagined rollouts: the core against its twin, rows that end, and what may not change a bit."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from nn_twins import ACTIVATIONS, assert_other_level_passes
from pyembody.spec import Signal, SpecError
from pyembody.world import EnsembleModel, ModelState
from pyembody.world.random_reference import normals, philox
from world_twins import (
    CRITIC,
    MIRROR,
    STATE,
    STATES,
    assert_twins,
    draw_moments,
    draw_rows,
    make_actor,
    make_ensemble,
    make_program,
)

KNOWN = (
    ((0, 0, 0, 0), 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, 0xFFFFFFFFFFFFFFFF, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        0x299F31D0A4093822,
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
)


@pytest.fixture(scope="module")
def program():
    return make_program()


def model_of(program, activation="silu", threads=1, **options):
    return EnsembleModel(make_ensemble(activation, **options), STATE, program, threads=threads)


def run(model, rows=300, steps=6, squashed=0.0, **options):
    states, goals = draw_rows(rows)
    actor = make_actor(11, squashed)
    return model.rollout(states, steps, actor=actor, carried=goals, **options)


def assert_same(a, b):
    for name, array in a.arrays.items():
        np.testing.assert_array_equal(array, b.arrays[name], err_msg=name)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("propagation", ["sampled", "elite", "mean"])
def test_every_step_is_the_twins(program, activation, propagation):
    got = assert_twins(model_of(program, activation), 150, 5, make_actor(11), seed=3, propagation=propagation)
    assert 0.1 < got.valid[-1].mean() < 1.0
    assert got.terminated.any()


@pytest.mark.parametrize("penalty", ["aleatoric", "disagreement"])
@pytest.mark.parametrize("propagation", ["sampled", "mean"])
def test_penalties_are_the_twins(program, penalty, propagation):
    got = assert_twins(model_of(program), 130, 3, make_actor(11), penalty=penalty, propagation=propagation)
    assert (got.penalty[got.valid] > 0).all()


def whole(threads=1):
    model = EnsembleModel(make_ensemble("silu"), STATE, make_program(CRITIC), critic="critic", threads=threads)
    return model, replace(make_actor(11, squashed=2.0), mirror=MIRROR)


def test_mirrored_rows_critics_and_given_signals_that_change_are_the_twins():
    model, actor = whole()
    got = assert_twins(model, 150, 5, actor, moments=True, seed=4)
    there = got.valid
    turned = got.observations[..., 3] < 0
    assert 0.2 < turned[there].mean() < 0.8
    assert there.any() and not there[-1].all()
    moments = draw_moments(150, 5)
    np.testing.assert_array_equal(got.observations[0, :, 8:], moments["before"])
    for t in range(5):
        np.testing.assert_array_equal(got.critic_observations[t, there[t], 5:], moments["carried"][t, there[t]])
    # delta(action) begins at the action before
    change = got.actions[0] - moments["before"]
    np.testing.assert_allclose(got.critic_observations[1, there[1], 2:5], change[there[1]], atol=1e-5)


def test_threads_change_no_bit_of_mirrored_rows():
    states, _ = draw_rows(700)
    found = []
    for threads in (1, 3):
        model, actor = whole(threads)
        found.append(model.rollout(states, 6, actor=actor, **draw_moments(700, 6)))
    assert_same(*found)


def test_a_mirror_image_is_acted_on_as_its_original():
    model, actor = whole()
    states, _ = draw_rows(60)
    given = draw_moments(60, 1)
    plain = model.rollout(states, 1, actor=replace(actor, mirror=None), noise=False, **given)
    seen = plain.observations[0] < 0
    found = model.rollout(states, 1, actor=actor, noise=False, **given)
    turned = seen[:, 3]
    np.testing.assert_array_equal(found.actions[0, ~turned], plain.actions[0, ~turned])
    images = plain.observations[0][turned][:, MIRROR.obs_index] * MIRROR.obs_sign
    rows = np.clip((images - actor.mean) / actor.std, -2, 2)
    hidden = rows @ actor.weights[0] + actor.biases[0]
    hidden = np.where(hidden > 0, hidden, np.expm1(np.minimum(hidden, 0)))
    image = 2.0 * np.tanh(hidden @ actor.weights[1] + actor.biases[1])
    wanted = image[:, MIRROR.action_index] * MIRROR.action_sign
    np.testing.assert_allclose(found.actions[0, turned], wanted, atol=1e-5)


@pytest.mark.parametrize("level", ["generic", "avx2"])
def test_other_levels_are_the_twins(level):
    assert_other_level_passes(level, __file__, "twins")


def test_without_a_program_the_policy_sees_the_state_as_the_twins_does():
    model = EnsembleModel(make_ensemble("relu"), ModelState(STATE.predicted))
    got = assert_twins(model, 40, 3, make_actor(STATES, squashed=0.5))
    assert got.valid.all()
    assert np.abs(got.actions).max() <= 0.5


def test_without_noise_members_and_actor_keep_to_their_means_like_the_twins(program):
    assert_twins(model_of(program), 64, 3, make_actor(11), noise=False, propagation="elite")


@pytest.mark.parametrize("penalty", ["none", "disagreement"])
def test_threads_change_no_bit(program, penalty):
    one, two, four = (run(model_of(program, threads=n), rows=700, penalty=penalty) for n in (1, 2, 4))
    assert_same(one, two)
    assert_same(one, four)


def test_halves_are_the_whole(program):
    model = model_of(program)
    states, goals = draw_rows(301)
    whole = run(model, rows=301, seed=11)
    ids = np.arange(301, dtype=np.uint32)
    for part in (slice(0, 140), slice(140, 301)):
        half = model.rollout(states[part], 6, actor=make_actor(11), carried=goals[part], ids=ids[part], seed=11)
        for name, array in half.arrays.items():
            whole_rows = whole.arrays[name]
            by_row = name in ("final_observations", "final_critic_observations", "rejected")
            of_whole = whole_rows[part] if by_row else whole_rows[:, part]
            np.testing.assert_array_equal(array, of_whole, err_msg=name)


def test_a_row_that_ended_is_zero_and_stays_where_it_was(program):
    got = run(model_of(program), rows=500, steps=12)
    ended = got.terminated.any(0)
    assert 20 < ended.sum() < 500
    for row in np.flatnonzero(ended):
        last = int(got.terminated[:, row].argmax())
        assert got.valid[: last + 1, row].all()
        assert not got.valid[last + 1 :, row].any()
        assert not got.next_states[last + 1 :, row].any()
        assert (got.member[last + 1 :, row] == -1).all()
        np.testing.assert_array_equal(got.final_observations[row, :3], got.next_states[last, row, 4:7])
    live = ~ended
    np.testing.assert_array_equal(got.final_observations[live, :3], got.next_states[-1, live, 4:7])


def test_a_row_that_leaves_the_finite_numbers_ends_and_is_counted(program):
    ensemble = make_ensemble("relu")
    bias = ensemble.biases[-1].copy()
    bias[0, 0, 5] = np.inf
    model = EnsembleModel(replace(ensemble, biases=[*ensemble.biases[:-1], bias], elites=(0, 1)), STATE, program)
    got = run(model, rows=200, steps=3)
    assert got.diverged > 100
    assert np.isfinite(got.next_states).all()
    assert not got.valid[0].all()
    assert got.valid[0].any()
    assert (got.member[got.valid] == 1).all()


def test_a_weight_is_edited_without_a_new_model(program):
    model = model_of(program)
    before = run(model)
    params = program.defaults.copy()
    program.set_params(params, {"track.weight": 4.0})
    after = run(model, params=params)
    np.testing.assert_allclose(after.channels[..., 0], 2.0 * before.channels[..., 0], rtol=1e-6, atol=1e-30)
    np.testing.assert_array_equal(after.next_states, before.next_states)


def test_a_seed_gives_the_same_bits_and_another_one_others(program):
    model = model_of(program)
    assert_same(run(model, seed=5), run(model, seed=5))
    assert (run(model, seed=5).next_states != run(model, seed=6).next_states).any()


def test_loading_while_a_rollout_runs_never_mixes_two_ensembles(program):
    first, second = make_ensemble("silu"), make_ensemble("silu", seed=9)
    wanted = [run(EnsembleModel(e, STATE, program)) for e in (first, second)]
    model, stop = EnsembleModel(first, STATE, program), threading.Event()

    def swap():
        while not stop.is_set():
            model.load(second)
            model.load(first)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        got = [run(model) for _ in range(40)]
    finally:
        stop.set()
        thread.join()
    for result in got:
        assert any((result.next_states == w.next_states).all() for w in wanted)


def test_arrays_are_written_again(program):
    model = model_of(program)
    out = run(model, seed=1)
    again = run(model, seed=2, out=out)
    assert again.next_states is out.next_states
    assert_same(again, run(model, seed=2))


def test_given_actions_take_the_policys_place(program):
    states, goals = draw_rows(20)
    actions = np.random.default_rng(0).normal(size=(20, 4, 3)).astype(np.float32)
    got = model_of(program).rollout(states, 4, actions=actions, carried=goals)
    np.testing.assert_array_equal(got.actions[got.valid], actions.transpose(1, 0, 2)[got.valid])


def test_random_words_are_the_published_ones():
    for counter, key, words in KNOWN:
        assert tuple(philox(np.array(counter, np.uint32), key)) == words


def test_normal_numbers_are_normal():
    z = normals(np.arange(20000, dtype=np.uint32), 3, 1, 5, seed=2)
    assert abs(z.mean()) < 0.02
    assert abs(z.std() - 1.0) < 0.02
    assert abs((z[:, 0] * z[:, 1]).mean()) < 0.02
    assert abs((z**4).mean() - 3.0) < 0.1


def test_a_program_that_asks_for_more_than_the_model_has_is_refused(program):
    smaller = ModelState(STATE.predicted[:3], STATE.carried)
    with pytest.raises(SpecError, match="unknown signal 'load'"):
        smaller.inputs(program)


def test_observations_that_the_program_does_not_have_are_refused(program):
    with pytest.raises(SpecError, match="unknown group of observations 'critic'"):
        EnsembleModel(make_ensemble("silu"), STATE, program, observations="critic")


def test_arrays_that_do_not_fit_are_named(program):
    model = model_of(program)
    states, goals = draw_rows(10)
    with pytest.raises(ValueError, match=r"carried: expected \(10, 3\), with or without moments .* got \(10, 2\)"):
        model.rollout(states, 2, actor=make_actor(11), carried=goals[:, :2])
    with pytest.raises(ValueError, match=r"states: expected shape \(10, 11\), got \(10, 9\)"):
        model.rollout(np.ascontiguousarray(states[:, :9]), 2, actor=make_actor(11), carried=goals)
    with pytest.raises(ValueError, match="actor: expected 11 inputs and 3 actions, got 8 and 3"):
        model.rollout(states, 2, actor=make_actor(8), carried=goals)
    with pytest.raises(ValueError, match="unknown value 'samples', did you mean 'sampled'"):
        model.rollout(states, 2, actor=make_actor(11), carried=goals, propagation="samples")
    with pytest.raises(ValueError, match="an actor or actions"):
        model.rollout(states, 2, carried=goals)
    ensemble = make_ensemble("silu")
    with pytest.raises(ValueError, match=r"weights\[1\]: expected shape"):
        replace(ensemble, weights=[ensemble.weights[0], ensemble.weights[2], ensemble.weights[1]])


def test_another_state_is_refused():
    with pytest.raises(ValueError, match="expected 9 numbers of state, got 11"):
        EnsembleModel(make_ensemble("silu"), ModelState(STATE.predicted[:3]))


def test_signals_lie_beside_each_other():
    state = ModelState((Signal("a"), Signal("b", "vector", 3)), (Signal("c"),))
    assert state.columns == {"a": slice(0, 1), "b": slice(1, 4)}
    assert (state.width, state.carried_width) == (4, 1)
