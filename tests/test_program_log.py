"""Logs [T, N] in one call: what the twin says, for one set of parameters or for many."""

from __future__ import annotations

import tomllib
from typing import Any

import numpy as np
import pytest

from program_twins import SIGNALS, Array, CoreRun, draw
from pyembody import _core
from pyembody.program import CompiledProgram, CompiledTask, compile_expression, compile_task
from pyembody.spec import Parameter, Task, convert

MEMORY = (
    "[sum(ema(foot[:, 0], 0.1)), norm(rate(v)) * dt, sum(air_time(contact)) / dt, running_mean(x), prev(y, 3), "
    "number(since(on), 's'), cycle(rate(y), 0.25), normsq(delta(long)), sum(abs(long - 2 * long))]"
)
TASK = """
name = "logged"
[params]
limit = 0.5
[observations.policy]
v = "v * limit"
[channels.task.terms]
track = { weight = 2.0, expr = "gauss(v - w, sigma)", params = { sigma = 0.25 } }
long = { weight = -0.5, expr = "normsq(long * gain)", params = { gain = 0.3 } }
limits = { weight = -1.0, expr = "sum(limit_violation(long, -limit, limit))" }
smooth = { weight = -0.1, expr = "normsq(delta(v * limit))" }
slow = { weight = 0.3, expr = "ema(x, 0.1) + prev(y)" }
[channels.other.terms]
on = { weight = 1.0, expr = "num(on)", scale = "event" }
air = { weight = 1.0, expr = "sum(air_time(contact)) / dt" }
[terminations]
far = "abs(x) > limit"
"""


def task() -> CompiledTask:
    """A task whose parameters reach terms, memory, observations and terminations."""
    return compile_task(convert(tomllib.loads(TASK), Task, "logged"), SIGNALS, dt=0.02)



def drawn_log(program: CompiledProgram, steps: int, n: int, seed: int, edges: float = 0.1) -> dict[str, Array]:
    """Signals `[T, N, lanes]`."""
    rng = np.random.default_rng(seed)
    each = [draw(program, n, rng, edges) for _ in range(steps)]
    return {name: np.array([s[name] for s in each]) for name in each[0]}


def drawn_resets(steps: int, n: int, seed: int) -> Array:
    """Every row starts in the first step; later some do, and in the third all of the first block."""
    mask = np.random.default_rng(seed).random((steps, n)) < 0.2
    mask[0] = True
    mask[2, :64] = True
    return mask


@pytest.mark.parametrize("n", [1, 63, 64, 65, 200])
@pytest.mark.parametrize("which", ["expression", "task"])
def test_a_log_is_what_the_twin_says_bit_for_bit(which: str, n: int) -> None:
    program = compile_expression(MEMORY, SIGNALS) if which == "expression" else task()
    signals, resets = drawn_log(program, 7, n, seed=n), drawn_resets(7, n, seed=n)
    got = program.evaluate_log(signals, resets)
    groups, flags, bad_term = program.reference(n).log(signals, resets)
    for name, values in groups.items():
        curved = which == "task" and name in ("raw", "weighted", "channels", "metrics")
        np.testing.assert_allclose(got.groups[name], values, rtol=2e-6 if curved else 0, atol=1e-6 if curved else 0)
    np.testing.assert_array_equal(got.flags, flags)
    np.testing.assert_array_equal(got.bad_term, bad_term)


def test_a_log_is_its_steps_one_after_the_other() -> None:
    program, n = task(), 130
    signals, resets = drawn_log(program, 6, n, seed=1), np.zeros((6, n), bool)
    resets[0] = True
    got = program.evaluate_log(signals)
    core = CoreRun(program, n)
    core.reset({name: values[0] for name, values in signals.items()}, resets[0])
    for t in range(1, 6):
        values = core.step({name: array[t] for name, array in signals.items()})
        for name in program.groups:
            np.testing.assert_array_equal(got.groups[name][t], values[name])


def test_threads_and_memory_layout_change_no_bit() -> None:
    program, n = task(), 6500
    signals, resets = drawn_log(program, 4, n, seed=2), drawn_resets(4, n, seed=2)
    plain = program.evaluate_log(signals, resets)
    turned = {name: np.asfortranarray(values) if values.shape[2] == 1 else values for name, values in signals.items()}
    wide = {name: np.concatenate([v, v], axis=2)[..., : v.shape[2]] for name, v in turned.items()}
    other = program.evaluate_log(wide, resets, threads=2)
    for name in program.groups:
        np.testing.assert_array_equal(plain.groups[name], other.groups[name])
    np.testing.assert_array_equal(plain.flags, other.flags)


