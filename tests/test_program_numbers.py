"""Numbers worked out by hand or by textbook formulas: what every operation means."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from program_twins import SIGNALS, Array, CoreRun
from pyembody.program import compile_expression

DT = 0.02
XS = np.array([-3.0, -1.0, -0.25, 0.0, 0.1, 0.5, 2.0, 7.0])

TOLERANCE = {  # at distances 0.5, 1, 2, 10 margins
    "gaussian": (0.562341, 0.1, 0.0001, 0.0),
    "hyperbolic": (0.426401, 0.1, 0.005025, 0.0),
    "long_tail": (0.307692, 0.1, 0.027027, 0.00111),
    "reciprocal": (0.181818, 0.1, 0.052632, 0.010989),
    "cosine": (0.658114, 0.1, 0.0, 0.0),
    "linear": (0.55, 0.1, 0.0, 0.0),
    "quadratic": (0.775, 0.1, 0.0, 0.0),
    "tanh_squared": (0.480506, 0.1, 0.00277, 0.0),
}
TEXTBOOK: dict[str, Callable[[Array], Array]] = {
    "gauss(x, 0.25)": lambda x: np.exp(-(x**2) / 0.25),
    "laplace(x, 0.5)": lambda x: np.exp(-abs(x) / 0.5),
    "tanh1m(x, 0.5)": lambda x: 1 - np.tanh(abs(x) / 0.5),
    "inverse(x, 0.5)": lambda x: 1 / (1 + (x / 0.5) ** 2),
    "inverse(x, 0.5, 2)": lambda x: (1 + (x / 0.5) ** 2) ** -2,
    "logistic(x, 2)": lambda x: 1 / (np.exp(2 * abs(x)) + 2 + np.exp(-2 * abs(x))),
    "deadzone(x, 0.5)": lambda x: np.sign(x) * np.maximum(abs(x) - 0.5, 0),
    "limit_violation(x, -1, 1)": lambda x: np.maximum(-1 - x, 0) + np.maximum(x - 1, 0),
    "ramp(x, -1, 3)": lambda x: np.clip((x + 1) / 4, 0, 1),
    "huber(x, 1)": lambda x: np.where(abs(x) <= 1, 0.5 * x**2, abs(x) - 0.5),
    "safe_div(1, x, 0.2)": lambda x: 1 / (np.where(x < 0, -1, 1) * np.maximum(abs(x), 0.2)),
    "spow(x, 0.5)": lambda x: np.sign(x) * np.sqrt(abs(x)),
    "near(x, 0, 0.25)": lambda x: abs(x) <= 0.25,
    "wrap_pi(x)": lambda x: np.mod(x + np.pi, 2 * np.pi) - np.pi,
    "gate(x > 1, x)": lambda x: np.where(x > 1, x, np.minimum(x, 0)),
    "smooth_abs(x, 0.1)": lambda x: np.sqrt(x**2 + 0.01) - 0.1,
    "l2(x, 0.1)": lambda x: np.sqrt(x**2 + 0.01) - 0.1,
    "l2(x, 0)": abs,
    "quadratic(x)": lambda x: 0.5 * x**2,
    "cosh(x, 0.5)": lambda x: 0.25 * (np.cosh(x / 0.5) - 1),
    "power(x, 1.5)": lambda x: abs(x) ** 1.5,
    "rectify(x, 0.5)": lambda x: 0.5 * np.log1p(np.exp(x / 0.5)),
    "rectify(x, 0)": lambda x: np.maximum(x, 0),
    "x ** 3": lambda x: x**3,
    "x ** -2": lambda x: x**-2.0,
    "x ** 0": np.ones_like,
    "hamacher(clip(x, 0, 1), 0.5)": lambda x: np.where(x > 0, 1 / (1 / np.clip(x, 0, 1) + 1), 0),
    "x % 2": lambda x: np.mod(x, 2),
    "1 < x + 2 <= 2.5": lambda x: (x + 2 > 1) & (x + 2 <= 2.5),
}


def value(text: str, signals: dict[str, Array] | None = None, rows: int = 1) -> Array:
    """The core's value of an expression after one step; the twin must agree."""
    program = compile_expression(text, SIGNALS, dt=DT)
    given = signals or {}
    core, twin = CoreRun(program, rows), program.reference(rows)
    everyone = np.ones(rows, bool)
    core.reset(given, everyone)
    twin.reset(given, everyone)
    result = core.step(given)["value"]
    np.testing.assert_allclose(twin.step(given)["value"], result, rtol=1e-6, atol=1e-12)
    return result


