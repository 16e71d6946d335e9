"""A task's program: terms, weights, channels, guards, parameters, mirror."""

from __future__ import annotations

import tomllib
from typing import Any

import numpy as np
import pytest

from program_twins import Array, CoreRun
from pyembody.program import CompiledTask, compile_task
from pyembody.spec import Mirror, Signal, SpecError, Task, convert

DT = 0.02
LEGS = ("left", "right")
SIGNALS = {
    s.name: s
    for s in (
        Signal("x", source="s"),
        Signal("height", unit="m", source="s"),
        Signal("v", "vector", 3, unit="m/s", frame="body", mirror=(1.0, -1.0, 1.0), source="s"),
        Signal("unmirrored", "vector", 2, source="s"),
        Signal("contact", "bool", axis="feet", labels=LEGS, source="s"),
        Signal("joint_pos", axis="joints", labels=("l1", "l2", "r1", "r2"), unit="rad", source="s"),
        Signal(
            "pose",
            axis="joints",
            labels=("l1", "l2", "r1", "r2"),
            unit="rad",
            values=(0.1, 1.0, -0.1, 1.0),
        ),
        Signal("base_quat", "quat", 4, frame="world", local="body", source="s"),
    )
}
MIRROR = Mirror(("r1", "r2", "l1", "l2"), (-1, 1, -1, 1), ("right", "left"))
TEXT = """
name = "example"
success = "not terminated and x > 2"
[params]
limit = { value = 5.0, low = 1.0, high = 9.0 }
[let]
error = "v - [1, 0, 0]"
[observations.policy]
v = { expr = "v", noise = 0.1 }
joints = "joint_pos - pose"
contact = "num(contact)"
down = "gravity(base_quat)"
turn = "v[1]"
[observations.critic]
all = "[x, 1]"
[channels.task]
weight = 2.0
gamma = 0.9
floor = -0.5
[channels.task.terms]
track = { weight = 2.0, expr = "gauss(error, sigma)", params = { sigma = 0.25 } }
cost = { weight = -1.0, expr = "x", scale = "none", max_abs = 10.0 }
[channels.safety.terms]
fall = { weight = -3.0, expr = "num(terminated)", scale = "event" }
[terminations]
fall = "height < 0.1"
far = "x > limit"
[metrics]
speed = "norm(v)"
"""


def example(text: str = TEXT, **edits: Any) -> CompiledTask:
    """The example task, compiled."""
    task = convert(tomllib.loads(text) | edits, Task, "example")
    return compile_task(task, SIGNALS, dt=DT, mirror=MIRROR)


def rows(**given: list[float]) -> dict[str, Array]:
    """Signals of as many rows as `x` has; what is not given is 1."""
    n = len(given.get("x", [0.0]))
    signals: dict[str, Array] = {s.name: np.ones((n, s.lanes)) for s in SIGNALS.values()}
    signals["base_quat"] = np.tile([1.0, 0, 0, 0], (n, 1))
    signals["v"] = np.tile([1.0, 0, 0], (n, 1))
    return signals | {name: np.array(values, float).reshape(n, -1) for name, values in given.items()}


def step(program: CompiledTask, **given: list[float]) -> tuple[dict[str, Array], CoreRun]:
    """One step of core and twin, which must agree bit for bit here."""
    signals = rows(**given)
    core, twin = CoreRun(program, len(signals["x"])), program.reference(len(signals["x"]))
    got, wanted = core.step(signals), twin.step(signals)
    for name, array in wanted.items():
        np.testing.assert_array_equal(got[name], array)
    np.testing.assert_array_equal(core.flags, twin.flags)
    np.testing.assert_array_equal(core.bad_term, twin.bad_term)
    return got, core


def test_names_and_layout() -> None:
    program = example()
    assert program.term_names == ("task.track", "task.cost", "safety.fall")
    assert program.term_units == ("1", "1", "1")
    assert program.term_channel == (0, 0, 1)
    assert program.channel_names == ("task", "safety")
    assert program.channel_weights == (2.0, 1.0)
    assert program.gammas == (0.9, 0.99)
    assert program.termination_names == ("fall", "far")
    assert program.metric_names == ("speed",)
    v, joints, *_ = program.observation_layout["policy"]
    assert (v.start, v.width, v.noise, v.units) == (0, 3, 0.1, ("m/s",))
    assert joints.columns == slice(3, 7)
    assert {g.name: g.width for g in program.groups.values()} == {
        "terminations": 2,
        "terminated": 1,
        "success": 1,
        "raw": 3,
        "weighted": 3,
        "channels": 2,
        "lines": 1,
        "metrics": 1,
        "policy": 13,
        "critic": 2,
    }
    assert {s.name for s in program.inputs} == set(SIGNALS) - {"pose", "unmirrored"}


def test_rate_terms_are_multiplied_by_dt_and_others_are_not() -> None:
    got, _ = step(example(), x=[0.25])
    dt = np.float32(DT)
    np.testing.assert_array_equal(got["raw"], [[1.0, 0.25, 0.0]])
    np.testing.assert_array_equal(got["weighted"], np.float32([[np.float32(2) * dt, -0.25, 0]]))


def test_channel_is_the_sum_of_its_weighted_terms_and_its_floor_holds() -> None:
    got, _ = step(example(), x=[0.25, 4.0])
    np.testing.assert_array_equal(got["channels"][0, 0], got["weighted"][0, 0] + got["weighted"][0, 1])
    assert got["channels"][1, 0] == -0.5