def test_a_state_goes_on_from_log_to_log() -> None:
    program, n = task(), 70
    signals, resets = drawn_log(program, 8, n, seed=3), drawn_resets(8, n, seed=3)
    whole = program.evaluate_log(signals, resets)
    state = _core.State(program.build(), n)
    parts = [
        program.evaluate_log({k: v[part] for k, v in signals.items()}, resets[part], state=state)
        for part in (slice(0, 3), slice(3, 8))
    ]
    for name in program.groups:
        np.testing.assert_array_equal(np.concatenate([p.groups[name] for p in parts]), whole.groups[name])


def drawn_params(program: CompiledProgram, sets: int) -> Array:
    """Sets of positive parameters `[P, n]`, the first one the defaults."""
    params = program.defaults * np.random.default_rng(5).uniform(0.5, 2.0, (sets, len(program.defaults)))
    params[0] = program.defaults
    return params.astype(np.float32)


@pytest.mark.parametrize("n", [1, 64, 150])
@pytest.mark.parametrize("only", [None, ["channels"], ["weighted"], ["policy", "terminated"]])
def test_sets_of_parameters_are_as_many_runs(n: int, only: list[str] | None) -> None:
    program: CompiledProgram = task() if only is None else task().only(only)
    signals, resets = drawn_log(program, 5, n, seed=n), drawn_resets(5, n, seed=n)
    params = drawn_params(program, 6)
    got = program.evaluate_log(signals, resets, params=params)
    assert got.bad_term is None
    flags = np.zeros((5, n), np.uint32)
    for p, chosen in enumerate(params):
        alone = program.evaluate_log(signals, resets, params=chosen)
        for name in program.groups:
            assert got.groups[name].shape == (6, 5, n, program.groups[name].width)
            np.testing.assert_array_equal(got.groups[name][p], alone.groups[name])
        flags |= alone.flags
    np.testing.assert_array_equal(got.flags, flags)


def test_sets_over_a_batch_that_only_weights_tell_apart() -> None:
    program = task().only(["channels", "weighted"])
    signals = drawn_log(program, 1, 300, seed=7)
    params = np.tile(program.defaults, (3, 1))
    params[1, program.params["task.long.weight"].index] = 0
    params[2, program.params["other.on.weight"].index] *= 2
    no_start = np.zeros((1, 300), bool)
    got = program.evaluate_log(signals, no_start, params=params, threads=2).groups
    assert not got["weighted"][1, 0, :, 1].any()
    np.testing.assert_array_equal(got["channels"][2, 0, :, 0], got["channels"][0, 0, :, 0])
    np.testing.assert_array_equal(got["weighted"][2, 0, :, 5], 2 * got["weighted"][0, 0, :, 5])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": None}, "'contact': 'x' is missing"),
        ({"v": np.zeros((3, 5, 2))}, r"signals: v: expected \[3, 5, 3\], got \[3, 5, 2\]"),
        ({"on": np.zeros((2, 5), bool)}, r"signals: on: expected \[3, 5\], got \[2, 5\]"),
    ],
)
def test_wrong_logs_are_named(change: dict[str, Any], message: str) -> None:
    program = task()
    signals: dict[str, Any] = drawn_log(program, 3, 5, seed=1) | change
    with pytest.raises(ValueError, match=message):
        program.evaluate_log({k: v for k, v in signals.items() if v is not None})


def test_wrong_resets_and_parameters_are_named() -> None:
    program = task()
    signals = drawn_log(program, 3, 5, seed=1)
    with pytest.raises(ValueError, match=r"resets: expected \[3, 5\], got \[2, 5\]"):
        program.evaluate_log(signals, np.zeros((2, 5), bool))
    with pytest.raises(ValueError, match="params: expected shape"):
        program.evaluate_log(signals, params=np.zeros((2, 3), np.float32))
    state = _core.State(program.build(), 4)
    with pytest.raises(ValueError, match="state: expected .* slots of 5 environments"):
        program.evaluate_log(signals, state=state)
    with pytest.raises(ValueError, match="expected None for sets of parameters"):
        program.evaluate_log(signals, params=drawn_params(program, 2), state=_core.State(program.build(), 5))


def test_a_parameter_of_each_environment_is_a_signal_of_the_log_or_its_number() -> None:
    program = compile_expression("x * gain", SIGNALS, params={"gain": Parameter(2.0, per_env=True)})
    x = np.arange(12.0).reshape(4, 3)
    no_start = np.zeros((4, 3), bool)

    def value(params: Array | None = None, **more: Array) -> Array:
        return program.evaluate_log({"x": x, **more}, no_start, params=params).groups["value"][..., 0]

    each, sets = np.array([1.0, 2.0, 3.0]), np.array([[5.0], [6.0]], np.float32)
    np.testing.assert_array_equal(value(), 2 * x)
    np.testing.assert_array_equal(value(**{"param.gain": np.tile(each, (4, 1))}), x * each)
    np.testing.assert_array_equal(value(sets[0]), 5 * x)
    np.testing.assert_array_equal(value(sets), np.array([2 * x, 2 * x]))
