"""Ranges are sound: no value of a program leaves them, and no NaN or infinity comes that was not foretold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from program_twins import SIGNALS, Array
from pyembody.program import OPERATIONS, CompiledProgram, Group, compile_expression
from pyembody.program.critic import Options, check
from pyembody.program.critic.interval import Range, make
from pyembody.program.critic.rules import RULES, Context
from pyembody.program.critic.walk import Analysis, param_ranges
from pyembody.program.types import Node
from pyembody.spec import SpecError, Task, convert, load_robot
from test_program_twin import CURVED, drawn

ROWS, MANY, STEPS = 200, 25_000, 4  # MANY rows over all steps are 1e5 points
SPANS = ((-1.0, 1.0), (0.0, 2.0), (0.5, 3.0), (-3.0, -0.25), (-100.0, 1e4), (0.0, 0.0), (-1e30, 1e30), (-1e-3, 0.0))
NO_RULE: set[str] = set()
"""Operations of which nothing is concluded."""


def signal_ranges(program: CompiledProgram, rng: np.random.Generator) -> dict[str, tuple[float, float]]:
    """A span for every signal that is read."""
    free = {s.name: SPANS[rng.integers(len(SPANS))] for s in program.inputs}
    held = {"bool": (0.0, 1.0), "quat": (-1.0, 1.0)}
    return {s.name: held.get(s.kind, free[s.name]) for s in program.inputs}


def analysis(program: CompiledProgram, spans: dict[str, tuple[float, float]]) -> Analysis:
    shapes = {s.name: (s.count, 1 if s.kind in ("scalar", "bool") else s.width) for s in program.inputs}
    signals = {name: make(low, high, False, shapes[name]) for name, (low, high) in spans.items()}
    return Analysis(Context(signals, param_ranges(program.params, False), STEPS, program.dt), {})


def sample(
    program: CompiledProgram, spans: dict[str, tuple[float, float]], rng: np.random.Generator, rows: int
) -> dict[str, Array]:
    """Signals in their spans, a third of the numbers at an end."""
    found = {}
    for s in program.inputs:
        low, high = spans[s.name]
        x = rng.uniform(low, high, (rows, s.lanes)) * 10.0 ** -rng.integers(0, 5, (rows, s.lanes))
        x = np.clip(x, low, high)
        x = np.where(rng.random(x.shape) < 0.33, rng.choice([low, high], x.shape), x).astype(np.float32)
        if s.kind == "quat":
            x = rng.standard_normal((rows, 4))
            x /= np.linalg.norm(x, axis=1, keepdims=True)
        found[s.name] = (x > 0.5) if s.kind == "bool" else x
    return found


def assert_inside(values: Array, r: Range, what: str) -> None:
    x = values.astype(np.float32)
    nan = np.isnan(x)
    assert not (nan & ~r.nan).any(), f"{what}: NaN that was not foretold"
    low, high = np.broadcast_to(r.lo, x.shape), np.broadcast_to(r.hi, x.shape)
    outside = ~nan & ((x < low) | (x > high))
    assert not outside.any(), f"{what}: {x[outside][:3]} outside [{low[outside][:3]}, {high[outside][:3]}]"


def nodes(group: Group) -> list[Node]:
    found: dict[int, Node] = {}
    stack = [node for _, node in group.stores]
    while stack:
        node = stack.pop()
        found[id(node)] = node
        stack += [a for a in node.args if id(a) not in found]
    return list(found.values())


def hold_to_ranges(text: str, seed: int, rows: int = ROWS) -> None:
    """Run a program over random signals and compare every node's values with its range."""
    try:
        program = compile_expression(text, SIGNALS)
    except SpecError:
        reject()  # drawn expressions may pass a limit of the language
    rng = np.random.default_rng(seed)
    spans = signal_ranges(program, rng)
    with np.errstate(all="ignore"):
        ranges = {id(n): (n, analysis(program, spans).range(n)) for n in nodes(program.groups["value"])}
    twin = program.reference(rows)
    twin.reset(sample(program, spans, rng, rows), np.ones(rows, bool))
    for step in range(STEPS):
        twin.step(sample(program, spans, rng, rows))
        for key, (node, r) in ranges.items():
            assert_inside(twin._values[key], r, f"{text} [{spans}]: {node.op} at step {step}")


