"""Norms: what holds for each of them at any error, and their textbook forms in float64."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pyembody.program import CompiledTask, compile_expression
from pyembody.spec.signal import Signal

Floats = NDArray[np.float64]
LANES = 3
SIGNALS = {"x": Signal("x", "vector", width=LANES)}
LARGEST = 1e37  # three of them still have a float32 sum
NUMBERS = st.floats(-LARGEST, LARGEST)
USUAL = st.floats(-1e3, 1e3)


def length(x: Floats) -> Floats:
    """Lengths `[N]` of rows."""
    total: Floats = np.sqrt(np.square(x).sum(1))
    return total


# text: textbook form of rows `[N, 3]`, and the largest entry up to which that form is meant
TEXTBOOK: dict[str, tuple[Callable[[Floats], Floats], float]] = {
    "quadratic(x)": (lambda x: 0.5 * np.square(x).sum(1), 1e6),
    "l22(x, 0.1)": (lambda x: np.sqrt(length(x) ** 2 + 0.01) - 0.1, np.inf),
    "l22(x, 0.5, 3)": (lambda x: np.cbrt(length(x) ** 3 + 0.125) - 0.5, np.inf),
    "l2(x, 0.1)": (lambda x: np.sqrt(np.square(x).sum(1) + 0.01) - 0.1, np.inf),
    "l2(x, 0)": (length, np.inf),
    "cosh(x, 0.5)": (lambda x: (0.25 * (np.cosh(x / 0.5) - 1)).sum(1), 15.0),
    "power(x, 1)": (lambda x: np.abs(x).sum(1), np.inf),
    "power(x, 2.5)": (lambda x: (np.abs(x) ** 2.5).sum(1), 1e12),
    "smooth_abs(x, 0.05)": (lambda x: (np.sqrt(np.square(x) + 0.0025) - 0.05).sum(1), np.inf),
    "smooth_abs(x, 0)": (lambda x: np.abs(x).sum(1), np.inf),
    "smooth_abs2(x, 0.5, 1.5)": (lambda x: ((np.abs(x) ** 1.5 + 0.5**1.5) ** (1 / 1.5) - 0.5).sum(1), np.inf),
    "rectify(x, 0.5)": (lambda x: (0.5 * np.logaddexp(0, x / 0.5)).sum(1), np.inf),
    "rectify(x, 0)": (lambda x: np.maximum(x, 0).sum(1), np.inf),
}
EVEN = [text for text in TEXTBOOK if not text.startswith("rectify")]


@cache
def program(text: str) -> CompiledTask:
    """The compiled norm."""
    return compile_expression(text, SIGNALS)


def value(text: str, rows: Any) -> NDArray[np.float32]:
    """The core's value `[N]` of a norm of rows `[N, 3]`."""
    x = np.asarray(rows, np.float32).reshape(1, -1, LANES)
    found: NDArray[np.float32] = program(text).evaluate_log({"x": x}).groups["value"][0, :, 0]
    return found


def rows_of(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[list[list[float]]]:
    """Rows of three numbers."""
    return st.lists(st.lists(numbers, min_size=LANES, max_size=LANES), min_size=1, max_size=8)


@settings(max_examples=30, deadline=None)
@given(rows=rows_of(NUMBERS))
def test_a_norm_is_finite_and_not_negative(rows: list[list[float]]) -> None:
    for text in TEXTBOOK:
        got = value(text, rows)
        assert np.isfinite(got).all(), text
        assert (got >= 0).all(), text


@pytest.mark.parametrize("text", TEXTBOOK)
def test_a_norm_is_zero_at_zero_except_the_soft_rectifier(text: str) -> None:
    at_zero = LANES * 0.5 * np.log(2) if text == "rectify(x, 0.5)" else 0.0
    assert value(text, np.zeros(LANES))[0] == np.float32(at_zero)


@settings(max_examples=30, deadline=None)
@given(rows=rows_of(NUMBERS), signs=st.lists(st.sampled_from([-1.0, 1.0]), min_size=LANES, max_size=LANES))
def test_a_norm_is_even(rows: list[list[float]], signs: list[float]) -> None:
    for text in EVEN:
        np.testing.assert_array_equal(value(text, np.array(rows) * signs), value(text, rows), err_msg=text)


@settings(max_examples=30, deadline=None)
@given(rows=rows_of(NUMBERS), scale=st.floats(0, 1))
def test_a_norm_grows_with_the_error(rows: list[list[float]], scale: float) -> None:
    large = np.abs(np.array(rows))
    for text in TEXTBOOK:
        assert (value(text, scale * large) <= value(text, large) * (1 + 1e-5)).all(), text


@settings(max_examples=30, deadline=None)
@given(rows=rows_of(USUAL))
def test_a_norm_is_its_textbook_form_where_that_is_finite(rows: list[list[float]]) -> None:
    for text, (form, most) in TEXTBOOK.items():
        x = np.clip(np.array(rows, np.float32).astype(np.float64), -most, most)
        # the textbook forms themselves lose what is below the last digit of p
        np.testing.assert_allclose(value(text, x), form(x), rtol=2e-5, atol=2e-15, err_msg=text)
