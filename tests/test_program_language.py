"""The reference of the language names every operation and nothing else."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
from msgspec.structs import replace

import pyembody.program
from program_twins import CoreRun
from pyembody.program import OPERATIONS, compile_expression, compile_task
from pyembody.spec import Parameter, Signal, Task, convert
from pyembody.spec.check import check_task

REFERENCE = Path(pyembody.program.__file__).parent / "LANGUAGE.md"


def test_every_operation_is_in_the_reference_and_nothing_else_is() -> None:
    rows = re.findall(r"^\| [a-z].*?\| `([a-z0-9_ ]+)`", REFERENCE.read_text(), re.MULTILINE)
    named = {name for row in rows for name in row.split()}
    assert named == {name for name, operation in OPERATIONS.items() if operation.public}


def test_the_table_of_formulas_has_every_kernel_and_cost_and_its_units_are_legal() -> None:
    text = REFERENCE.read_text()
    listed = re.findall(r"^\| (?:kernels|costs), .*? \| `([a-z0-9_ ]+)`", text, re.MULTILINE)
    rows = re.findall(r"^\| `(\w+)\(([^)]*)\)` \| \S.*? \|(.*) \|$", text, re.MULTILINE)
    assert len(listed) == 2 and {name for name, *_ in rows} == {n for row in listed for n in row.split()}
    for name, arguments, units in rows:
        given = dict(part.strip().split(": ") for part in units.split(",") if part.strip())
        parameters = [a.partition("=")[0].strip() for a in arguments.split(",")][1:]
        values = {p: Parameter(0.5, unit=unit) for p, unit in given.items()}
        kept = [p for p in parameters if p in given or name in ("power", "chebyshev")]
        call = f"{name}({', '.join(['x', *(p if p in given else '2' for p in kept)])})"
        program = compile_expression(call, {"x": Signal("x", unit="m", source="s")}, params=values)
        assert {n: p.unit for n, p in program.params.items()} == given


HEAD = 'name = "example"\nsuccess = "stage == \'done\'"\n'
TAIL = """
[observations.policy]
stage = "stage"
skill = "skill"
[channels.task.terms]
error = { expr = "norm(error)" }
height = { template = "height", params = { target = 0.3 } }
gait = { expr = "table('gait', step % 4) * learned('progress')" }
close = { expr = "kernel('closeness', norm(hand - cube))" }
[channels.safety]
floor = 0.0
terms.low = { expr = "gate(base_pos[2] > limit, 1)" }
"""
SIGNALS = {
    s.name: s
    for s in (
        Signal("base_pos", "vector", 3, unit="m", frame="world", point=True, source="s"),
        Signal("hand", "vector", 3, unit="m", frame="world", point=True, source="s"),
        Signal("cube", "vector", 3, unit="m", frame="world", point=True, source="s"),
        Signal("base_lin_vel", "vector", 3, unit="m/s", frame="body", source="s"),
        Signal("command", "vector", 3, unit="m/s, m/s, rad/s", frame="body", source="s"),
        Signal("skill", "vector", 2, source="s"),
    )
}


def test_the_examples_of_the_reference_make_a_task(tmp_path: Path) -> None:
    text = REFERENCE.read_text()
    tables = "\n".join(re.findall(r"```toml\n(.*?)```", text, re.DOTALL))
    (tmp_path / "kernels.py").write_text("".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)))
    data = tomllib.loads(HEAD + tables + TAIL)
    task = replace(convert(data, Task, "example"), folder=str(tmp_path))
    check_task(task, "example")
    program = compile_task(task, SIGNALS, dt=0.02)
    assert program.line_names == ("safety.floor", "safety.terminal.fall")
    edits = {"safety.floor": 0.0, "terminal.fall.value": -5.0}  # as the text says
    program.set_params(program.defaults.copy(), edits)
    assert program.stages is not None
    assert program.stages.names == ("reach", "done", "failed")
    core, twin = CoreRun(program, 3), program.reference(3)
    signals = {s.name: np.random.default_rng(0).normal(size=(3, s.lanes)) for s in program.inputs}
    got = core.step(signals)
    for name, array in twin.step(signals).items():
        np.testing.assert_allclose(got[name], array, rtol=1e-5)
