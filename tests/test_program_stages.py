"""Stages and reward machines: the order of a step, what is paid, and which tables are refused."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

from program_twins import Array, CoreRun
from pyembody.program import CompiledTask, compile_task
from pyembody.program.critic import Bound, examine
from pyembody.program.stages import stage_table
from pyembody.spec import Signal, SpecError, Task, convert

DT = 0.02
SIGNALS = {s.name: s for s in (Signal("x", source="s"), Signal("y", source="s"), Signal("on", "bool", source="s"))}
STAGES = """
name = "example"
observations.policy = { stage = "stage" }
channels.task.terms.reach = { expr = "num(stage == 'reach')", scale = "none" }
channels.task.terms.lift = { expr = "num(stage == 'lift')", scale = "none" }
[[stages]]
name = "reach"
until = "x > 1"
hold_s = 0.04
reward = 5.0
[[stages]]
name = "lift"
until = "y > 1"
timeout_s = 0.08
on_fail = "reach"
reward = 7.0
[[stages]]
name = "done"
terminal = true
"""


def parsed(text: str) -> Task:
    """The task of a text."""
    return convert(tomllib.loads(text), Task, "example")


def compiled(text: str) -> CompiledTask:
    """The program of a text."""
    return compile_task(parsed(text), SIGNALS, dt=DT)


def play(program: CompiledTask, xs: list[float], ys: list[float]) -> list[dict[str, Array]]:
    """Outputs at reset and after each step of one environment, in core and twin alike."""
    core, twin = CoreRun(program, 1), program.reference(1)
    rows = [{"x": np.array([[x]]), "y": np.array([[y]]), "on": np.zeros((1, 1))} for x, y in zip(xs, ys, strict=True)]
    everyone = np.ones(1, bool)
    got = [core.reset(rows[0], everyone)]
    twin.reset(rows[0], everyone)
    for row in rows[1:]:
        got.append(core.step(row))
        for name, array in twin.step(row).items():
            np.testing.assert_array_equal(got[-1][name], array, err_msg=name)
    return got


def test_terms_see_the_stage_before_and_observations_the_one_after() -> None:
    got = play(compiled(STAGES), [0, 2, 2, 0, 0], [0, 0, 0, 0, 2])
    assert [g["stage"][0, 0] for g in got] == [0, 0, 1, 1, 2]
    assert [g["policy"][0, 0] for g in got] == [0, 0, 1, 1, 2]
    assert [tuple(g["raw"][0, :2]) for g in got[1:]] == [(1, 0), (1, 0), (0, 1), (0, 1)]


def test_the_edge_that_is_taken_pays_once_and_the_last_stage_ends_as_success() -> None:
    program = compiled(STAGES)
    assert program.term_names == ("task.reach", "task.lift", "task.stages")
    got = play(program, [0, 2, 2, 0, 0], [0, 0, 0, 0, 2])
    assert [g["raw"][0, 2] for g in got[1:]] == [0, 5, 0, 7]
    assert [g["terminated"][0, 0] for g in got[1:]] == [0, 0, 0, 1]
    assert [g["success"][0, 0] for g in got[1:]] == [0, 0, 0, 1]
    assert program.termination_names == ("stages",)


def test_a_condition_must_hold_inside_its_stage_and_a_timeout_leads_back() -> None:
    got = play(compiled(STAGES), [0, 2, 0, 2, 2, 2, 2, 2, 2, 2], [0] * 10)
    assert [g["stage"][0, 0] for g in got] == [0, 0, 0, 0, 1, 1, 1, 1, 0, 0]


def test_a_timeout_without_a_stage_to_go_to_fails_the_episode() -> None:
    got = play(compiled(STAGES.replace('on_fail = "reach"\n', "")), [0, 2, 2, 0, 0, 0, 0], [0] * 7)
    assert [g["terminated"][0, 0] for g in got[1:]] == [0, 0, 0, 0, 0, 1]
    assert not any(g["success"].any() for g in got)


MACHINE = """
name = "example"
observations.policy.x = "x"
channels.task = { gamma = 0.5, terms.a = { expr = "0 * x", scale = "none" } }
staging = { shaping = true, terminal = ["end"] }
machine = [
  { from = "start", to = "half", when = "x > 1", reward = 0.0 },
  { from = "start", to = "end", when = "x > 0", reward = -1.0 },
  { from = "half", to = "end", when = "y > 1", reward = 8.0 },
]
"""


def test_edges_are_tried_in_file_order_and_shaping_pays_the_change_of_value() -> None:
    program = compiled(MACHINE)
    assert program.stages is not None
    assert program.stages.values(0.5) == (4.0, 8.0, 0.0)
    assert program.term_names[1:] == ("task.stages", "task.stage_shaping")
    got = play(program, [0, 0, 2, 2], [0, 0, 0, 2])
    assert [tuple(g["raw"][0, 1:]) for g in got[1:]] == [(0, 0.5 * 4 - 4), (0, 0.5 * 8 - 4), (8, -8)]
    assert [tuple(g["events"][0]) for g in got[1:]] == [(0, 0, 0), (1, 1, 0), (1, 1, 1)]


def test_recorded_events_tell_what_every_other_stage_would_have_done() -> None:
    table = stage_table(parsed(MACHINE), DT, "example")
    assert table is not None
    after, reward = table.relabel(np.array([[0, 1, 1], [0, 0, 0], [1, 1, 0]], np.uint8))
    np.testing.assert_array_equal(after, [[2, 2, 2], [0, 1, 2], [1, 1, 2]])
    np.testing.assert_array_equal(reward, [[-1, 8, 0], [0, 0, 0], [0, 0, 0]])


def test_core_follows_the_twin_over_random_machines() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        n = int(rng.integers(2, 9))
        edges = [(i, (i + 1) % n) for i in range(n)] + [tuple(rng.integers(0, n, 2)) for _ in range(12)]
        rows = [
            f'{{ from = "s{a}", to = "s{b}", when = "{v} > {rng.normal():.2f}", reward = {rng.normal():.2f} }}'
            for (a, b), v in zip(edges, rng.choice(["x", "y"], len(edges)), strict=True)
        ]
        text = 'name = "m"\nobservations.policy.s = "stage"\nchannels.task.terms.a.expr = "x * stage"\n'
        program = compiled(f"{text}machine = [{', '.join(rows)}]")
        core, twin = CoreRun(program, 130), program.reference(130)
        for step in range(12):
            signals = {name: rng.normal(size=(130, 1)) for name in ("x", "y")}
            if step:
                wanted = twin.step(signals)
                for name, array in core.step(signals).items():
                    np.testing.assert_array_equal(array, wanted[name], err_msg=name)
            mask = rng.random(130) < (0.2 if step else 2)
            np.testing.assert_array_equal(core.reset(signals, mask)["policy"], twin.reset(signals, mask)["policy"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('on_fail = "reach"', 'on_fail = "raech"', "stages.lift.on_fail: unknown stage 'raech', did you mean 'reach'?"),
        ("terminal = true", "", "stage 'done': expected an edge that leaves it, or terminal"),
        ('until = "x > 1"', 'until = "x"', "stages.reach.until: expected a truth value"),
        ('until = "x > 1"', "until = \"stage == 'lift'\"", "not to the conditions that change it"),
        ('until = "x > 1"', "", "stage 'reach': expected an edge that leaves it, or terminal"),
        ("num(stage == 'lift')", "num(stage == 'lfit')", "unknown stage 'lfit', did you mean 'lift'?"),
        ('name = "done"', 'name = "lift"', "'lift' appears 2 times"),
        ("terminal = true", 'terminal = true\nuntil = "x > 1"', "a terminal stage ends the episode"),
        (
            "terminal = true",
            'terminal = true\n[staging]\nchannel = "tsak"',
            "unknown channel 'tsak', did you mean 'task'?",
        ),
    ],
)
def test_incomplete_tables_are_refused(old: str, new: str, message: str) -> None:
    assert old in STAGES
    with pytest.raises(SpecError) as caught:
        compiled(STAGES.replace(old, new, 1))
    assert message in str(caught.value)


@pytest.mark.parametrize("text", [STAGES, MACHINE])
def test_the_critic_reads_tasks_with_stages(text: str) -> None:
    bounds = {name: Bound(-1.0, 1.0) for name in ("x", "y")}
    found = examine(parsed(text), compiled(text), bounds)
    assert not [f for f in found if f.severity == "E"]