@pytest.mark.parametrize("name", TOLERANCE)
def test_tolerance_equals_its_table(name: str) -> None:
    x = np.array([[0.5], [1.0], [2.0], [10.0], [0.0], [-0.5]])
    got = value(f"tolerance(x, -1, 0, 1, sigmoid='{name}')", {"x": x}, 6)[:, 0]
    np.testing.assert_allclose(got[:4], TOLERANCE[name], atol=1e-6)
    assert got[4] == got[5] == 1.0


@pytest.mark.parametrize("text", TEXTBOOK)
def test_operation_equals_its_textbook_formula(text: str) -> None:
    got = value(text, {"x": XS[:, None]}, len(XS))[:, 0]
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(got, TEXTBOOK[text](XS), rtol=3e-6, atol=1e-7)


@pytest.mark.parametrize("kernel", ["gauss(x, 1)", "laplace(x, 1)", "tanh1m(x, 1)", "inverse(x, 1)"])
def test_kernels_are_exact_at_the_edges(kernel: str) -> None:
    x = np.array([[0.0], [1e-45], [1e30], [np.inf], [np.nan]])
    got = value(kernel, {"x": x}, 5)[:, 0]
    assert list(got[:4]) == [1.0, 1.0, 0.0, 0.0]
    assert np.isnan(got[4])


def test_kernel_with_a_scale_of_zero_is_the_indicator() -> None:
    x = np.array([[0.0], [0.1], [np.nan]])
    for text in ("gauss(x, y)", "tolerance(x, 0, 0, y)"):
        got = value(text, {"x": x, "y": np.zeros((3, 1))}, 3)[:, 0]
        assert list(got[:2]) == [1.0, 0.0]
        assert np.isnan(got[2])


@pytest.mark.parametrize("norm", ["smooth_abs(x, 0.1)", "l2(x, 0.1)", "quadratic(x)", "power(x, 2)"])
def test_norms_are_finite_for_finite_numbers_and_infinite_at_infinity(norm: str) -> None:
    got = value(norm, {"x": np.array([[0.0], [1e30], [-1e30], [np.inf], [np.nan]])}, 5)[:, 0]
    assert got[0] == 0
    assert np.isfinite(got[:3]).all()
    assert got[3] == np.inf
    assert np.isnan(got[4])


def test_branch_not_chosen_leaves_no_trace() -> None:
    got = value("where(x > 0, log(x), 0)", {"x": np.array([[-1.0], [1.0]])}, 2)[:, 0]
    assert list(got) == [0.0, 0.0]


def test_reductions_take_the_innermost_dimension_or_the_named_axis() -> None:
    foot = {"foot": np.arange(12.0)[None]}
    assert value("norm(foot)[0]", foot)[0, 0] == pytest.approx(math.sqrt(5))
    assert list(value("sum(foot, over='feet')", foot)[0]) == [18, 22, 26]
    assert value("sum(norm1(foot))", foot)[0, 0] == 66
    assert value("max(foot, over='feet')[2]", foot)[0, 0] == 11
    assert list(value("foot[['RL', 'FL'], :2]", foot)[0]) == [6, 7, 0, 1]
    assert list(value("foot['R*', 2]", foot)[0]) == [8, 11]
    assert value("std(foot['FR'])", foot)[0, 0] == pytest.approx(math.sqrt(2 / 3))


