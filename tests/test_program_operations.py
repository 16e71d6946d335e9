"""Every operation of the language, at every edge value, in the core as in the twin."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from program_twins import EDGES, SIGNALS, Array, CoreRun, both
from pyembody.program import OPERATIONS, compile_expression
from pyembody.program.operations import Flag
from pyembody.spec import SpecError

DT = 0.02
ROWS = (1, 64, 130)
SAMPLES = {  # operation: uses of it, over x, y, v, w, force, foot, long, on, contact, other_quat
    "abs": ["abs(v)"],
    "acos": ["acos(x)"],
    "air_time": ["air_time(contact)"],
    "all": ["all(contact)"],
    "any": ["any(contact)"],
    "asin": ["asin(x)"],
    "atan2": ["atan2(x, y)"],
    "body_z": ["body_z(other_quat)"],
    "chebyshev": ["chebyshev(v, [1, 2, 0.5], [0.1, 0, -1])"],
    "clip": ["clip(x, -1, y)"],
    "contact_time": ["contact_time(on)"],
    "cos": ["cos(x)"],
    "cosh": ["cosh(v, 0.5)"],
    "cosine": ["cosine(v, w)"],
    "count": ["count(contact)"],
    "count_steps": ["count_steps(on)"],
    "cross": ["cross(v, w)"],
    "cycle": ["cycle(rate(y), 0.25)", "cycle(rate(y), x)"],
    "deadzone": ["deadzone(x, 0.5)"],
    "delta": ["delta(y)"],
    "dot": ["dot(v, w)"],
    "ema": ["ema(y, 0.1)", "ema(x, 0)", "ema(x, y * dt)", "ema(foot, abs(x) * dt)"],
    "episodic_count": ["episodic_count(floor(x), 4)", "episodic_count(floor(force))"],
    "exp": ["exp(x)"],
    "expm1": ["expm1(x)"],
    "first_contact": ["first_contact(contact)"],
    "floor": ["floor(x)"],
    "gate": ["gate(on, x)"],
    "gauss": ["gauss(v, 0.25)", "gauss(x, y)"],
    "geomean": ["geomean(x)", "geomean(x, y)", "geomean(x, y, v[0], sign='all')", "geomean(x, y, 2, 3, eps=1e-3)"],
    "gravity": ["gravity(other_quat)"],
    "hamacher": ["hamacher(sigmoid(x), sigmoid(y), 0.5)", "hamacher(x, y)"],
    "hold": ["hold(on, 0.03)", "hold(on, abs(x) * dt)"],
    "huber": ["huber(x, 0.5)"],
    "initial": ["initial(y)"],
    "inverse": ["inverse(x, y)", "inverse(v, 0.5, 2)"],
    "isfinite": ["isfinite(x)"],
    "l2": ["l2(foot, 0.1)"],
    "l22": ["l22(v, 0.1)", "l22(v, 0.1, 3)", "l22(x, y, 1.5)"],
    "laplace": ["laplace(x, y)"],
    "last_air_time": ["last_air_time(contact)"],
    "latch": ["latch(on)"],
    "lex": ["lex(x, 0.5, y)"],
    "limit_violation": ["limit_violation(x, y, 1)"],
    "log": ["log(x)"],
    "log1p": ["log1p(x)"],
    "logistic": ["logistic(x, 2)"],
    "max": ["max(x, y)", "max(long)"],
    "mean": ["mean(long)"],
    "mean_min_dist": ["mean_min_dist(foot, goals)", "mean_min_dist(goals, foot)", "mean_min_dist(foot, many)"],
    "min": ["min(x, y)", "min(foot, over='feet')"],
    "min_dist": ["min_dist(foot, goals)", "min_dist(v, foot)", "min_dist(foot, many)"],
    "near": ["near(x, y, 0.1)"],
    "norm": ["norm(foot)", "norm(x)"],
    "norm1": ["norm1(v)"],
    "norminf": ["norminf(v)"],
    "normsq": ["normsq(long)"],
    "num": ["num(contact)"],
    "number": ["number(dt, 'ms')"],
    "pitch": ["pitch(other_quat)"],
    "potential": ["potential(y, 0.9, on)", "potential(x, y, on)"],
    "power": ["power(v, 1.5)"],
    "prev": ["prev(foot, 3)"],
    "prod": ["prod(long)", "prod(x, y)"],
    "qconj": ["qconj(other_quat)[1:]"],
    "qmul": ["qmul(other_quat, base_quat)[0]"],
    "quadratic": ["quadratic(v)"],
    "ramp": ["ramp(x, -1, y)"],
    "rate": ["rate(v)"],
    "rectify": ["rectify(v, 0.1)"],
    "risk": ["risk(x, y)", "risk(x, 0)", "risk(x, 0.5)"],
    "roll": ["roll(other_quat)"],
    "rot_angle": ["rot_angle(other_quat, base_quat)"],
    "rotate": ["rotate(other_quat, v)"],
    "rotate_inv": ["rotate_inv(other_quat, foot)"],
    "running_max": ["running_max(y)"],
    "running_mean": ["running_mean(y)"],
    "running_min": ["running_min(y)"],
    "safe_div": ["safe_div(x, y, 0.01)"],
    "sigmoid": ["sigmoid(x)"],
    "sign": ["sign(v)"],
    "sin": ["sin(x)"],
    "since": ["since(on)"],
    "smooth_abs": ["smooth_abs(foot, 0.1)"],
    "smooth_abs2": ["smooth_abs2(v, 0.1)", "smooth_abs2(x, 0.2, 4)"],
    "spow": ["spow(x, 0.7)"],
    "sqrt": ["sqrt(x)"],
    "square": ["square(x)"],
    "squash": [
        "squash(x, 'sigmoid', 2, y)",
        "squash(v, 'tanh')",
        "squash(x, 'atan', 0.5)",
        "squash(x, 'clip', 2, [0, 1, 2])",
    ],
    "std": ["std(long)"],
    "sum": ["sum(long)", "sum(foot, over='feet')"],
    "tanh": ["tanh(x)"],
    "tanh1m": ["tanh1m(x, y)"],
    "to_local": ["to_local(v, other_quat, w)"],
    "to_yaw": ["to_yaw(other_quat, v)"],
    "tolerance": ["tolerance(x, -1, 1, y)", "tolerance(x, y, inf, 1, sigmoid='cosine')"],
    "unit": ["unit(v)"],
    "unwrap": ["unwrap(x)", "unwrap(y)"],
    "var": ["var(long)"],
    "where": ["where(on, x, y)"],
    "wrap_pi": ["wrap_pi(x)"],
    "wsum": ["wsum(v, [1, 2, 3])"],
    "xor": ["xor(on, x > 0)"],
    "yaw": ["yaw(other_quat)"],
}
USES = [text for texts in SAMPLES.values() for text in texts]
OUTSIDE = {"table", "learned", "kernel", "normalise"}  # need a task; test_program_external.py


def test_every_operation_has_a_sample() -> None:
    assert set(SAMPLES) == {name for name, o in OPERATIONS.items() if o.public} - OUTSIDE


@pytest.mark.parametrize("text", [*USES, "x % y", "y % v[0]", "(x * 1e9) % 0.7"])
def test_operation_agrees_with_the_twin_at_edge_values(text: str) -> None:
    program = compile_expression(text, SIGNALS, dt=DT)
    for seed, (rows, edges) in enumerate(product(ROWS, (0.0, 0.5))):
        for twin, core in both(program, rows, seed, steps=6, edges=edges):
            np.testing.assert_allclose(core, twin, rtol=2e-6, atol=1e-30, err_msg=text)


PAIRS = np.array(np.meshgrid(EDGES, EDGES)).reshape(2, -1)


def value(text: str, **signals: Array) -> Array:
    """The core's value of one step, by row."""
    rows = len(next(iter(signals.values())))
    core = CoreRun(compile_expression(text, SIGNALS, dt=DT), rows)
    given = {name: np.asarray(v, float).reshape(rows, -1) for name, v in signals.items()}
    core.reset(given, np.ones(rows, bool))
    return core.step(given)["value"][:, 0]


