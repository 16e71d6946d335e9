"""Operations without memory against NumPy, at random and edge values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_programs import EDGES, Draft, evaluate

UNARY = {
    "neg": np.negative,
    "abs": np.abs,
    "sign": np.sign,
    "square": np.square,
    "sqrt": np.sqrt,
    "floor": np.floor,
    "not": lambda x: x == 0,
    "isfinite": np.isfinite,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "sin": np.sin,
    "cos": np.cos,
    "asin": lambda x: np.arcsin(np.clip(x, -1, 1)),
    "acos": lambda x: np.arccos(np.clip(x, -1, 1)),
}
ULPS = {"exp": 2, "tanh": 2, "sigmoid": 3, "sin": 1, "cos": 1, "log": 1}
BINARY = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "min": np.minimum,
    "max": np.maximum,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "and": lambda x, y: (x != 0) & (y != 0),
    "or": lambda x, y: (x != 0) | (y != 0),
}
REDUCTIONS = {
    "prod": lambda x: np.prod(x, axis=-1, dtype=np.float32),
    "rmin": lambda x: np.min(x, axis=-1),
    "rmax": lambda x: np.max(x, axis=-1),
    "any": lambda x: (x != 0).any(axis=-1),
    "all": lambda x: (x != 0).all(axis=-1),
}
finite32 = st.floats(width=32, allow_nan=True, allow_infinity=True)


def column(*values):
    return np.array(values, np.float32)[:, None]


def assert_within_ulps(got, exact, ulps):
    """`exact` is float64; the float32 nearest to it counts as half a unit away."""
    with np.errstate(all="ignore"):
        wanted = exact.astype(np.float32)
        assert np.array_equal(np.isnan(got), np.isnan(wanted))
        infinite = np.isinf(wanted) | np.isinf(got)
        assert np.array_equal(got[infinite], wanted[infinite])
        fine = np.isfinite(wanted) & ~infinite
        unit = np.maximum(np.spacing(np.abs(wanted[fine])), np.float32(1e-45)).astype(np.float64)
        assert np.all(np.abs(got[fine] - exact[fine]) <= ulps * unit)


@pytest.mark.parametrize("op", UNARY)
def test_unary_operation_equals_numpy_at_edges_and_at_random(op):
    rng = np.random.default_rng(0)
    x = np.concatenate([
        EDGES,
        np.array([88.7228, 88.8, -103.97, -104.1, 0.6249, 0.6251, 9999, 10001, 1e6, 0.5, -0.5, 2.5], np.float32),
        rng.uniform(-110, 95, 3000).astype(np.float32),
        rng.normal(size=3000).astype(np.float32),
        np.exp(rng.uniform(-100, 85, 2000)).astype(np.float32) * rng.choice([-1, 1], 2000).astype(np.float32),
    ])[:, None]
    with np.errstate(all="ignore"):
        exact = np.asarray(UNARY[op](x.astype(np.float64)), np.float64)
    assert_within_ulps(evaluate(op, x), exact, ULPS.get(op, 0.5))


@pytest.mark.parametrize("op", BINARY)
def test_binary_operation_equals_numpy_for_every_pair_of_edges(op):
    x, y = (a.reshape(-1, 1) for a in np.meshgrid(EDGES, EDGES))
    with np.errstate(all="ignore"):
        wanted = np.asarray(BINARY[op](x, y), np.float32)
    np.testing.assert_array_equal(evaluate(op, x, y), wanted)


def test_sign_of_negative_zero_is_zero():
    assert not np.signbit(evaluate("sign", column(-0.0)))[0, 0]


def test_minimum_and_maximum_pass_nan_from_either_side():
    nan = column(np.nan, 1, np.nan)
    other = column(1, np.nan, np.nan)
    assert np.isnan(evaluate("min", nan, other)).all()
    assert np.isnan(evaluate("max", nan, other)).all()


@given(st.lists(st.tuples(finite32, finite32), min_size=1, max_size=80))
@settings(max_examples=60, deadline=None)
def test_power_and_angle_equal_double_precision_rounded(pairs):
    x, y = np.array(pairs, np.float32)[:, :1], np.array(pairs, np.float32)[:, 1:]
    with np.errstate(all="ignore"):
        assert_within_ulps(evaluate("pow", x, y), np.power(x.astype(float), y.astype(float)), 0.51)
        assert_within_ulps(evaluate("atan2", x, y), np.arctan2(x.astype(float), y.astype(float)), 0.51)


@given(st.lists(st.tuples(finite32, finite32), min_size=1, max_size=80))
@settings(max_examples=60, deadline=None)
def test_modulo_lies_in_its_range_and_is_nan_for_no_range(pairs):
    x, m = np.array(pairs, np.float32)[:, :1], np.array(pairs, np.float32)[:, 1:]
    got = evaluate("mod", x, m)
    assert np.isnan(got[~(m > 0) | ~np.isfinite(x)]).all()
    with np.errstate(all="ignore"):
        fine = (m > 0) & np.isfinite(m) & (np.abs(x / m) < 2**23)  # beyond, a float has no fraction to give back
    assert ((got[fine] >= 0) & (got[fine] < m[fine])).all()


def test_modulo_of_a_tiny_negative_number_does_not_reach_the_modulus():
    assert evaluate("mod", column(-1e-9, -0.5, 7.5, 6), column(1, 2, 2, 3)).ravel().tolist() == [0, 1.5, 1.5, 0]


def test_where_takes_nothing_from_the_branch_not_chosen():
    got = evaluate("where", column(1, 0, np.nan), column(2, np.nan, 3), column(np.nan, 4, np.nan))
    assert got.ravel().tolist() == [2, 4, 3]


@pytest.mark.parametrize("op", ["sum", "mean", *REDUCTIONS])
@pytest.mark.parametrize("k", [1, 2, 3, 7, 8, 9, 20])
def test_reduction_of_groups_keeps_the_order_that_defines_it(op, k):
    x = np.random.default_rng(k).normal(size=(70, 3 * k)).astype(np.float32)
    x[5, 0], x[6, -1], x[7] = np.nan, np.inf, 0
    groups = x.reshape(70, 3, k)
    if op in REDUCTIONS:
        wanted = REDUCTIONS[op](groups).astype(np.float32)
    else:
        parts = np.zeros((70, 3, 8), np.float32)
        for i in range(k):
            parts[..., i % 8] += groups[..., i]
        low = (parts[..., 0] + parts[..., 1]) + (parts[..., 2] + parts[..., 3])
        high = (parts[..., 4] + parts[..., 5]) + (parts[..., 6] + parts[..., 7])
        wanted = (low + high) / np.float32(k if op == "mean" else 1)
    np.testing.assert_array_equal(evaluate(op, x, lanes=3, ints=[k]), wanted)


def test_sum_of_negative_zeros_is_zero():
    assert not np.signbit(evaluate("sum", np.full((1, 9), -0.0, np.float32), lanes=1, ints=[9]))[0, 0]


def test_difference_of_doubles_is_rounded_once():
    a = np.array([[1e8 + 0.125]])
    got = evaluate("sub64", a, np.array([[1e8]]))
    assert got[0, 0] == np.float32(0.125)
    assert evaluate("sub", a, np.array([[1e8]]))[0, 0] == 0


def test_difference_of_doubles_broadcasts_one_column():
    a = np.array([[1e8 + 0.5, 1e8 + 0.25]])
    assert evaluate("sub64", a, np.array([[1e8]])).tolist() == [[0.5, 0.25]]
    assert evaluate("sub64", np.array([[1e8]]), a).tolist() == [[-0.5, -0.25]]


def test_one_lane_broadcasts_over_many():
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_array_equal(evaluate("mul", x, column(2, 3)), x * column(2, 3))
    np.testing.assert_array_equal(evaluate("sub", column(2, 3), x), column(2, 3) - x)


def test_gather_and_concat_rearrange_lanes():
    draft = Draft()
    x = draft.input("x", 5)
    run = draft.node("gather", [x], 2, [1, 2])
    mixed = draft.node("gather", [x], 3, [4, 0, 0])
    draft.store(draft.node("concat", [mixed, run, run], 7), "y")
    draft.store(draft.node("gather", [run], 1, [1]), "z")
    array = np.arange(10, dtype=np.float32).reshape(2, 5)
    bound = draft.bind([array], 2)
    bound.step()
    np.testing.assert_array_equal(bound["y"], array[:, [4, 0, 0, 1, 2, 1, 2]])
    np.testing.assert_array_equal(bound["z"], array[:, [2]])


def test_parameters_are_read_at_every_step():
    draft = Draft()
    x, p = draft.input("x", 1), draft.param(2.0)
    draft.store(draft.node("mul", [x, draft.node("square", [p], 1)], 1), "y")
    bound = draft.bind([column(3, 5)], 2)
    bound.step()
    assert bound["y"].ravel().tolist() == [12, 20]
    bound.params[0] = 1
    bound.step()
    assert bound["y"].ravel().tolist() == [3, 5]


def test_guard_pays_nothing_for_what_is_not_finite_and_names_the_first_term():
    draft = Draft()
    x = draft.input("x", 2)
    for i, term in enumerate([7, 9]):
        lane = draft.node("gather", [x], 1, [i])
        draft.store(draft.node("guard", [lane], 1, [term], [10.0]), f"y{i}")
    array = np.array([[1, 2], [np.nan, np.inf], [3, -np.inf], [-99, 4], [99, np.nan]], np.float32)
    bound = draft.bind([array], 5)
    bound.step()
    assert bound["y0"].ravel().tolist() == [1, 0, 3, -10, 10]
    assert bound["y1"].ravel().tolist() == [2, 0, 0, 4, 0]
    assert bound.flags.tolist() == [0, 1, 1, 2, 3]
    assert bound.bad_term.tolist() == [-1, 7, 9, -1, 9]
    array[:] = 1
    bound.step()
    assert bound.flags.tolist() == [0] * 5
    assert bound.bad_term.tolist() == [-1] * 5
