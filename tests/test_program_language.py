"""The reference of the language names every operation and nothing else."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
from msgspec.structs import replace

import pyembody.program
from program_twins import CoreRun
from pyembody.program import OPERATIONS, compile_task
from pyembody.spec import Signal, Task, convert
from pyembody.spec.check import check_task

REFERENCE = Path(pyembody.program.__file__).parent / "LANGUAGE.md"


def test_every_operation_is_in_the_reference_and_nothing_else_is() -> None:
    rows = re.findall(r"^\| [a-z].*?\| `([a-z0-9_ ]+)`", REFERENCE.read_text(), re.MULTILINE)
    named = {name for row in rows for name in row.split()}
    assert named == {name for name, operation in OPERATIONS.items() if operation.public}


HEAD = 'name = "example"\nsuccess = "stage == \'done\'"\n'
TAIL = """
[observations.policy]
stage = "stage"
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
