"""Operations with memory against small loops over one environment at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core_programs import DT, Draft

STEPS = 40
N = 65


def loops():
    """For each operation: its floats, the value at reset, and the values over the steps, from x_0 and x_1..x_T."""

    def phases(c, wanted):
        out, count = [], 0
        for x in c:
            count = count + 1 if bool(x) == wanted else 0
            out.append(count * DT)
        return out

    def ema(x0, xs, tau=0.1):
        out, y = [], float(x0)
        for x in xs:
            y += (1 - math.exp(-DT / tau)) * (float(x) - y)
            out.append(y)
        return out

    def first_contact(c):
        return [float(bool(c[t]) and t > 0 and not c[t - 1]) for t in range(len(c))]

    def last_air_time(c):
        out, air, last = [], 0, 0
        for x in c:
            if x and air:
                last = air
            air = 0 if x else air + 1
            out.append(last * DT)
        return out

    def since(c):
        out, seen = [], None
        for t, x in enumerate(c):
            seen = t if x else seen
            out.append(0 if seen is None else (t - seen) * DT)
        return out

    def hold(c, steps=3):
        return [float(t + 1 >= steps and all(c[t + 1 - steps : t + 1])) for t in range(len(c))]

    def cycle(freq, phase=0.25):
        turns = np.cumsum(np.asarray(freq, float) * DT) + 1 - phase
        return turns - np.floor(turns)

    def before(x0, xs, k):
        return [*[x0] * k, *xs][: len(xs)]

    return {
        "prev": ([1], [], lambda x0: x0, lambda x0, xs: before(x0, xs, 1)),
        "prev3": ([3], [], lambda x0: x0, lambda x0, xs: before(x0, xs, 3)),
        "delta": ([], [], lambda x0: 0, lambda x0, xs: np.diff([x0, *xs])),
        "rate": ([], [], lambda x0: 0, lambda x0, xs: np.diff([x0, *xs]) / DT),
        "ema": ([], [0.1], lambda x0: x0, ema),
        "initial": ([], [], lambda x0: x0, lambda x0, xs: [x0] * len(xs)),
        "latch": ([], [], lambda x0: 0, lambda x0, xs: np.maximum.accumulate(np.asarray(xs) != 0)),
        "hold": ([], [0.06], lambda x0: 0, lambda x0, xs: hold(xs)),
        "air_time": ([], [], lambda x0: 0, lambda x0, xs: phases(xs, False)),
        "contact_time": ([], [], lambda x0: 0, lambda x0, xs: phases(xs, True)),
        "first_contact": ([], [], lambda x0: 0, lambda x0, xs: first_contact(xs)),
        "last_air_time": ([], [], lambda x0: 0, lambda x0, xs: last_air_time(xs)),
        "count_steps": ([], [], lambda x0: 0, lambda x0, xs: np.cumsum(np.asarray(xs) != 0)),
        "since": ([], [], lambda x0: 0, lambda x0, xs: since(xs)),
        "running_max": ([], [], lambda x0: x0, lambda x0, xs: np.maximum.accumulate([x0, *xs])[1:]),
        "running_min": ([], [], lambda x0: x0, lambda x0, xs: np.minimum.accumulate([x0, *xs])[1:]),
        "running_mean": ([], [], lambda x0: 0, lambda x0, xs: np.cumsum(xs) / np.arange(1, len(xs) + 1)),
        "cycle": ([], [0.25], lambda x0: 0.75, lambda x0, xs: cycle(xs)),
    }


LOOPS = loops()
BOOLEAN = {"latch", "hold", "air_time", "contact_time", "first_contact", "last_air_time", "count_steps", "since"}


def trajectory(op, seed, n=N, lanes=2):
    """x_0 and x_1..x_T as [T + 1, n, lanes] float64; booleans in long phases."""
    rng = np.random.default_rng(seed)
    if op in BOOLEAN:
        return (rng.random((STEPS + 1, n, lanes)) < 0.7).cumsum(axis=0) // 4 % 2 * 1.0
    x = rng.normal(size=(STEPS + 1, n, lanes))
    return np.abs(x) if op == "cycle" else x


def memory_program(op, array):
    draft = Draft()
    x = draft.input("x", array.shape[1])
    ints, floats = LOOPS[op][:2]
    draft.store(draft.node(op.rstrip("3"), [x], array.shape[1], ints, floats), "y", on_reset=True)
    return draft.bind([array], len(array))


def run(bound, array, xs):
    """Values at reset and after each step."""
    array[...] = xs[0]
    bound.reset()
    out = [bound["y"].copy()]
    for x in xs[1:]:
        array[...] = x
        bound.step()
        out.append(bound["y"].copy())
    return np.array(out)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("op", LOOPS)
def test_operation_equals_its_loop(op, dtype):
    xs = trajectory(op, seed=1).astype(dtype)
    array = np.zeros(xs.shape[1:], dtype)
    got = run(memory_program(op, array), array, xs)
    _, _, first, loop = LOOPS[op]
    for row in (0, 1, 63, 64):
        for lane in range(2):
            path = xs[:, row, lane]
            np.testing.assert_allclose(got[0, row, lane], first(path[0]), rtol=1e-6, atol=1e-9)
            np.testing.assert_allclose(got[1:, row, lane], loop(path[0], list(path[1:])), rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("op", LOOPS)
def test_an_episode_after_a_reset_equals_the_first_one_bit_for_bit(op):
    first, second = trajectory(op, 2), trajectory(op, 3)
    array = np.zeros(first.shape[1:])
    fresh = run(memory_program(op, array), array, second)
    used = memory_program(op, array)
    run(used, array, first)
    np.testing.assert_array_equal(run(used, array, second), fresh)


@pytest.mark.parametrize("op", LOOPS)
def test_a_masked_reset_changes_no_other_row(op):
    xs = trajectory(op, 4)
    mask = np.arange(N) % 3 == 0
    array = np.zeros(xs.shape[1:])
    bound, control = memory_program(op, array), memory_program(op, array)
    for b in (bound, control):
        run(b, array, xs[:20])
    before = bound.state.array.copy()
    array[...] = xs[20]
    bound["y"][:] = -7
    bound.reset(mask)
    np.testing.assert_array_equal(bound.state.array[:, ~mask], before[:, ~mask])
    assert (bound["y"][~mask] == -7).all()
    for x in xs[21:]:
        array[...] = x
        bound.step()
        control.step()
        np.testing.assert_array_equal(bound["y"][~mask], control["y"][~mask])


def test_change_of_doubles_keeps_what_floats_would_lose():
    array = np.array([[1000.0]])
    bound = memory_program("rate", array)
    bound.reset()
    array[:] += 1e-5
    bound.step()
    assert abs(bound["y"][0, 0] - 1e-5 / DT) < 1e-9


@pytest.mark.parametrize("op", ["prev", "delta", "rate", "ema", "running_max", "running_min", "running_mean", "cycle"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_never_stored(op, bad):
    array = np.array([[1.0], [2.0]])
    bound = memory_program(op, array)
    bound.reset()
    bound.step()
    before = bound.state.array.copy()
    array[0] = -bad if op == "running_min" else bad  # a least value of 1 is not moved by +inf
    bound.step()
    assert bound.flags.tolist() == [4, 0]
    assert np.isfinite(bound.state.array).all()
    np.testing.assert_array_equal(bound.state.array[:, 0], before[:, 0])


@pytest.mark.parametrize("op", ["prev3", "delta", "ema", "initial", "running_max"])
def test_a_seed_that_is_not_finite_becomes_zero_and_is_flagged(op):
    array = np.array([[5.0], [5.0]])
    bound = memory_program(op, array)
    bound.reset()
    array[0] = np.nan
    bound.reset()
    assert bound.flags.tolist() == [4, 0]
    assert not bound.state.array[:, 0].any()


def test_smoothing_without_a_time_constant_is_the_value_itself():
    draft = Draft()
    draft.store(draft.node("ema", [draft.input("x", 1)], 1, (), [0.0]), "y")
    array = np.array([[1.0]])
    bound = draft.bind([array], 1)
    bound.reset()
    array[:] = 0.1
    bound.step()
    assert bound["y"][0, 0] == np.float32(0.1)


def test_a_new_frequency_does_not_make_the_phase_jump():
    array = np.array([[1.0]])
    bound = memory_program("cycle", array)
    bound.reset()
    phases = []
    for freq in [1.0] * 10 + [3.0] * 10:
        array[:] = freq
        bound.step()
        phases.append(float(bound["y"][0, 0]))
    steps = np.diff(phases) % 1
    np.testing.assert_allclose(steps, [DT] * 9 + [3 * DT] * 10, atol=1e-6)


def test_state_is_a_view_and_restores_a_run():
    xs = trajectory("ema", 5)
    array = np.zeros(xs.shape[1:])
    bound = memory_program("ema", array)
    run(bound, array, xs[:10])
    saved = bound.state.array.copy()
    array[...] = xs[10]
    bound.step()
    wanted = bound["y"].copy()
    other = memory_program("ema", array)
    other.state.array[...] = saved
    other.step()
    np.testing.assert_array_equal(other["y"], wanted)


def test_guards_and_groups_without_reset_stay_as_they_were_at_a_reset():
    draft = Draft()
    x = draft.input("x", 1)
    draft.store(draft.node("guard", [x], 1, [3], [1.0]), "paid")
    draft.store(x, "seen", on_reset=True)
    array = np.array([[5.0], [np.nan]], np.float32)
    bound = draft.bind([array], 2)
    bound["paid"][:] = 9
    bound.reset([True, False])
    assert bound["paid"].ravel().tolist() == [9, 9]
    assert bound["seen"].ravel().tolist() == [5, 0]
    assert bound.flags.tolist() == [0, 0]
    assert bound.bad_term.tolist() == [-1, -1]
