"""From raw terms to channels: clip, weight, combination, floor, terminal values, guards, and their lines."""

from __future__ import annotations

import tomllib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from program_twins import EDGES, Array, CoreRun
from pyembody.program import CompiledTask, compile_task
from pyembody.program.operations import Flag
from pyembody.spec import Signal, SpecError, Task, convert

DT = 0.02
SIGNALS = {s.name: s for s in (Signal("x", source="s"), Signal("y", source="s"), Signal("on", "bool", source="s"))}
HEAD = """
name = "example"
observations.policy.x = "x"
terminations.fall = "on"
"""


def task(text: str) -> CompiledTask:
    """A task of a few lines, compiled."""
    return compile_task(convert(tomllib.loads(HEAD + text), Task, "example"), SIGNALS, dt=DT)


def step(
    program: CompiledTask, params: dict[str, float] | None = None, **given: Any
) -> tuple[dict[str, Array], CoreRun]:
    """One step of core and twin, which must agree bit for bit."""
    n = len(next(iter(given.values())))
    signals = {s.name: np.zeros((n, s.lanes)) for s in program.inputs}
    signals |= {name: np.array(values, float).reshape(n, -1) for name, values in given.items()}
    core, twin = CoreRun(program, n), program.reference(n)
    program.set_params(core.params, params or {})
    program.set_params(twin.params, params or {})
    got, wanted = core.step(signals), twin.step(signals)
    for name, array in wanted.items():
        np.testing.assert_array_equal(got[name], array, err_msg=name)
    np.testing.assert_array_equal(core.flags, twin.flags)
    np.testing.assert_array_equal(core.bad_term, twin.bad_term)
    return got, core


@pytest.mark.parametrize(
    ("combine", "weights", "x", "y", "wanted"),
    [
        ("product", (1, 1), 0.5, 0.5, 0.25),
        ("product", (2, 0.5), 0.5, 0.25, 0.125),
        ("product", (1, 1), 0.5, 0.0, 0.0),
        ("geomean", (1, 1), 0.5, 0.125, 0.25),
        ("geomean", (3, 1), 0.25, 4.0, 0.5),
        ("min", (1, 1), 0.5, 0.25, 0.25),
        ("hamacher", (1, 1), 0.5, 0.5, 1 / 3),
        ("hamacher", (1, 1), 1.0, 1.0, 1.0),
    ],
)
def test_channel_combines_its_terms(
    combine: str, weights: tuple[float, float], x: float, y: float, wanted: float
) -> None:
    program = task(
        f"""
        [channels.task]
        combine = "{combine}"
        gain = 3.0
        terms.a = {{ expr = "x", weight = {weights[0]} }}
        terms.b = {{ expr = "y", weight = {weights[1]} }}
        """
    )
    got, _ = step(program, x=[x], y=[y])
    np.testing.assert_allclose(got["channels"][0, 0], 3 * DT * wanted, rtol=1e-6)
    np.testing.assert_array_equal(got["raw"], np.float32([[x, y]]))
    np.testing.assert_array_equal(got["weighted"], [[0, 0]])
    assert program.line_names == (f"task.{combine}",)
    np.testing.assert_array_equal(got["lines"], got["channels"])


def test_a_combination_without_rate_is_not_multiplied_by_the_step() -> None:
    got, _ = step(task('channels.task = { combine = "min", scale = "none", terms.a.expr = "x" }'), x=[2.0])
    assert got["channels"][0, 0] == 2.0


EVERYTHING = """
[channels.task]
floor = -1.0
terms.a = { expr = "x", weight = 2.0, scale = "none", clip = [-3.0, 4.0] }
terms.b = { expr = "y", weight = 0.1, scale = "none" }
[channels.style]
floor = 0.0
terms.c = { expr = "-x" }
[terminal.fall]
value = -5.0
[terminal.done]
value = 7.0
mode = "set"
when = "y > 2"
channel = "style"
"""


def test_clip_is_applied_before_the_weight_and_counted() -> None:
    got, core = step(task(EVERYTHING), x=[5.0, -4.0, 1.0])
    np.testing.assert_array_equal(got["raw"][:, 0], [5, -4, 1])
    np.testing.assert_array_equal(got["weighted"][:, 0], [8, -6, 2])
    assert list(core.flags) == [Flag.CLIPPED, Flag.CLIPPED, 0]


