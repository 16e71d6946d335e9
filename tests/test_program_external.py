"""What comes from outside an expression: tables, learned signals, kernels, running moments, templates, schedules."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from program_twins import EDGES, Array, CoreRun
from pyembody.program import CompiledTask, compile_task
from pyembody.program.operations import Flag
from pyembody.spec import Schedule, Signal, SpecError, Task, convert

DT = 0.02
SIGNALS = {
    s.name: s
    for s in (
        Signal("x", source="s"),
        Signal("y", source="s"),
        Signal("gap", unit="m", source="s"),
        Signal("feet", axis="feet", labels=("l", "r"), source="s"),
    )
}
HEAD = 'name = "example"\nobservations.policy.x = "x"\n'


def parsed(text: str) -> Task:
    """A task of a few lines."""
    return convert(tomllib.loads(HEAD + text), Task, "example")


def compiled(expr: str, text: str = "", folder: str = "") -> CompiledTask:
    """A task of one term that pays an expression."""
    task = parsed(f"channels.task.terms.a = {{ expr = {expr!r}, scale = 'none' }}\n{text}")
    return compile_task(msgspec.structs.replace(task, folder=folder), SIGNALS, dt=DT)


def step(program: CompiledTask, **given: Any) -> tuple[Array, CoreRun]:
    """Raw values of one step, core and twin alike."""
    n = len(next(iter(given.values())))
    signals = {s.name: np.zeros((n, s.lanes)) for s in program.inputs}
    signals |= {k.replace("__", "."): np.array(v, float).reshape(n, -1) for k, v in given.items()}
    core, twin = CoreRun(program, n), program.reference(n)
    got, wanted = core.step(signals), twin.step(signals)
    for name, array in wanted.items():
        np.testing.assert_array_equal(got[name], array)
    np.testing.assert_array_equal(core.flags, twin.flags)
    return got["raw"][:, 0], core


def test_table_gives_the_entry_below_and_nothing_outside() -> None:
    program = compiled("table('gait', x) / gap", "tables.gait = { values = [0.5, 2, -1], unit = 'm' }")
    got, core = step(program, x=[0, 1.9, 2.5, 3, -1, np.nan], gap=[1] * 6)
    assert list(got) == [0.5, 2, -1, 0, 0, 0]
    assert list(core.flags) == [0, 0, 0, 1, 1, 1]
    step(compiled("sum(table('gait', feet))", "tables.gait.values = [1, 2]"), feet=[[0, 1]], x=[0])


def test_learned_signal_is_clipped_to_its_range_and_pays_nothing_when_old() -> None:
    program = compiled("learned('progress')", "learned.progress = { low = 0, high = 1, max_age = 0.5 }")
    assert [s.name for s in program.inputs] == ["learned.progress", "x"]
    got, core = step(program, learned__progress=[[0.25, 0], [3, 0.5], [0.25, 0.51], [0.25, np.inf]], x=[0] * 4)
    assert list(got) == [0.25, 1, 0, 0]
    assert [bool(f & Flag.STALE) for f in core.flags] == [False, False, True, True]


KERNELS = """
from pyembody.program import kernel

@kernel(inputs={"distance": "m", "share": "1"}, unit="m", constants=(0.5,))
def closeness(inputs, out, n, constants):
    for i in range(n):
        out[i] = inputs[0][i] * constants[0] + inputs[1][i]