@settings(max_examples=250, deadline=None, derandomize=True)
@given(drawn(("scalar", "vector", "feet", "points", "bool", "flags", "long"), 3), st.integers(0, 99))
def test_no_value_leaves_its_range(text: str, seed: int) -> None:
    hold_to_ranges(text, seed)


@pytest.mark.parametrize("text", CURVED)
def test_no_value_of_a_curve_leaves_its_range(text: str) -> None:
    for seed in range(8):
        hold_to_ranges(text.format(a="x", b="y", quat="other_quat", vector="v"), seed)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(drawn(("scalar",), 4), drawn(("bool",), 2))
def test_the_critic_has_an_answer_to_every_program(text: str, end: str) -> None:
    terms = {"a": {"expr": text}, "b": {"expr": f"num({end})", "scale": "event"}}
    data = {"name": "x", "observations": {"policy": {"x": "x"}}, "channels": {"c": {"terms": terms}}}
    task = convert(data | {"terminations": {"end": end}}, Task, "task")
    found = check(task, load_robot("cartpole"), Options(SIGNALS))
    assert {f.path.split(".")[0] for f in found} <= {"channels", "terminations", "task"}
    assert all(f.code[0] == f.severity or f.severity == "N" for f in found)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(drawn(("scalar",), 4), st.integers(0, 9999))
def test_none_of_a_hundred_thousand_values_leaves_its_range(text: str, seed: int) -> None:
    hold_to_ranges(text, seed, MANY)


@pytest.mark.long
@settings(max_examples=2000, deadline=None, derandomize=True)
@given(drawn(("scalar", "vector", "feet", "points", "bool", "flags", "long"), 4), st.integers(0, 9999))
def test_none_of_a_hundred_thousand_values_of_many_programs_leaves_its_range(text: str, seed: int) -> None:
    hold_to_ranges(text, seed, MANY)


def test_operations_without_a_rule_are_known() -> None:
    defined = {name for name, o in OPERATIONS.items() if o.rule is None}
    own = {"where"}  # evaluated branch by branch
    assert set(OPERATIONS) - defined - own - set(RULES) == NO_RULE


REFINED = [
    ("log(x) if x > 0.01 else 0", False),
    ("log(x) if x >= 0 else 0", True),
    ("where(norm(v) > 0.1, x / norm(v), 0)", False),
    ("where(x > 0.1, sqrt(x), 0) + where(x <= 0.1, sqrt(0.1 - x), 0)", False),
    ("where(not (x <= 0), log(x), 0)", False),
    ("where(on and x > 1, log(x), 0)", False),
    ("where(on or x > 1, log(x), 0)", True),
    ("where(all(v > 0.5), sum(log(v)), 0)", False),
    ("sum(where(v > 0.5, log(v), 0))", False),
    ("sum(where(v > 0.5, sum(log(v)), 0))", True),
    ("where(x > 1, prev(log(x)), 0)", False),
    ("where(abs(x) < 1, 1 / (2 - x), 0)", False),
    ("safe_div(y, x, 0.1)", False),
    ("gauss(v, 0.1) + laplace(v, 0.1) + smooth_abs(v, 0.1) + l2(v, 0.1)", False),
    ("(x - x) + 1 / (1 + x * x)", False),
    ("max(x, 0.5) ** 0.5 / max(x, 0.5)", False),
]


@pytest.mark.parametrize(("text", "unsure"), REFINED)
def test_conditions_prove_what_they_guard(text: str, unsure: bool) -> None:
    program = compile_expression(text, SIGNALS)
    spans = {s.name: (-10.0, 10.0) if s.kind != "bool" else (0.0, 1.0) for s in program.inputs}
    with np.errstate(all="ignore"):
        (_, node), *_ = program.groups["value"].stores
        found = analysis(program, spans).range(node)
    assert (found.may_nan or found.may_inf) == unsure