def test_remainder_is_exact_at_any_quotient() -> None:
    x, m = (p.astype(np.float32).astype(float) for p in PAIRS)
    with np.errstate(all="ignore"):
        wanted = np.where((m > 0) & np.isfinite(m), np.mod(x, m), np.nan).astype(np.float32)
        wanted = np.where(wanted >= m, np.float32(0), wanted)
    np.testing.assert_array_equal(value("x % y", x=x, y=m), wanted)
    big = np.float32([3e9, -3e9, 1e30, 16777217 * 64])
    np.testing.assert_array_equal(value("x % 7", x=big), np.mod(big.astype(float), 7).astype(np.float32))


@pytest.mark.parametrize("text", ["l22(x, 0.1)", "l22(x, 0.1, 3)", "smooth_abs2(x, 0.1, 4)", "risk(x, 0)"])
def test_norms_are_finite_for_finite_numbers_zero_at_zero_and_infinite_at_infinity(text: str) -> None:
    got = value(text, x=[0.0, 1e30, 1e-20, np.inf, np.nan])
    assert got[0] == 0
    assert np.isfinite(got[:3]).all()
    assert got[3] == np.inf
    assert np.isnan(got[4])


TEXTBOOK = {
    "l22(x, 0.5)": lambda x: np.sqrt(x**2 + 0.25) - 0.5,
    "l22(x, 0.5, 3)": lambda x: (abs(x) ** 3 + 0.125) ** (1 / 3) - 0.5,
    "smooth_abs2(x, 0.5, 1.5)": lambda x: (abs(x) ** 1.5 + 0.5**1.5) ** (1 / 1.5) - 0.5,
    "risk(x, 0.5)": lambda x: np.expm1(0.5 * x) / 0.5,
    "risk(x, -2)": lambda x: np.expm1(-2 * x) / -2,
    "geomean(x, 2)": lambda x: np.sign(x) * np.sqrt(abs(x) * 2),
    "geomean(x, 2, 4)": lambda x: np.cbrt(x * 8),
    "geomean(x, -2, sign='all')": lambda x: -np.sqrt(2 * abs(x)),
    "geomean(x, 1, eps=0.01)": lambda x: np.where(x < 0, -1, 1) * np.sqrt(np.maximum(abs(x), 0.01)),
    "lex(x, 0.5, 3)": lambda x: np.where(x < 0.5, x, 3.5),
    "chebyshev([x, 2 * x], [1, 3], [0, 1])": lambda x: -np.maximum(abs(x), 3 * abs(2 * x - 1)),
    "squash(x, 'sigmoid', 2, 1)": lambda x: 1 / (1 + np.exp(-2 * (x - 1))),
    "squash(x, 'atan', 2)": lambda x: np.arctan(2 * x) * 2 / np.pi,
    "squash(x, 'tanh', 1, [0, 2])": lambda x: (np.tanh(x) + np.tanh(x - 2)) / 2,
    "squash(x, 'clip', 0.5)": lambda x: np.clip(x / 2, -1, 1),
}


