"""Edits of a task by the names of its parameters: each changes the one place that compiling again reads."""

from __future__ import annotations

import tomllib

import pytest

from program_twins import SIGNALS
from pyembody.commands.reward_edit import places
from pyembody.language import edited_task
from pyembody.program import CompiledTask, compile_task
from pyembody.spec import SpecError, Task
from pyembody.spec.load import convert

TEXT = """
name = "edited"
[observations.policy]
seen = "x"
[params]
plain = 0.5
limit = { value = 0.3, low = 0.1, high = 5.0 }
[templates.near]
expr = "gauss(x, width)"
params.width = { value = 0.2, low = 0.1, high = 5.0 }
[channels.safety]
floor = -3.0
[channels.safety.terms]
level = { weight = -0.1, expr = "x * plain + y * tall + limit", params = { tall = 2.0 }, clip = [-4.0, 4.0] }
close = { template = "near", params = { width = 0.4 } }
measured = { expr = "normalise(y, 0.1)" }
[channels.style]
combine = "product"
gain = 2.0
[channels.style.terms]
smooth = { weight = 0.7, expr = "exp(-x * x)" }
[terminal.fall]
value = -2.0
[terminations]
far = "x > 9"
"""
"""A task with parameters of every kind."""
EDITS = {
    "plain": "params.plain",
    "limit": "params.limit",
    "safety.level.weight": "channels.safety.terms.level.weight",
    "safety.level.tall": "channels.safety.terms.level.params.tall",
    "safety.level.clip_low": "channels.safety.terms.level.clip[0]",
    "safety.level.clip_high": "channels.safety.terms.level.clip[1]",
    "safety.close.weight": "channels.safety.terms.close.weight",
    "safety.close.width": "channels.safety.terms.close.params.width",
    "safety.measured.weight": "channels.safety.terms.measured.weight",
    "safety.floor": "channels.safety.floor",
    "style.smooth.weight": "channels.style.terms.smooth.weight",
    "style.gain": "channels.style.gain",
    "terminal.fall.value": "terminal.fall.value",
}


def compiled(task: Task) -> CompiledTask:
    return compile_task(task, SIGNALS, dt=0.02)


def edited(task: Task, program: CompiledTask, name: str) -> Task:
    return edited_task(task, places(task, program, [(name, 1.25)]), "edits")


@pytest.fixture
def task() -> Task:
    return convert(tomllib.loads(TEXT), Task, "edited")


def test_the_task_has_every_parameter_that_is_edited_below(task: Task) -> None:
    measured = {"normalise.1.mean", "normalise.1.std"}
    assert {name: p.path for name, p in compiled(task).params.items() if name not in measured} == EDITS


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_by_name_changes_that_parameter_and_no_other(name: str, task: Task) -> None:
    program = compiled(task)
    before = dict(program.params)
    after = compiled(edited(task, program, name)).params
    assert after.pop(name).value == 1.25
    del before[name]
    assert after == before
    by_path = edited(task, program, EDITS[name])
    assert by_path == edited(task, program, name)


def test_what_running_measures_has_no_place_to_edit(task: Task) -> None:
    with pytest.raises(SpecError, match=r"edits: normalise\.1\.mean: expected a number of the task's"):
        edited(task, compiled(task), "normalise.1.mean")
