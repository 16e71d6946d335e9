"""Watched columns: what is not finite as a float is found in any array, at any place, in any number of rows."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from core_programs import Draft

WIDTHS = (1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 31, 64)
LARGEST = np.float64(np.finfo(np.float32).max)


def flags(array: np.ndarray, columns: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Flags and names of a step that watches columns of an array `[N, width]`."""
    draft = Draft()
    x = draft.input("x", array.shape[1])
    draft.node("watch", [], 1, [0, *columns, 5])
    draft.store(x, "x")
    bound = draft.bind([array], len(array))
    bound.step()
    return bound.flags, bound.bad_term


@pytest.mark.parametrize(("dtype", "dense"), list(product((np.float32, np.float64), (True, False))))
def test_a_bad_number_is_found_wherever_it_is(dtype: type, dense: bool) -> None:
    rng = np.random.default_rng(0)
    for width, rows in product(WIDTHS, (1, 63, 64, 130)):
        whole = rng.normal(size=(rows, width if dense else width + 5)).astype(dtype)
        array = whole[:, :width]
        bad = rng.random(array.shape) < 0.02
        bad[rng.integers(rows), rng.integers(width)] = True
        array[bad] = rng.choice([np.nan, np.inf, -np.inf], bad.sum())
        got, names = flags(array, list(range(width)))
        np.testing.assert_array_equal(got, bad.any(axis=1))
        np.testing.assert_array_equal(names, np.where(bad.any(axis=1), 5, -1))
        some = sorted(rng.choice(width, rng.integers(1, width + 1), replace=False).tolist())
        np.testing.assert_array_equal(flags(array, some)[0], bad[:, some].any(axis=1))


def test_a_double_that_is_no_float_is_not_finite() -> None:
    array = np.array([[LARGEST], [-LARGEST], [LARGEST * (1 + 2.0**-26)], [LARGEST * (1 + 2.0**-24)], [1e39], [5e-324]])
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(flags(array, [0])[0], ~np.isfinite(array[:, 0].astype(np.float32)))


def test_whole_numbers_are_always_fine() -> None:
    assert not flags(np.full((65, 3), 255, np.uint8), [0, 2])[0].any()