@pytest.mark.parametrize("text", TEXTBOOK)
def test_operation_equals_its_textbook_formula(text: str) -> None:
    x = np.array([-3.0, -0.25, 0.0, 1e-4, 0.5, 1.5, 7.0])
    np.testing.assert_allclose(value(text, x=x), TEXTBOOK[text](x), rtol=3e-6, atol=1e-7)


def test_hamacher_does_not_underflow_and_is_one_for_ones() -> None:
    assert value("hamacher(x, x)", x=[1e-30])[0] == np.float32(5e-31)
    assert value("hamacher(x, 1, 1)", x=[1.0, 0.0]).tolist() == [1.0, 0.0]


def test_distances_between_sets_of_points() -> None:
    feet = np.arange(12.0)
    goals = np.array([0.0, 1, 2, 100, 100, 100])
    assert value("min_dist(foot, goals)", foot=[feet], goals=[goals])[0] == 0
    gaps = math.sqrt(3) * np.array([0, 3, 6, 9])
    assert value("mean_min_dist(foot, goals)", foot=[feet], goals=[goals])[0] == pytest.approx(gaps.mean())
    assert value("min_dist(v, foot)", foot=[feet], v=[[3, 4, 6]])[0] == 1


def history(text: str, signals: dict[str, list[float]]) -> tuple[list[float], list[int]]:
    """Values at reset and at each step, and the flags."""
    core = CoreRun(compile_expression(text, SIGNALS, dt=DT), 1)
    rows = [
        dict(zip(signals, np.array(values).reshape(-1, 1, 1), strict=True))
        for values in zip(*signals.values(), strict=True)
    ]
    got = [core.reset(rows[0], np.ones(1, bool))["value"][0, 0]]
    flags = [int(core.flags[0])]
    for row in rows[1:]:
        got.append(core.step(row)["value"][0, 0])
        flags.append(int(core.flags[0]))
    return [float(v) for v in got], flags


