"""Every limit of the language is enforced before anything runs, under an error code of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pyembody import RewardProgram
from pyembody.envs.provided import provided_signals
from pyembody.program import CompiledProgram, compile_expression, compile_task
from pyembody.program.lanes import state_numbers
from pyembody.spec import Signal, SpecError, Task, convert, list_tasks, list_variants, load_robot, load_task
from pyembody.spec.check import check_task

SIGNALS = {
    s.name: s
    for s in (
        Signal("x", source="s"),
        Signal("v", "vector", 3, source="s"),
        Signal("many", "vector", 64, axis="bodies", labels=tuple(f"b{i}" for i in range(16)), source="s"),
        Signal("crowd", axis="bodies", labels=tuple(f"b{i}" for i in range(257)), source="s"),
        Signal("cloud", axis="points", labels=tuple(f"p{i}" for i in range(1025)), source="s"),
        Signal("wide", "vector", 65, source="s"),
    )
}


def wide(count: int) -> str:
    """A sum of many parts that is not deep."""
    return "x" if count == 1 else f"({wide(count // 2)} + {wide(count - count // 2)})"


EXPRESSIONS = {
    "limit_length": "x" * 4097,
    "not_ascii": "x + \u00e9",
    "limit_brackets": "(" * 33 + "x" + ")" * 33,
    "limit_digits": "1" * 41,
    "limit_depth": "-" * 33 + "x",
    "limit_nodes": wide(400),
    "limit_prev": "prev(x, 17)",
    "limit_keys": "episodic_count(floor(x), 1025)",
    "limit_axis": "sum(crowd)",
    "limit_points": "sum(cloud)",
    "limit_width": "sum(wide)",
    "limit_state": "sum(sum(prev(many, 5)))",
}


@pytest.mark.parametrize("code", EXPRESSIONS)
def test_expression_beyond_a_limit_has_its_code(code: str) -> None:
    with pytest.raises(SpecError) as caught:
        compile_expression(EXPRESSIONS[code], SIGNALS)
    assert caught.value.code == code


def test_a_let_counts_once_however_often_it_is_used() -> None:
    lets = {"a0": "x + 1"} | {f"a{i}": f"a{i - 1} * a{i - 1}" for i in range(1, 12)}
    compile_expression("a9 + a9", SIGNALS, let=lets)
    with pytest.raises(SpecError, match="at most 4096 parts with every \\[let\\] written out, got 8191") as caught:
        compile_expression("a10 + a10", SIGNALS, let=lets)
    assert caught.value.code == "limit_nodes"


def test_different_parts_of_lets_count_together() -> None:
    lets = {f"a{i}": " + ".join(f"sqrt(x + {100 * i + j})" for j in range(20)) for i in range(7)}
    compile_expression("a0 + a1 + a2 + a3 + a4 + a5 + a0", SIGNALS, let=lets)
    with pytest.raises(SpecError, match="at most 512 parts, each \\[let\\] counted once") as caught:
        compile_expression("a0 + a1 + a2 + a3 + a4 + a5 + a6", SIGNALS, let=lets)
    assert caught.value.code == "limit_nodes"


def test_a_definition_counts_as_one_part() -> None:
    compile_expression(" + ".join(f"tolerance(x, {i}, {i + 1}, 1)" for i in range(25)), SIGNALS)


def task(terms: int = 1, channels: int = 1, lets: int = 0, expr: str = "x", stages: int = 0) -> Task:
    """A task of a size; T in the expression becomes the term's number."""
    rows = [{"name": f"s{i}", "until": "x > 0"} for i in range(stages)]
    data = {
        "name": "big",
        "observations": {"policy": {"x": "x"}},
        "let": {f"l{i}": "x" for i in range(lets)},
        "channels": {
            f"c{c}": {"terms": {f"t{t}": {"expr": expr.replace("T", str(t))} for t in range(terms)}}
            for c in range(channels)
        },
        "stages": [*rows, {"name": "end", "terminal": True}] if stages else [],
    }
    made = convert(data, Task, "big")
    check_task(made, "big")
    return made


TASKS: dict[str, Callable[[], Task]] = {
    "limit_terms": lambda: task(terms=129),
    "limit_channels": lambda: task(channels=17),
    "limit_let": lambda: task(lets=65),
    "limit_stages": lambda: task(stages=65),
    "limit_instructions": lambda: task(terms=128, expr=" + ".join(f"exp(x * T.{i})" for i in range(10, 27))),
}


@pytest.mark.parametrize("code", TASKS)
def test_task_beyond_a_limit_has_its_code(code: str) -> None:
    with pytest.raises(SpecError) as caught:
        compile_task(TASKS[code](), SIGNALS, dt=0.02)
    assert caught.value.code == code


def test_task_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text("#" * (256 * 1024 + 1))
    with pytest.raises(SpecError) as caught:
        load_task(str(tmp_path))
    assert caught.value.code == "limit_file"


ALONE = [p for p in sorted((Path(__file__).parent / "programs").glob("*.toml")) if "[signals]" in p.read_text()]


def numbers_remembered(program: CompiledProgram) -> tuple[int, int]:
    """The size of an environment's memory: as the limit counts it, and as the core has it."""
    return sum(state_numbers(node) for node in program.lane_program[0]), program.build().state_slots


@pytest.mark.parametrize("path", ALONE, ids=lambda p: p.stem)
def test_memory_is_counted_as_the_core_lays_it_out(path: Path) -> None:
    counted, laid_out = numbers_remembered(RewardProgram(path).compiled)
    assert counted == laid_out


@pytest.mark.parametrize(("name", "variant"), [(t, v) for t in list_tasks() for v in ("", *list_variants(t))])
def test_memory_of_shipped_tasks_is_counted_as_the_core_lays_it_out(name: str, variant: str) -> None:
    task = load_task(name, variant)
    robot = load_robot(task.robot)
    counted, laid_out = numbers_remembered(compile_task(task, provided_signals(robot, task), dt=0.02))
    assert counted == laid_out


def test_the_programs_whose_memory_is_counted_remember_something() -> None:
    assert sum(numbers_remembered(RewardProgram(path).compiled)[1] > 0 for path in ALONE) >= 10