def test_terminations_say_which_fired_and_pay_in_the_same_step() -> None:
    got, _ = step(example(), x=[3.0, 6.0, 3.0], height=[1.0, 1.0, 0.0])
    np.testing.assert_array_equal(got["terminations"], [[0, 0], [0, 1], [1, 0]])
    np.testing.assert_array_equal(got["terminated"], [[0], [1], [1]])
    np.testing.assert_array_equal(got["success"], [[1], [0], [0]])
    np.testing.assert_array_equal(got["channels"][:, 1], [0, -3, -3])


def test_bad_numbers_pay_nothing_and_are_named() -> None:
    program = example()
    got, core = step(program, x=[np.nan, 1.0, 50.0])
    assert got["raw"][0, 1] == got["weighted"][0, 1] == 0
    assert program.guard_names[core.bad_term[0]] == "task.cost"
    assert list(core.flags) == [1, 0, 2]
    assert got["raw"][2, 1] == 10
    assert np.isfinite(got["critic"]).all()


def test_bad_observation_is_zero_and_named() -> None:
    program = example()
    got, core = step(program, x=[1.0], joint_pos=[np.inf, 1, 1, 1])
    assert got["policy"][0, 3] == 0
    assert program.guard_names[core.bad_term[0]] == "policy.joints"


def test_reset_writes_observations_of_its_rows_only() -> None:
    program = example()
    core = CoreRun(program, 2)
    got = core.reset(rows(x=[1.0, 1.0]), np.array([True, False]))
    assert got["policy"][0].any()
    assert not got["policy"][1].any()
    assert not got["channels"].any()


def test_parameters_change_a_running_program() -> None:
    program = example()
    core = CoreRun(program, 1)
    program.set_params(core.params, {"track.weight": 4.0, "limit": 1.5, "task.track.sigma": 1.0})
    got = core.step(rows(x=[2.0], v=[0, 0, 0]))
    assert got["terminated"][0, 0] == 1
    assert got["raw"][0, 0] == pytest.approx(np.exp(-1), rel=1e-6)
    assert got["weighted"][0, 0] == pytest.approx(4 * DT * np.exp(-1), rel=1e-6)


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ({"limt": 2.0}, "did you mean 'limit'?"),
        (
            {"weight": 1.0},
            "'weight' could be task.track.weight or task.cost.weight or safety.fall.weight",
        ),
        ({"limit": 10.0}, r"expected a value in \[1, 9\] 1, got 10"),
        ({"sigma": 0.0}, "expected a scale above 0"),
        ({"sigma": float("nan")}, "expected a finite number"),
    ],
)
def test_illegal_edits_are_refused_and_change_nothing(edits: dict[str, float], message: str) -> None:
    program = example()
    buffer = program.defaults.copy()
    with pytest.raises(SpecError, match=message):
        program.set_params(buffer, {"cost.weight": -9.0, **edits})
    np.testing.assert_array_equal(buffer, program.defaults)


def test_mirror_is_found_for_vectors_joints_feet_and_derived_values() -> None:
    index, sign = example().mirror("policy")
    np.testing.assert_array_equal(index, [0, 1, 2, 5, 6, 3, 4, 8, 7, 9, 10, 11, 12])
    np.testing.assert_array_equal(sign, [1, -1, 1, -1, 1, -1, 1, 1, 1, 1, -1, 1, -1])


def test_mirror_of_an_unmirrored_signal_is_an_error() -> None:
    program = example(observations={"policy": {"u": "unmirrored"}})
    with pytest.raises(SpecError, match=r"no known mirror image .*unmirrored"):
        program.mirror("policy")


def test_a_pair_that_lacks_signals_lists_every_one() -> None:
    task = convert(tomllib.loads(TEXT), Task, "example")
    few = {name: SIGNALS[name] for name in ("x", "v", "joint_pos", "pose")}
    with pytest.raises(SpecError) as caught:
        compile_task(task, few, dt=DT)
    message = str(caught.value)
    assert "task example: asks for 3 signals that are not provided" in message
    assert all(name in message for name in ("height", "contact", "base_quat"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'expr = "x", scale',
            'expr = "v", scale',
            "channels.task.terms.cost.expr: expected a scalar, got vector",
        ),
        ('far = "x > limit"', 'far = "x"', "terminations.far: expected a truth value, got scalar"),
        ('far = "x > limit"', 'far = "terminated"', "terms, success and metrics only"),
        (
            'contact = "num(contact)"',
            'contact = "contact"',
            "observations.policy.contact: expected numbers",
        ),
        (
            'speed = "norm(v)"',
            'speed = "nrom(v)"',
            "metrics.speed: column 1: unknown operation 'nrom', did you mean",
        ),
        ('error = "v - [1, 0, 0]"', 'error = "error + v"', "defined by itself"),
        ("sigma = 0.25", "sigma = -1.0", "task.track.sigma: expected a scale above 0"),
        ("sigma = 0.25", "limit = 0.25, sigma = 0.25", "'limit' is also a parameter of the task"),
        ("limit = {", "error = 1.0\nlimit = {", r"'error' is also a \[let\]"),
        ("limit = {", "v = 1.0\nlimit = {", "'v' is the name of a signal"),
    ],
)
def test_wrong_task_names_the_key(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(SpecError, match=message):
        example(TEXT.replace(old, new, 1))