"""


def test_kernel_of_a_task_folder_runs_in_the_core(tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text(KERNELS)
    program = compiled("kernel('closeness', gap, x) / 1", folder=str(tmp_path))
    assert program.term_units == ("m",)
    x = np.random.default_rng(0).normal(size=(2, 130)).astype(np.float32)
    got, _ = step(program, gap=x[0], x=x[1])
    np.testing.assert_allclose(got, x[0] / 2 + x[1], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        ("kernel('closness', gap, x)", "unknown kernel 'closness', did you mean 'closeness'?"),
        ("kernel('closeness', gap)", "expected 2 arguments (distance, share), got 1"),
        ("kernel('closeness', x / gap, x)", "expected equal units"),
        ("kernel('closeness', feet, x)", "distance: expected a scalar number"),
    ],
)
def test_kernel_is_checked_like_an_operation(tmp_path: Path, expr: str, message: str) -> None:
    (tmp_path / "kernels.py").write_text(KERNELS)
    with pytest.raises(SpecError) as caught:
        compiled(expr, folder=str(tmp_path))
    assert message in str(caught.value)


def test_kernels_are_refused_without_a_folder_and_when_they_do_not_compile(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="only a task loaded from its own folder"):
        compiled("kernel('closeness', gap, x)")
    (tmp_path / "kernels.py").write_text(KERNELS.replace("constants[0]", "unknown_name"))
    with pytest.raises(SpecError, match="closeness"):
        compiled("kernel('closeness', gap, x)", folder=str(tmp_path))


def test_running_moments_are_those_of_all_earlier_steps() -> None:
    program = compiled("normalise(x, 0.01)")
    core, moments = CoreRun(program, 130), program.make_moments()
    rng, seen = np.random.default_rng(0), []
    for i in range(4):
        x = rng.normal(3, 2, (130, 1)).astype(np.float32)
        x[:5] = EDGES[-1]
        got = core.step({"x": x.astype(float)})
        past = np.concatenate(seen) if seen else None
        mean, std = (0.0, 1.0) if past is None else (past.mean(), past.std())
        np.testing.assert_allclose(got["raw"][5:, 0], (x[5:, 0] - mean) / std, rtol=2e-5, atol=1e-6)
        moments.update(got["statistics"], core.params)
        seen.append(x[5:, 0].astype(float))
        assert moments.array[0, 0] == 125 * (i + 1)


def test_saved_moments_go_on_as_if_never_stopped() -> None:
    program = compiled("normalise(x, 0.01) + normalise(y, 0.1)")
    rows = np.random.default_rng(0).normal(size=(6, 100, 2)).astype(np.float32)
    params = [program.defaults.copy() for _ in range(2)]
    whole, first, rest = (program.make_moments() for _ in range(3))
    for i, values in enumerate(rows):
        whole.update(values, params[0])
        (first if i < 3 else rest).update(values, params[1])
        if i == 2:
            rest.array[:] = first.array
    np.testing.assert_array_equal(params[0], params[1])


TEMPLATE = """
[templates.near]
expr = "gauss(gap - target, width)"
weight = 0.5
scale = "none"
[templates.near.params]
target = { value = 0.1, unit = "m", low = 0.0, high = 1.0 }
width = 0.25
[channels.task.terms]
a = { template = "near" }
b = { template = "near", weight = 2.0, params = { target = 0.3 } }
"""


def test_terms_of_a_template_keep_its_units_and_ranges() -> None:
    program = compile_task(parsed(TEMPLATE), SIGNALS, dt=DT)
    assert {n: p.value for n, p in program.params.items()} == {
        "task.a.weight": 0.5,
        "task.b.weight": 2.0,
        "task.a.target": 0.1,
        "task.a.width": 0.25,
        "task.b.target": 0.3,
        "task.b.width": 0.25,
    }
    assert program.params["task.b.target"].high == 1.0
    again = convert(msgspec.to_builtins(parsed(TEMPLATE)), Task, "again")
    assert again == parsed(TEMPLATE)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('template = "near", weight', 'template = "naer", weight', "unknown template 'naer', did you mean 'near'?"),
        ("target = 0.3", "tagret = 0.3", "unknown parameter 'tagret', did you mean 'target'?"),
        ("b = { template", 'b = { expr = "x", template', "either 'expr' or 'template'"),
    ],
)
def test_wrong_use_of_a_template_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parsed(TEMPLATE.replace(old, new))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (Schedule(2.0, 1.0, "const"), [2, 2, 2, 2]),
        (Schedule(2.0, 1.0, "step", 50), [1, 2, 2, 2]),
        (Schedule(2.0, 1.0, "linear", 0, 100), [1, 1.5, 2, 2]),
        (Schedule(2.0, 1.0, "cosine", 0, 100), [1, 1.5, 2, 2]),
        (Schedule(4.0, 1.0, "exp", 0, 100), [1, 2, 4, 4]),
    ],
)
def test_schedule_follows_its_kind(schedule: Schedule, values: list[float]) -> None:
    program = compiled("x", "[schedules]\n'task.a.weight' = { to = 2.0 , kind = 'const' }")
    program = replace(program, schedules={"task.a.weight": schedule})
    got = [program.scheduled(s)["task.a.weight"] for s in (0, 50, 100, 1e9)]
    np.testing.assert_allclose(got, values)


def test_schedule_of_an_unknown_or_illegal_parameter_is_refused() -> None:
    with pytest.raises(SpecError, match=r"unknown parameter 'wieght', did you mean .*weight"):
        compiled("x", "schedules.wieght = { from = 0, to = 1, end = 10 }")
    with pytest.raises(SpecError, match=r"expected a value in \[0, 3\]"):
        compiled("x * p", "params.p = { value = 1, low = 0, high = 3 }\nschedules.p = { from = 0, to = 4, end = 10 }")