def test_unwrap_follows_an_angle_over_whole_turns() -> None:
    angles = np.linspace(0, 20, 30)
    wrapped = np.mod(angles + np.pi, 2 * np.pi) - np.pi
    got, _ = history("unwrap(y)", {"y": list(wrapped)})
    np.testing.assert_allclose(got, angles, atol=1e-5)


def test_potential_pays_the_discounted_change_and_nothing_remains_once_terminated() -> None:
    got, _ = history("potential(y, 0.5, on)", {"y": [1.0, 2.0, 8.0, 8.0], "on": [0, 0, 0, 1]})
    assert got == [0, 0.5 * 2 - 1, 0.5 * 8 - 2, 0 - 8]


def test_episodic_count_counts_each_key_and_flags_others() -> None:
    got, flags = history("episodic_count(floor(x), 3)", {"x": [0, 1, 2, 1, 3, 1.5, -1]})
    assert got == [0, 1, 1, 2, 0, 3, 0]
    assert [bool(f & Flag.KEY_OVERFLOW) for f in flags] == [False, False, False, False, True, False, True]


def test_numbers_of_memory_may_be_expressions() -> None:
    steps = {"y": [0.0, 1, 1, 1], "x": [2.0] * 4, "on": [1, 1, 1, 1]}
    fixed, _ = history("ema(y, 0.04)", steps)
    np.testing.assert_allclose(history("ema(y, x * dt)", steps)[0], fixed, rtol=1e-6)
    assert history("hold(on, x * dt)", steps)[0] == history("hold(on, 0.04)", steps)[0] == [0, 0, 1, 1]
    np.testing.assert_allclose(
        history("cycle(12.5, x / 8)", steps)[0], history("cycle(12.5, 0.25)", steps)[0], atol=1e-6
    )


@pytest.mark.parametrize(
    ("text", "signals", "flag"),
    [
        ("gauss(x, y)", {"x": [1, 1, 1], "y": [1, 1, 0]}, Flag.BAD_SCALE),
        ("tolerance(x, 0, 1, y)", {"x": [1, 1, 1], "y": [1, 1, -1]}, Flag.BAD_SCALE),
        ("acos(x)", {"x": [1, 1.00005, 1.001]}, Flag.DOMAIN),
        ("hamacher(x, 1)", {"x": [1, 1.0000004, 1.001]}, Flag.DOMAIN),
    ],
)
def test_odd_arguments_are_counted(text: str, signals: dict[str, list[float]], flag: Flag) -> None:
    _, flags = history(text, signals)
    assert [f & flag for f in flags] == [0, 0, flag]


def test_quat_that_is_not_of_unit_length_is_counted() -> None:
    core = CoreRun(compile_expression("yaw(other_quat)", SIGNALS), 3)
    quats = np.array([[1, 0, 0, 0], [1.0005, 0, 0, 0], [1.002, 0, 0, 0]])
    core.step({"other_quat": quats})
    assert [int(f) for f in core.flags] == [0, 0, Flag.QUAT_NORM]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("geomean(x, y, sign='al')", "did you mean 'all'?"),
        ("squash(x, 'sigmoi')", "did you mean 'sigmoid'?"),
        ("squash(x, 'tanh', 1, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])", "at most 10 references, got 11"),
        ("l22(x, 0.1, 0.5)", "q: expected a number of at least 1"),
        ("episodic_count(x)", "expected whole numbers"),
        ("episodic_count(floor(x), 2000)", "keys: expected 1 to 1024"),
        ("potential(x)", "argument 'gamma' is missing; only a term has one"),
        ("min_dist(foot, [1, 2])", "equal widths"),
        ("min_dist(long, many)", "equal widths"),
    ],
)
def test_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        compile_expression(text, SIGNALS)
    assert message in str(caught.value)
