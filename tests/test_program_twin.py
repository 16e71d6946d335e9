"""The C++ core gives what the twin says, over drawn expressions, shapes and edge values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from program_twins import SIGNALS, Array, CoreRun, both, draw
from pyembody.program import CompiledProgram, compile_expression

ROWS = (1, 63, 64, 65, 130)
Draw = st.DrawFn

LEAVES = {
    "scalar": [
        "x",
        "y",
        "v[0]",
        "w[-1]",
        "force['FR']",
        "foot['RL'][2]",
        "long[18]",
        "0.5",
        "-2",
        "number(dt, 's')",
        "number(time, 'ms')",
        "step",
    ],
    "vector": [
        "v",
        "w",
        "foot['FL']",
        "[1, 0.5, -2]",
        "offset",
        "long[3:6]",
        "foot[2]",
        "v[[2, 0, 0]]",
    ],
    "feet": ["force", "foot[:, 2]", "foot[:, 0]", "force[:]"],
    "points": ["foot"],
    "bool": ["on", "contact['FL']", "True"],
    "flags": ["contact"],
    "long": ["long"],
    "quat": ["other_quat"],
}
SAME = [
    "{a} + {b}",
    "{a} - {b}",
    "{a} * {b}",
    "{a} / {b}",
    "{a} % {b}",
    "min({a}, {b})",
    "max({a}, {b})",
    "-{a}",
    "abs({a})",
    "square({a})",
    "sign({a})",
    "floor({a})",
    "{a} ** 3",
    "{a} ** -2",
    "sqrt({a})",
    "clip({a}, {b}, 1)",
    "where({bool}, {a}, {b})",
    "{a} if {bool} else {b}",
    "safe_div({a}, {b}, 0.1)",
    "deadzone({a}, 0.1)",
    "limit_violation({a}, -1, 1)",
    "ramp({a}, -1, 2)",
    "huber({a}, 1)",
    "wrap_pi({a})",
    "gate({bool}, {a})",
    "prev({a})",
    "prev({a}, 3)",
    "delta({a})",
    "rate({a}) * dt",
    "initial({a})",
    "running_max({a})",
    "running_min({a})",
    "running_mean({a})",
    "unwrap({a})",
    "min({a}, {b}, 0)",
    "lex({a}, 0.5, {b})",
]
RULES = {
    "scalar": [
        *SAME,
        "sum({vector})",
        "mean({vector})",
        "var({vector})",
        "std({long})",
        "sum({long})",
        "norm({long})",
        "norm({vector})",
        "normsq({vector})",
        "norm1({vector})",
        "norminf({vector})",
        "min({vector})",
        "max({long})",
        "prod({vector})",
        "dot({vector}, {vector})",
        "cosine({vector}, {vector})",
        "sum({feet})",
        "mean({feet})",
        "num({bool})",
        "count({flags})",
        "number(since({bool}), 's')",
        "count_steps({bool})",
        "number(air_time({bool}), 'ms')",
        "cycle(rate({scalar}), 0.25)",
        "mean(norm({points}))",
        "min_dist({points}, foot)",
        "mean_min_dist(goals, {points})",
        "potential({a}, 0.9, {bool})",
        "episodic_count(floor({a}), 8)",
        "chebyshev({vector}, [1, 2, 3], {vector})",
        "geomean({a})",
        "squash({a}, 'clip', 2, {b})",
    ],
    "vector": [
        *SAME,
        "cross({a}, {b})",
        "unit({a})",
        "{a} * {scalar}",
        "{scalar} - {a}",
        "sum({points}, over='feet')",
        "rotate({quat}, {a})",
        "rotate_inv({quat}, {a})",
        "body_z({quat})",
        "gravity({quat})",
        "[{scalar}, {scalar}, 1]",
        "to_local({a}, {quat}, {b})",
        "max({points}, over='feet')",
    ],
    "feet": [
        *SAME,
        "norm({points})",
        "sum({points})",
        "{a} * {scalar}",
        "air_time({flags}) / dt",
        "contact_time({flags}) / dt",
        "last_air_time({flags}) / dt",
        "num({flags})",
        "dot({points}, {vector})",
        "where({flags}, {a}, {scalar})",
    ],
    "points": [
        *SAME,
        "{a} * {feet}",
        "{a} - {vector}",
        "cross({a}, {vector})",
        "rotate({quat}, {a})",
    ],
    "long": ["{a} + {b}", "{a} * {scalar}", "abs({a})", "delta({a})"],
    "bool": [
        "{scalar} < {scalar}",
        "{scalar} >= {scalar}",
        "{scalar} <= {scalar} < {scalar}",
        "{a} and {b}",
        "{a} or {b}",
        "not {a}",
        "xor({a}, {b})",
        "any({flags})",
        "all({flags})",
        "isfinite({scalar})",
        "near({scalar}, {scalar}, 1)",
        "latch({a})",
        "hold({a}, 0.03)",
        "first_contact({a})",
        "{a} == {b}",
        "{a} != {b}",
        "prev({a}, 2)",
        "all(abs({vector}) < 2)",
    ],
    "flags": [
        "{feet} > {scalar}",
        "{a} and {b}",
        "not {a}",
        "prev({a})",
        "first_contact({a})",
        "{a} or {bool}",
    ],
    "quat": ["qmul({a}, {b})", "qconj({a})"],
}
CURVED = [
    "exp({a})",
    "log({a})",
    "log1p({a})",
    "expm1({a})",
    "tanh({a})",
    "sigmoid({a})",
    "sin({a})",
    "cos({a})",
    "asin({a})",
    "acos({a})",
    "atan2({a}, {b})",
    "abs({a}) ** 0.5",
    "abs({a}) ** 1.7",
    "spow({a}, 0.3)",
    "geomean({a}, {b})",
    "l22({a}, 0.1, 3)",
    "smooth_abs2(foot, 0.1)",
    "risk({a}, 0.5)",
    "squash({a}, 'atan', 2, {b})",
    "ema({a}, abs({b}) * dt)",
    "cycle(rate(y), {a})",
    "gauss({a}, 0.25)",
    "laplace({a}, {b})",
    "tanh1m({a}, 0.5)",
    "inverse({a}, 2)",
    "logistic({a}, 0.5)",
    "ema({a}, 0.1)",
    "smooth_abs({a}, 0.1)",
    "l2({a}, 0.1)",
    "quadratic({a})",
    "rectify({a}, 0.1)",
    "hamacher({a}, {b}, 0.5)",
    "gauss(foot, 0.25)",
    "laplace(v - w, 0.5)",
    "gauss(force, 0.5)",
    "l2(foot, 0.1)",
    "smooth_abs(force, 0.1)",
    "tolerance(force, -1, 1, 2, sigmoid='cosine')",
    "tolerance(foot, -1, 1, abs(foot), sigmoid='tanh_squared')",
    "atan2(foot[:, 1], force)",
    "ema(foot, 0.1)",
    "sigmoid(force) * foot",
    "tolerance({a}, -1, 1, 2)",
    "tolerance({a}, -1, 1, {b}, sigmoid='linear')",
    "yaw({quat})",
    "pitch({quat})",
    "roll({quat})",
    "rot_angle({quat}, {quat})",
    "sum(to_yaw({quat}, {vector}))",
]


@st.composite
def expression(draw: Draw, kind: str, depth: int) -> str:
    """An expression of a kind, from operations that round the same way everywhere."""
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from(LEAVES[kind]))
    text = draw(st.sampled_from(RULES[kind]))
    for name in (*LEAVES, "a", "b"):
        while "{" + name + "}" in text:
            part = draw(expression(kind if name in ("a", "b") else name, depth - 1))
            text = text.replace("{" + name + "}", f"({part})", 1)
    return text


def drawn(kinds: tuple[str, ...], depth: int) -> st.SearchStrategy[str]:
    """Expressions of any of `kinds`."""
    return st.sampled_from(kinds).flatmap(lambda kind: expression(kind, depth))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    drawn(("scalar", "vector", "feet", "points", "bool", "flags"), 3),
    st.sampled_from(ROWS),
    st.integers(0, 99),
)
def test_core_equals_twin_bit_for_bit(text: str, rows: int, seed: int) -> None:
    program = compile_expression(text, SIGNALS)
    for twin, core in both(program, rows, seed):
        np.testing.assert_array_equal(core, twin)


@pytest.mark.parametrize("text", CURVED)
def test_core_equals_twin_to_rounding_for_curved_functions(text: str) -> None:
    filled = text.format(a="x", b="y", quat="other_quat", vector="v")
    program = compile_expression(filled, SIGNALS)
    for seed, rows in enumerate(ROWS):
        for twin, core in both(program, rows, seed):
            np.testing.assert_allclose(core, twin, rtol=2e-6, atol=1e-7, err_msg=filled)


MEMORY = (
    "[sum(ema(foot[:, 0], 0.1)), norm(rate(v)) * dt, sum(air_time(contact)) / dt, running_mean(x), prev(y, 3), "
    "unwrap(y), potential(x, 0.9, on), episodic_count(floor(y), 8), ema(x, abs(y) * dt), num(hold(on, abs(x) * dt)), "
    "cycle(12.5, y), sum(last_air_time(contact)) / dt, number(since(on), 's'), running_max(y), count_steps(on), "
    "num(latch(on)), initial(x), sum(delta(force)), number(time, 's')]"
)


def run(core: CoreRun, signals: list[dict[str, Array]]) -> list[Array]:
    """The values of a reset of every row and the steps after it."""
    rows = len(core.flags)
    first = core.reset(signals[0], np.ones(rows, bool))["value"]
    return [first, *(core.step(s)["value"] for s in signals[1:])]


def history(rows: int, seed: int) -> list[dict[str, Array]]:
    """Signals of six steps."""
    rng = np.random.default_rng(seed)
    return [draw(remembering(), rows, rng, 0.0) for _ in range(6)]


def remembering() -> CompiledProgram:
    """A program with memory of several kinds."""
    return compile_expression(MEMORY, SIGNALS)


def test_reset_leaves_no_trace_of_the_episode_before() -> None:
    program, a, b = remembering(), history(65, 1), history(65, 2)
    used = CoreRun(program, 65)
    run(used, a)
    np.testing.assert_array_equal(run(used, b), run(CoreRun(program, 65), b))


def test_row_order_and_threads_change_no_bit() -> None:
    program, signals = remembering(), history(130, 3)
    order = np.random.default_rng(4).permutation(130)
    turned = [{name: values[order] for name, values in s.items()} for s in signals]
    plain = np.array(run(CoreRun(program, 130), signals))
    np.testing.assert_array_equal(np.array(run(CoreRun(program, 130, threads=2), turned)), plain[:, order])
