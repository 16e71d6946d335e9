"""The block evaluator: any size, stride, dtype, thread count and SIMD level gives the same bits."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from core_programs import EDGES, Draft, same_bits
from pyembody import _core

SIZES = [1, 63, 64, 65, 257]
ELEMENTWISE = "neg abs sign square sqrt exp expm1 log log1p tanh sigmoid sin cos asin acos floor not isfinite".split()
PAIRS = "add sub mul div min max mod atan2 pow lt le gt ge eq ne and or".split()
GROUPED = "sum prod rmin rmax any all mean".split()
MEMORY = "delta rate initial latch air_time contact_time first_contact last_air_time count_steps since".split()
MEMORY += "running_max running_min running_mean".split()


def everything():
    """One program with every operation: what it gives covers all kernels."""
    d = Draft()
    x, y, c = d.input("x", 11), d.input("y", 11), d.input("c", 11)
    for op in ELEMENTWISE:
        d.store(d.node(op, [x], 11), op)
    for op in PAIRS:
        d.store(d.node(op, [x, y], 11), op)
    for op in GROUPED:
        d.store(d.node(op, [x], 1, [11]), op)
    for op in MEMORY:
        d.store(d.node(op, [x], 11), op, on_reset=True)
    d.store(d.node("sub64", [x, y], 11), "sub64")
    d.store(d.node("where", [c, x, y], 11), "where", on_reset=True)
    d.store(d.node("prev", [x], 11, [2]), "prev", on_reset=True)
    d.store(d.node("ema", [x], 11, (), [0.1]), "ema", on_reset=True)
    d.store(d.node("hold", [c], 11, (), [0.05]), "hold", "u1", on_reset=True)
    d.store(d.node("cycle", [y], 11, (), [0.3]), "cycle", on_reset=True)
    d.store(d.node("mul", [x, d.param(0.5)], 11), "scaled")
    d.store(d.node("guard", [d.node("gather", [x], 1, [3])], 1, [5], [2.0]), "guard")
    return d


def arrays(n, dtype, seed, edges=True):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, n, 11)).astype(dtype)
    if edges:
        x[rng.random((n, 11)) < 0.1] = rng.choice(EDGES)
        y[rng.random((n, 11)) < 0.1] = rng.choice(EDGES)
    return [x, y, rng.random((n, 11)) < 0.5]


def outcome(n, threads=1, dtype=np.float32, layout=lambda a: a, edges=True):
    """All outputs, flags and state after a reset, two steps, a masked reset and a step."""
    bound_arrays = [layout(a) for a in arrays(n, dtype, 0, edges)]
    bound = everything().bind(bound_arrays, n, threads)
    bound.reset()
    for seed in (1, 2, 3):
        for into, values in zip(bound_arrays, arrays(n, dtype, seed, edges), strict=True):
            into[...] = values
        if seed == 3:
            bound.reset(np.arange(n) % 2 == 0)
        bound.step()
    state = bound.state.array.T.astype("f4")
    return {**bound.outputs, "flags": bound.flags, "bad_term": bound.bad_term, "state": state}


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert same_bits(np.ascontiguousarray(a[name]), np.ascontiguousarray(b[name])), name


def spread(a):
    """The same rows inside a wider array, every other row."""
    wide = np.zeros((2 * len(a), a.shape[1] + 3), a.dtype)
    view = wide[::2, 2 : 2 + a.shape[1]]
    view[...] = a
    return view


@pytest.mark.parametrize("n", SIZES)
def test_row_count_changes_no_row(n):
    whole, part = outcome(320, edges=False), outcome(n, edges=False)
    xs = [arrays(320, np.float32, s, False) for s in range(4)]
    bound_arrays = [a[:n].copy() for a in xs[0]]
    bound = everything().bind(bound_arrays, n)
    bound.reset()
    for seed in (1, 2, 3):
        for into, values in zip(bound_arrays, xs[seed], strict=True):
            into[...] = values[:n]
        if seed == 3:
            bound.reset(np.arange(n) % 2 == 0)
        bound.step()
    assert part.keys() == whole.keys()
    for name, values in bound.outputs.items():
        assert same_bits(values, whole[name][:n]), name


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_thread_count_changes_no_bit(threads):
    assert_same(outcome(2100, threads), outcome(2100, 1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_row_stride_changes_no_bit(dtype):
    assert_same(outcome(65, dtype=dtype, layout=spread), outcome(65, dtype=dtype))


def test_reversed_rows_are_read_in_their_order():
    d = Draft()
    d.store(d.input("x", 2), "y")
    x = np.arange(140, dtype=np.float32).reshape(70, 2)
    bound = d.bind([x[::-1]], 70)
    bound.step()
    np.testing.assert_array_equal(bound["y"], x[::-1])


LEVEL_SCRIPT = """
import sys
sys.path[:0] = sys.argv[1:]
from test_core_evaluator import digest
print(digest())
"""


def digest():
    """A hash of everything that the evaluator and the returns give, any NaN written alike."""
    out = hashlib.sha256(b"")
    for dtype in (np.float32, np.float64):
        for values in outcome(257, dtype=dtype).values():
            clean = np.where(np.isnan(values), np.float32(np.nan), values) if values.dtype.kind == "f" else values
            out.update(np.ascontiguousarray(clean).tobytes())
    rng = np.random.default_rng(0)
    r, v, w = rng.normal(size=(3, 24, 50, 3)).astype(np.float32)
    ends = rng.random((2, 24, 50)) < 0.1
    advantages, returns = np.zeros_like(r), np.zeros_like(r)
    gamma, lam = np.float32([0.99, 0.9, 0.5]), np.float32([0.95, 1, 0.5])
    _core.gae(r, v, w, ends[0], ends[1], gamma, lam, advantages, returns)
    _core.normalise_advantages(advantages, lam, np.zeros(3), True)
    out.update(advantages.tobytes() + returns.tobytes())
    return out.hexdigest()


def test_simd_level_changes_no_bit():
    order = ["generic", "avx2", "avx512"]
    best = _core.simd_level() if "EMBODY_SIMD" not in os.environ else "generic"
    digests = set()
    for level in order[: order.index(best) + 1]:
        done = subprocess.run(
            [sys.executable, "-c", LEVEL_SCRIPT, *sys.path],
            env={**os.environ, "EMBODY_SIMD": level}, capture_output=True, text=True, check=True,
        )
        digests.add(done.stdout.strip())
    assert len(digests) == 1


def test_an_unknown_simd_level_is_refused_by_name():
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.path[:0] = sys.argv[1:]; import pyembody._core as c; c.simd_level()",
         *sys.path],
        env={**os.environ, "EMBODY_SIMD": "avx1024"}, capture_output=True, text=True, check=False,
    )
    assert "EMBODY_SIMD: expected generic, avx2 or avx512, got 'avx1024'" in done.stderr


def test_bytes_and_booleans_are_read_as_numbers():
    d = Draft()
    a, b = d.input("a", 5), d.input("b", 1)
    d.store(a, "a")
    d.store(b, "b")
    numbers = np.arange(15, dtype=np.uint8).reshape(3, 5)
    bound = d.bind([numbers, np.array([True, False, True])], 3)
    bound.step()
    np.testing.assert_array_equal(bound["a"], numbers)
    assert bound["b"].ravel().tolist() == [1, 0, 1]


def test_boolean_groups_hold_zero_or_one():
    d = Draft()
    d.store(d.input("x", 3), "y", "u1")
    bound = d.bind([np.array([[0.0, -3.0, 0.25]])], 1)
    bound.step()
    assert bound["y"].tolist() == [[0, 1, 1]]


def test_columns_that_no_node_is_stored_to_stay_untouched():
    d = Draft()
    x = d.input("x", 2)
    d.groups.append(("y", 6, "f4", False))
    d.stores.append((x, 0, 3))
    bound = d.bind([np.ones((70, 2))], 70)
    bound["y"][:] = 8
    bound.step()
    assert (bound["y"] == [8, 8, 8, 1, 1, 8]).all()


@pytest.mark.parametrize("width", range(1, 10))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_column_choice_of_every_width_is_read_exactly(width, dtype):
    rng = np.random.default_rng(width)
    x = rng.normal(size=(67, width)).astype(dtype)
    d = Draft()
    d.inputs.append(("x", width))
    choices = [list(range(a, b)) for a in range(width) for b in range(a + 1, width + 1)]
    choices.append(list(rng.integers(0, width, 12)))
    for i, columns in enumerate(choices):
        d.store(d.node("input", [], len(columns), [0, *map(int, columns)]), f"y{i}")
    bound = d.bind([x], 67)
    bound.step()
    for i, columns in enumerate(choices):
        np.testing.assert_array_equal(bound[f"y{i}"], x[:, columns].astype(np.float32))


def test_dead_nodes_cost_nothing_and_constants_are_made_once():
    d = Draft()
    x = d.input("x", 1)
    d.node("exp", [x], 1)
    d.store(d.node("mul", [x, d.node("exp", [d.const(1.0)], 1)], 1), "y")
    program = d.build()
    assert program.instructions == 4
    bound = d.bind([np.array([2.0])], 1)
    bound.step()
    assert bound["y"][0, 0] == pytest.approx(2 * np.e)


def test_registers_are_used_again():
    d = Draft()
    x = d.input("x", 1)
    for _ in range(1000):
        x = d.node("square", [x], 1)
    d.store(x, "y")
    assert d.build().register_lanes <= 2


def test_flushed_denormals_of_the_caller_change_nothing():
    torch = pytest.importorskip("torch")
    d = Draft()
    d.store(d.node("mul", [d.input("x", 1), d.const(0.5)], 1), "y")
    bound = d.bind([np.array([[1e-38]], np.float32)], 1)
    torch.set_flush_denormal(True)
    try:
        bound.step()
    finally:
        torch.set_flush_denormal(False)
    assert bound["y"][0, 0].view(np.uint32) == np.float32(0.5e-38).view(np.uint32) != 0
