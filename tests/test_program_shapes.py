"""Operations over drawn shapes: scalars, vectors, axes of elements, axes of vectors; edge values among them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from program_twins import both
from pyembody.program import compile_expression
from pyembody.spec import Signal

ANY = [  # over values a and b of one shape, a scalar s, truth values t of a's shape; the result may have any shape
    "a + b", "a - b", "a * s", "a / b", "a % b", "s % a", "-a", "a ** 3", "a ** -1", "abs(a) ** 0.3", "spow(a, 1.5)",
    "abs(a)", "sign(a)", "square(a)", "sqrt(a)", "floor(a)", "exp(a)", "expm1(a)", "log(a)", "log1p(a)", "tanh(a)",
    "sigmoid(a)", "sin(a)", "cos(a)", "asin(a)", "acos(a)", "atan2(a, b)", "safe_div(a, b, 0.1)", "wrap_pi(a)",
    "min(a, b)", "max(a, b, s)", "clip(a, b, 1)", "where(t, a, b)", "gate(t, a)", "near(a, b, 0.5)", "isfinite(a)",
    "num(t)", "xor(t, a > s)", "not t", "t and a < b", "t or a >= b", "deadzone(a, 0.1)", "limit_violation(a, -1, b)",
    "ramp(a, -1, 2)", "huber(a, 0.5)", "lex(a, 0.5, b)", "prod(a, b)", "hamacher(a, b)", "geomean(a, b)",
    "geomean(a, b, 2, sign='all')", "squash(a, 'sigmoid', 2, b)", "squash(a, 'atan')", "squash(a, 'clip')",
    "sum(a)", "mean(a)", "min(a)", "max(a)", "prod(a)", "var(a)", "std(a)", "any(t)", "all(t)", "count(t)", "norm(a)",
    "normsq(a)", "norm1(a)", "norminf(a)", "wsum(a, b)", "gauss(a, 0.25)", "gauss(a - b, abs(s))", "laplace(a, 0.5)",
    "tanh1m(a, 0.5)", "inverse(a, 0.5, 2)", "logistic(a, 2)", "tolerance(a, -1, 1, 0.5)",
    "tolerance(a, b, inf, s, sigmoid='reciprocal')", "quadratic(a)", "l2(a, 0.1)", "l22(a, 0.1, 3)", "cosh(a, 0.5)",
    "power(a, 2)", "smooth_abs(a, 0.1)", "smooth_abs2(a, 0.1, 4)", "rectify(a, 0.1)", "risk(a, 0.5)",
    "chebyshev(a, 2, b)", "prev(a, 2)", "delta(a)", "rate(a) * dt", "ema(a, 0.1)", "ema(a, abs(s) * dt)", "initial(a)",
    "latch(t)", "hold(t, 0.05)", "unwrap(a)", "running_max(a)", "running_min(a)", "running_mean(a)", "air_time(t) / dt",
    "contact_time(t) / dt", "first_contact(t)", "last_air_time(t) / dt", "count_steps(t)", "since(t) / dt",
    "episodic_count(floor(a), 3)", "cycle(rate(a), 0.25)",
]  # fmt: skip
VECTORS = ["dot(a, b)", "unit(a)", "cosine(a, b)", "a * dot(a, b)"]
ALONG = [
    "sum(a, over='things')",
    "mean(a, over='things')",
    "max(a, over='things')",
    "std(a, over='things')",
    "norm(a, over='things')",
]


def check(text: str, count: int, width: int, rows: int, seed: int) -> None:
    """Core and twin agree over a run with resets for values of a shape."""
    axis, labels = ("things", tuple(f"e{i}" for i in range(count))) if count else ("", ())
    kind = "vector" if width else "scalar"
    size = width or 1
    signals = {
        s.name: s
        for s in (
            Signal("a", kind, size, axis, labels, source="s"),
            Signal("b", kind, size, axis, labels, source="s"),
            Signal("t", "bool", size, axis, labels, source="s"),
            Signal("s", source="s"),
        )
    }
    program = compile_expression(text, signals)
    for twin, core in both(program, rows, seed, steps=4, edges=0.1):
        np.testing.assert_allclose(core, twin, rtol=3e-6, atol=1e-7, err_msg=f"{text} {count} x {width}")


@pytest.mark.parametrize("text", ANY)
@settings(max_examples=5, deadline=None, derandomize=True)
@given(
    st.sampled_from((0, 1, 2, 4, 7, 12)),
    st.sampled_from((0, 2, 3, 5, 9, 17, 64)),
    st.sampled_from((1, 65)),
    st.integers(0, 99),
)
def test_operation_over_any_shape(text: str, count: int, width: int, rows: int, seed: int) -> None:
    check(text, count, width if (count or 1) * (width or 1) <= 256 else 3, rows, seed)


@pytest.mark.parametrize("text", VECTORS)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.sampled_from((0, 1, 4)), st.sampled_from((2, 3, 8, 9, 33)), st.integers(0, 99))
def test_operation_over_vectors_of_any_width(text: str, count: int, width: int, seed: int) -> None:
    check(text, count, width, 65, seed)


@pytest.mark.parametrize("text", ALONG)
@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.sampled_from((1, 2, 8, 9, 30)), st.sampled_from((0, 2, 3, 7)), st.integers(0, 99))
def test_reduction_over_the_named_axis(text: str, count: int, width: int, seed: int) -> None:
    check(text, count, width, 65, seed)
