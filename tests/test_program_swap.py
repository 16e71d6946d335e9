"""A changed program takes over between two steps: memories of unchanged expressions go on."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import numpy as np
import pytest

from program_twins import SIGNALS, Array, CoreRun, draw
from pyembody import _core
from pyembody.program import CompiledTask, compile_expression, compile_task
from pyembody.spec import Signal, Task, convert

N = 70
TEXT = """
name = "swapped"
[observations.policy]
x = "x"
[params]
tau = 0.1
[channels.task.terms]
smooth = { weight = -0.1, expr = "normsq(delta(v))" }
slow = { weight = 1.0, expr = "ema(x * gain, 0.1)", params = { gain = 2.0 } }
air = { weight = 1.0, expr = "sum(air_time(contact)) / dt" }
old = { weight = 1.0, expr = "prev(y, 3)" }
"""
CHANGED = (
    TEXT.replace('old = { weight = 1.0, expr = "prev(y, 3)" }', 'best = { weight = 1.0, expr = "running_max(x)" }')
    .replace("weight = -0.1", "weight = -0.7")
    .replace("smooth", "jerk")
)
KERNELS = """
from pyembody.program import kernel

@kernel(inputs={"x": "1"}, constants=(2.0,))
def double(inputs, out, n, constants):
    for i in range(n):
        out[i] = inputs[0][i] * constants[0]
"""


class SameHash(str):
    """A text whose hash tells nothing."""

    __slots__ = ()

    def __hash__(self) -> int:
        return 7


def task(text: str) -> CompiledTask:
    """The task of a text, compiled."""
    return compile_task(convert(tomllib.loads(text), Task, "swapped"), SIGNALS, dt=0.02)


def signals(program: CompiledTask, steps: int) -> list[dict[str, Array]]:
    """Signals that serve both programs."""
    rng = np.random.default_rng(1)
    both = task(TEXT + 'best = { weight = 1.0, expr = "running_max(x)" }')
    assert {s.name for s in program.inputs} <= {s.name for s in both.inputs}
    return [draw(both, N, rng, 0.0) for _ in range(steps)]


def run(program: CompiledTask, history: list[dict[str, Array]]) -> CoreRun:
    """A reset of all rows and the steps after it."""
    core = CoreRun(program, N)
    core.reset(history[0], np.ones(N, bool))
    for s in history[1:]:
        core.step(s)
    return core


def test_memories_of_unchanged_expressions_go_on_and_others_start_now() -> None:
    old, new = task(TEXT), task(CHANGED)
    history = signals(old, 7)
    before, never_swapped = run(old, history[:5]), run(new, history[:5])
    after = CoreRun(new, N)
    after.reset(history[4], np.ones(N, bool))
    carried = new.carry_state(after.state, old, before.state)
    assert set(carried.kept) == {"delta(v)", "ema(task.slow.gain, x)", "air_time(contact)"}
    assert carried.seeded == ("running_max(x)",)
    assert carried.dropped == ("prev(y)",)
    best = new.term_names.index("task.best")
    for s in history[5:]:
        got, wanted = after.step(s)["raw"], never_swapped.step(s)["raw"]
        np.testing.assert_array_equal(np.delete(got, best, axis=1), np.delete(wanted, best, axis=1))
    highest = np.max([s["x"][:, 0] for s in history[4:]], axis=0)
    np.testing.assert_array_equal(got[:, best], highest)


def test_a_memory_of_a_changed_expression_starts_anew() -> None:
    old, new = task(TEXT), task(TEXT.replace("x * gain", "x + gain"))
    history = signals(old, 3)
    state = _core.State(new.build(), N)
    carried = new.carry_state(state, old, run(old, history).state)
    assert carried.seeded == ("ema(task.slow.gain, x)",)
    assert "delta(v)" in carried.kept


def test_memories_of_two_signals_are_two_even_if_their_hashes_are_equal() -> None:
    given = [Signal(SameHash(name), source="s") for name in ("x", "y")]
    table = {str(s.name): s for s in given} | {s.name: s for s in given}  # looked up by either
    old, new = (compile_expression(f"delta({name})", table) for name in ("x", "y"))
    carried = new.carry_state(_core.State(new.build(), N), old, _core.State(old.build(), N))
    assert (carried.kept, carried.seeded, carried.dropped) == ((), ("delta(y)",), ("delta(x)",))


def test_memories_of_a_kernel_go_on_though_every_compilation_gives_another_address(tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text(KERNELS)
    text = TEXT + "double = { weight = 1.0, expr = \"rate(kernel('double', x))\" }\n"
    spec = msgspec.structs.replace(convert(tomllib.loads(text), Task, "swapped"), folder=str(tmp_path))
    old, same = (compile_task(spec, SIGNALS, dt=0.02) for _ in range(2))
    (tmp_path / "kernels.py").write_text(KERNELS.replace("2.0", "3.0"))
    other = compile_task(spec, SIGNALS, dt=0.02)
    state = _core.State(old.build(), N)
    carried = [new.carry_state(_core.State(new.build(), N), old, state) for new in (same, other)]
    assert ["rate(x)" in c.kept for c in carried] == [True, False]


def test_parameters_and_weights_change_between_steps_without_a_new_program() -> None:
    program = task(TEXT)
    history = signals(program, 4)
    core, plain = run(program, history[:3]), run(program, history[:3])
    program.set_params(core.params, {"smooth.weight": -0.2})
    got, wanted = core.step(history[3]), plain.step(history[3])
    np.testing.assert_array_equal(got["raw"], wanted["raw"])
    np.testing.assert_array_equal(got["weighted"][:, 0], 2 * wanted["weighted"][:, 0])


def test_states_of_another_size_are_refused() -> None:
    old, new = task(TEXT), task(CHANGED)
    state = _core.State(old.build(), N)
    with pytest.raises(ValueError, match="new_state: expected 9 slots of its program, got 11"):
        new.carry_state(state, old, state)
    with pytest.raises(ValueError, match="new_state: expected 70 environments, got 3"):
        new.carry_state(_core.State(new.build(), 3), old, state)