def test_floor_comes_before_terminal_values_and_set_replaces() -> None:
    program = task(EVERYTHING)
    assert program.line_names == ("task.floor", "task.terminal.fall", "style.floor", "style.terminal.done")
    got, _ = step(program, x=[-3.0, -3.0, 1.0], y=[0.0, 3.0, 3.0], on=[0, 1, 0])
    np.testing.assert_allclose(got["channels"], [[-1, 3 * DT], [-6, 7], [2.3, 7]], rtol=1e-6)
    np.testing.assert_array_equal(got["lines"][:, 1], [0, -5, 0])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.sampled_from((1, 63, 64, 65)))
def test_channel_is_the_float32_sum_of_its_terms_and_lines(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = np.where(rng.random((2, rows)) < 0.1, rng.choice(EDGES, (2, rows)), rng.normal(0, 3, (2, rows)))
    got, _ = step(task(EVERYTHING), x=x.astype(np.float32), y=y.astype(np.float32), on=rng.random(rows) < 0.3)
    weighted, lines = got["weighted"], got["lines"]
    total = weighted[:, 0] + weighted[:, 1] + lines[:, 0] + lines[:, 1]
    np.testing.assert_array_equal(got["channels"][:, 0], total)
    np.testing.assert_array_equal(got["channels"][:, 1], weighted[:, 2] + lines[:, 2] + lines[:, 3])


def test_weights_are_linear_and_the_order_of_terms_changes_only_rounding() -> None:
    text = '[channels.task.terms]\na = {{ expr = "x", weight = {} }}\nb = {{ expr = "y", weight = {} }}\n'
    x, y = np.random.default_rng(0).normal(size=(2, 65))
    one, two, both = (step(task(text.format(*w)), x=x, y=y)[0]["channels"] for w in ((1, 0), (0, 1), (2, 3)))
    np.testing.assert_allclose(2 * one + 3 * two, both, atol=1e-7)
    turned = task('[channels.task.terms]\nb = { expr = "y", weight = 3 }\na = { expr = "x", weight = 2 }\n')
    np.testing.assert_allclose(step(turned, x=x, y=y)[0]["channels"], both, atol=1e-7)


LONG = EVERYTHING.replace('expr = "y"', 'expr = "ema(y, 0.1) + rate(x) * dt + potential(y) + num(since(on) > dt)"')


def played(program: CompiledTask, x: Array, y: Array, on: Array, threads: int = 1) -> dict[str, Array]:
    """Outputs after the last step of signals `[T, N]`."""
    core = CoreRun(program, x.shape[1], threads)
    for t in range(len(x)):
        signals = {"x": x[t][:, None], "y": y[t][:, None], "on": on[t][:, None]}
        got = core.step(signals) if t else core.reset(signals, np.ones(x.shape[1], bool))
    return got | {"flags": core.flags.copy()}


def test_number_order_and_threads_of_environments_change_no_bit() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, 3, (2, 4, 4097))
    x[2, ::7], y[3, ::11] = np.nan, np.inf
    on = rng.random((4, 4097)) < 0.4
    program, order = task(LONG), rng.permutation(4097)
    whole = played(program, x, y, on)
    turned = played(program, x[:, order], y[:, order], on[:, order], threads=2)
    for name, array in whole.items():
        np.testing.assert_array_equal(turned[name], array[order], err_msg=name)
        for n in (1, 63, 64, 65):
            part = played(program, x[:, :n], y[:, :n], on[:, :n])
            np.testing.assert_array_equal(part[name], array[:n], err_msg=name)


def test_a_term_that_is_not_finite_terminates_and_pays_the_terminal_value() -> None:
    got, core = step(task(EVERYTHING), x=[np.nan, 1.0])
    assert list(got["terminated"][:, 0]) == [1, 0]
    np.testing.assert_array_equal(got["lines"][:, 1], [-5, 0])
    assert list(core.flags) == [Flag.NON_FINITE, 0]


def test_a_signal_that_is_not_finite_is_seen_where_no_term_shows_it() -> None:
    program = task('channels.task.terms.a.expr = "num(y > 0)"')
    got, core = step(program, y=[np.nan, 1.0])
    assert list(got["raw"][:, 0]) == [0, 1]
    assert list(got["terminated"][:, 0]) == [1, 0]
    assert program.guard_names[core.bad_term[0]] == "signal y"