def test_rotation_by_a_quarter_turn() -> None:
    half = math.sqrt(0.5)
    q = {"base_quat": np.array([[half, 0, 0, half]])}  # 90 degrees to the left
    np.testing.assert_allclose(value("rotate(base_quat, [1, 0, 0])", q)[0], [0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(value("rotate_inv(base_quat, [0, 1, 0])", q)[0], [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(value("yaw(base_quat)", q), math.pi / 2, rtol=1e-6)
    np.testing.assert_allclose(value("to_yaw(base_quat, [0, 1, 5])", q)[0], [1, 0, 5], atol=1e-6)
    np.testing.assert_allclose(value("gravity(base_quat)", q)[0], [0, 0, -1], atol=1e-6)
    pitched = {"base_quat": np.array([[half, 0, half, 0]])}  # nose straight down
    np.testing.assert_allclose(value("pitch(base_quat)", pitched), math.pi / 2, rtol=1e-3)
    np.testing.assert_allclose(value("gravity(base_quat)", pitched)[0], [1, 0, 0], atol=1e-6)
    both = {**q, "other_quat": -q["base_quat"]}
    assert value("rot_angle(base_quat, other_quat)", both)[0, 0] == 0
    assert value("rot_angle(base_quat, qconj(other_quat))", both)[0, 0] == pytest.approx(math.pi)


def test_difference_of_two_signals_is_taken_in_double() -> None:
    program = compile_expression("rate(y)", SIGNALS, dt=DT)
    core = CoreRun(program, 1)
    core.reset({"y": np.array([[100.0]])}, np.ones(1, bool))
    got = core.step({"y": np.array([[100.0 + 1e-7]])})["value"][0, 0]
    assert got == pytest.approx(1e-7 / DT, rel=1e-5)


CONTACT = [1, 1, 0, 0, 0, 1, 1, 0, 1]
TEMPORAL = {
    "air_time(on)": [0, 0, 1 * DT, 2 * DT, 3 * DT, 0, 0, DT, 0],
    "contact_time(on)": [0, DT, 0, 0, 0, DT, 2 * DT, 0, DT],
    "first_contact(on)": [0, 0, 0, 0, 0, 1, 0, 0, 1],
    "last_air_time(on)": [0, 0, 0, 0, 0, 3 * DT, 3 * DT, 3 * DT, DT],
    "count_steps(on)": [0, 1, 1, 1, 1, 2, 3, 3, 4],
    "since(on)": [0, 0, DT, 2 * DT, 3 * DT, 0, 0, DT, 0],
    "hold(on, 0.04)": [0, 0, 0, 0, 0, 0, 1, 0, 0],
    "latch(not on)": [0, 0, 1, 1, 1, 1, 1, 1, 1],
    "prev(num(on), 2)": [1, 1, 1, 1, 0, 0, 0, 1, 1],
    "delta(num(on))": [0, 0, -1, 0, 0, 1, 0, -1, 1],
    "initial(num(on))": [1] * 9,
    "running_min(num(on))": [1, 1, 0, 0, 0, 0, 0, 0, 0],
    "running_mean(num(on))": [0, 1, 1 / 2, 1 / 3, 1 / 4, 2 / 5, 3 / 6, 3 / 7, 4 / 8],
    "step": list(range(9)),
    "time": [DT * i for i in range(9)],
    "cycle(12.5, 0.25)": [0.75, 0, 0.25, 0.5, 0.75, 0, 0.25, 0.5, 0.75],
}


@pytest.mark.parametrize("text", TEMPORAL)
def test_memory_follows_a_hand_written_history(text: str) -> None:
    program = compile_expression(text, SIGNALS, dt=DT)
    core = CoreRun(program, 1)
    rows = [{"on": np.array([[c]], bool)} for c in CONTACT]
    got = [core.reset(rows[0], np.ones(1, bool))["value"]] + [core.step(r)["value"] for r in rows[1:]]
    np.testing.assert_allclose(np.ravel(got), TEMPORAL[text], atol=1e-6)