@pytest.mark.parametrize(
    ("expr", "watched"),
    [
        ("norm([x, y])", []),
        ("square(x) * 2 - y / 3 + rate(y) * dt", []),
        ("1 / x + num(y > 0)", ["signal x", "signal y"]),
        ("gauss(x, 1) + min(y, 1)", ["signal x", "signal y"]),
        ("where(on, x, y)", ["signal x", "signal y"]),
        ("exp(x) + x", []),
    ],
)
def test_only_signals_that_no_guarded_value_shows_are_watched(expr: str, watched: list[str]) -> None:
    text = f'channels.task.terms.a = {{ expr = "{expr}", scale = "none" }}'
    data = tomllib.loads(HEAD.replace('x = "x"', "one = \"number(dt, 's')\"") + text)
    program = compile_task(convert(data, Task, "example"), SIGNALS, dt=DT)
    assert sorted(n for n in program.guard_names if n.startswith("signal")) == watched
    for bad in (np.nan, np.inf, -np.inf):
        got, _ = step(program, x=[bad, 1.0, 1.0], y=[1.0, bad, 1.0], on=[0, 1, 0])
        assert list(got["terminated"][:, 0]) == [1, 1, 0]


def test_guard_zero_pays_nothing_and_goes_on() -> None:
    got, core = step(task('guard = "zero"\nchannels.task.terms.a.expr = "log(x)"'), x=[0.0])
    assert got["terminated"][0, 0] == got["channels"][0, 0] == 0
    assert core.flags[0] == Flag.NON_FINITE


def test_floors_gains_clips_and_terminal_values_are_parameters() -> None:
    program = task(EVERYTHING + '\n[channels.all]\ncombine = "product"\nterms.d.expr = "x"\n')
    edits = {"task.floor": -2.0, "task.a.clip_low": -1.0, "terminal.fall.value": -9.0, "all.gain": 50.0}
    got, _ = step(program, edits, x=[-3.0], on=[1])
    np.testing.assert_allclose(got["channels"][0, [0, 2]], [-2 - 9, -3], rtol=1e-6)


def test_success_is_known_to_terms_and_terminal_values() -> None:
    win = 'terminal.win = { value = 2.0, when = "success" }'
    program = task(f'success = "x > 1"\nchannels.task.terms.a.expr = "num(success)"\n{win}')
    got, _ = step(program, x=[0.0, 2.0])
    np.testing.assert_array_equal(got["lines"], [[0], [2]])
    np.testing.assert_array_equal(got["raw"], [[0], [1]])


def test_potential_takes_its_channels_gamma() -> None:
    program = task('channels.task = { gamma = 0.5, terms.a = { expr = "potential(x)", scale = "none" } }')
    core = CoreRun(program, 1)
    core.reset({"x": np.array([[1.0]]), "on": np.zeros((1, 1))}, np.ones(1, bool))
    values = [
        core.step({"x": np.array([[x]]), "on": np.array([[on]])})["channels"][0, 0] for x, on in ((4.0, 0), (8.0, 1))
    ]
    assert values == [0.5 * 4 - 1, -4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'channels.task = { combine = "sun", terms.a.expr = "x" }',
            "channels.task.combine: unknown value 'sun', did you mean 'sum'?",
        ),
        (
            'channels.task = { combine = "min", terms.a = { expr = "x", weight = 2.0 } }',
            "weight: expected 1 in a min, got 2",
        ),
        ('channels.task = { combine = "product", terms.a = { expr = "x", weight = -1.0 } }', "exponents of at least 0"),
        (
            'channels.task = { combine = "min", terms.a = { expr = "x", scale = "none" } }',
            "the terms of a min have none",
        ),
        (
            'channels.task.terms.a.expr = "x"\nterminal.t = { value = 1.0, when = "x" }',
            "terminal.t.when: expected a truth value",
        ),
        ('success = "success"\nchannels.task.terms.a.expr = "x"', "known to terms, terminal values and metrics only"),
        ('let.p = "potential(x)"\nchannels.task.terms.a.expr = "p"', "only a term has one of its own"),
        ('channels.task.terms.a.expr = "num(stage == 1)"', "tasks with stages"),
    ],
)
def test_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        task(text)
    assert message in str(caught.value)
