"""Planted faults are found, with their code and at their place; the shipped tasks have none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pyembody.envs.critique import critique, model_bounds
from pyembody.envs.provided import provided_signals
from pyembody.program import compile_task
from pyembody.program.critic import Finding, Options, check, check_alone, refused, texts
from pyembody.program.critic.refusals import finding_of
from pyembody.spec import Robot, SpecError, Task, list_robots, list_tasks, list_variants, load_robot, load_task
from pyembody.spec.load import convert
from test_program_mappings import LEGGED

GO2 = load_robot("go2")
EXPR = "channels.task.terms.a.expr"
BASE = {
    "name": "planted",
    "robot": "go2",
    "observations": {"policy": {"v": "base_lin_vel"}},
    "command": {"low": [-1, -1, -1], "high": [1, 1, 1]},
    "terminations": {"fall": "base_pos[2] < 0.1"},
}


@dataclass(frozen=True)
class Fault:
    """A term `a` of weight `weight` with a fault of `code`, whose span is `at`."""

    code: str
    expr: str
    at: str
    weight: float = 1.0
    scale: str = "rate"
    params: tuple[tuple[str, object], ...] = ()
    gamma: float = 0.99


FAULTS = [
    Fault("E-SYNTAX", "gauss(base_pos[2] - 0.3, ", "("),
    Fault("E-SYNTAX", "square(base_lin_vel[2]) +* 2", "*"),
    Fault("E-NODE", "joint_pos.sum()", "joint_pos"),
    Fault("E-NODE", "sum([x for x in joint_vel])", "["),
    Fault("E-LIMIT", "(" * 33 + "1" + ")" * 33, "("),
    Fault("E-LIMIT", "sum(joint_vel[0:3]) + " + "1" * 41, "1" * 41),
    Fault("E-NAME", "gaus(base_lin_vel, 0.25)", "gaus"),
    Fault("E-NAME", "tolerance(base_pos[2], 0.3, 0.4, margn=0.1)", "tolerance"),
    Fault("E-SIGNAL", "norm(base_lin_vle)", "base_lin_vle"),
    Fault("E-SIGNAL", "norm(gripper_pos)", "gripper_pos"),
    Fault("E-RANGE", "gauss(joint_vel, 1e39)", "1e39"),
    Fault("E-RANGE", "joint_pos[12]", "joint_pos"),
    Fault("E-TYPE", "base_pos[2] < 0.3", ""),
    Fault("E-TYPE", "where(base_pos[2], 1, 0)", "where"),
    Fault("E-AXIS", "square(joint_vel)", ""),
    Fault("E-AXIS", "sum(base_lin_vel + joint_vel)", "base_lin_vel"),
    Fault("E-UNIT", "norm(base_lin_vel) + norm(base_ang_vel)", "norm"),
    Fault("E-UNIT", "exp(base_pos[2])", "exp"),
    Fault("E-FRAME", "dot(base_lin_vel, base_lin_vel_world)", "dot"),
    Fault("E-FRAME", "norm(foot_vel['FL'] - base_lin_vel)", "foot_vel"),
    Fault("E-POINT", "cosine(foot_pos['FL'], base_pos)", "cosine"),
    Fault("E-POINT", "norm(base_pos)", "norm"),
    Fault("E-DOMAIN", "log(number(-norm(base_lin_vel) - 1, 'm/s'))", "log(number(-norm(base_lin_vel) - 1, 'm/s'))"),
    Fault("E-DOMAIN", "sqrt(clip(projected_gravity[2], -1, 1) - 2)", "sqrt(clip(projected_gravity[2], -1, 1) - 2)"),
    Fault("W-NAN", "0.1 * sqrt(projected_gravity[2])", "sqrt(projected_gravity[2])"),
    Fault("W-NAN", "clip(log(action[0]), -1, 1)", "log(action[0])"),
    Fault("W-INF", "min(log(norm(action)), 1)", "log(norm(action))"),
    Fault("W-INF", "2 * exp(50 * abs(action[0]))", "exp(50 * abs(action[0]))", -1.0),
    Fault("W-DIV0", "min(1 / norm(base_lin_vel), s)", "1 / norm(base_lin_vel)", params=(("s", 2.0),)),
    Fault("W-DIV0", "clip(command[0] / command[1], -1, 1)", "command[0] / command[1]"),
    Fault("E-SCALE", "gauss(base_lin_vel, -0.25)", "gauss(base_lin_vel, -0.25)"),
    Fault("E-SCALE", "tolerance(base_pos[2], 0.3, 0.4, -0.1)", "tolerance(base_pos[2], 0.3, 0.4, -0.1)"),
    Fault(
        "W-SCALE",
        "laplace(base_lin_vel[0] - command[0], command[0])",
        "laplace(base_lin_vel[0] - command[0], command[0])",
    ),
    Fault(
        "W-SCALE",
        "tolerance(base_lin_vel[0], v, inf, v / 2)",
        "tolerance(base_lin_vel[0], v, inf, v / 2)",
        params=(("v", {"value": 1.0, "unit": "m/s", "low": -1.0, "high": 2.0}),),
    ),
    Fault("E-BOUND", "hamacher(0.5 + num(moving), 0.5)", "hamacher(0.5 + num(moving), 0.5)"),
    Fault(
        "E-BOUND",
        "hamacher(projected_gravity[2], gauss(action, 1))",
        "hamacher(projected_gravity[2], gauss(action, 1))",
    ),
    Fault("E-GAMMA", "0.9 * phi - prev(phi)", "0.9 * phi - prev(phi)"),
    Fault(
        "E-GAMMA",
        "2 * (num(not terminated) * 0.95 * phi - prev(phi))",
        "2 * (num(not terminated) * 0.95 * phi - prev(phi))",
    ),
    Fault("W-SHAPE", "max(delta(phi), 0) / 1", "max(delta(phi), 0) / 1"),
    Fault("W-SHAPE", "0.99 * phi - prev(phi)", "0.99 * phi - prev(phi)"),
    Fault("N-POTENTIAL", "delta(phi)", "delta(phi)"),
    Fault(
        "N-POTENTIAL", "0.99 * phi * num(not terminated) - prev(phi)", "0.99 * phi * num(not terminated) - prev(phi)"
    ),
    Fault("W-UNBOUNDED", "0.4 * (joint_pos[0] - 0.5)", "0.4 * (joint_pos[0] - 0.5)"),
    Fault(
        "W-UNBOUNDED",
        "min(norm(base_lin_vel), 3) - base_pos[2] * s",
        "min(norm(base_lin_vel), 3) - base_pos[2] * s",
        -2.0,
        params=(("s", 1.0),),
    ),
    Fault("W-ZERO", "ramp(norm(action), 0, 1) * gauss(projected_gravity[:2], 0.5)", "ramp(norm(action), 0, 1)"),
    Fault(
        "W-ZERO",
        "hamacher(tolerance(action[0], 0, 1, 1, sigmoid='linear'), 0.5 * sigmoid(action[1]))",
        "tolerance(action[0], 0, 1, 1, sigmoid='linear')",
    ),
    Fault("W-SATURATED", "gauss(action, 1e6)", "gauss(action, 1e6)"),
    Fault(
        "W-SATURATED",
        "laplace(projected_gravity - [0, 0, 9.81], 0.01)",
        "laplace(projected_gravity - [0, 0, 9.81], 0.01)",
    ),
    Fault("W-DEAD", "num(projected_gravity[2] > 1.5)", "projected_gravity[2] > 1.5"),
    Fault("W-DEAD", "where(joint_pos['FL_calf_joint'] > 0.5, 1, 0) + num(moving)", "joint_pos['FL_calf_joint'] > 0.5"),
    Fault("N-AFFINE", "1 - tanh(norm(action))", "1 - tanh(norm(action))"),
    Fault("N-AFFINE", "gauss(action, 2) + 0.5", "gauss(action, 2) + 0.5"),
    Fault("W-DUP", "gauss(projected_gravity[:2], 0.25)", "gauss(projected_gravity[:2], 0.25)"),
    Fault("W-DUP", "gauss( projected_gravity[0:2], 0.25 )", "gauss( projected_gravity[0:2], 0.25 )", -0.5),
]


def planted(fault: Fault) -> Task:
    """A task with one term that has a fault, after one that has none."""
    good = {"expr": "gauss(projected_gravity[:2], 0.25)"}
    bad = {"expr": fault.expr, "weight": fault.weight, "scale": fault.scale, "params": dict(fault.params)}
    channels = {"task": {"terms": {"good": good, "a": bad}, "gamma": fault.gamma}}
    return convert(BASE | {"channels": channels, "let": {"phi": "clip(norm(action), 0, 1)"}}, Task, "task")


@pytest.fixture(scope="module")
def options() -> Options:
    """What the critic knows of go2 with commands."""
    task = planted(Fault("", "1", ""))
    return Options(provided_signals(GO2, task), model_bounds(GO2, task))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f.code}-{f.expr[:30]}")
def test_a_planted_fault_is_found_with_its_code_and_place(fault: Fault, options: Options) -> None:
    found = check(planted(fault), GO2, options)
    hits = [f for f in found if f.code == fault.code]
    assert hits, f"expected {fault.code}, got {[str(f) for f in found]}"
    assert hits[0].severity == fault.code[0]
    assert hits[0].path == EXPR
    assert not fault.at or fault.expr[slice(*hits[0].span)] == fault.at
    wrong = [f for f in refused(found) if f.code != fault.code and f.path == EXPR]
    assert not wrong or fault.code[0] != "W", [str(f) for f in wrong]


def test_there_are_forty_planted_faults_and_two_of_each_code() -> None:
    codes = [f.code for f in FAULTS]
    assert len(codes) >= 40
    assert {c for c in codes if codes.count(c) < 2} == set()


PAIRS = [(name, variant) for name in list_tasks() for variant in ("", *list_variants(name))]


@pytest.mark.parametrize(("name", "variant"), PAIRS)
def test_shipped_tasks_have_no_error_and_no_warning(name: str, variant: str) -> None:
    task = load_task(name, variant)
    robots = [load_robot(r) for r in list_robots()]
    for robot in [r for r in robots if r.name == task.robot]:
        assert [str(f) for f in critique(task, robot) if f.severity != "N"] == []


def test_a_published_legged_reward_has_no_error_and_no_warning() -> None:
    text = (Path(__file__).parent / "programs" / "legged_gym.toml").read_text()
    assert [str(f) for f in check(text, GO2, Options(LEGGED)) if f.severity != "N"] == []


def find(task: dict[str, object], options: Options) -> list[Finding]:
    return check(convert(BASE | task, Task, "task"), GO2, options)


def test_a_bonus_that_hovering_beats_is_found_with_the_bonus_that_would_win(options: Options) -> None:
    terms = {
        "near": {"expr": "gauss(action, 0.5)", "weight": 0.1, "scale": "none"},
        "bonus": {"expr": "num(terminated)", "weight": 1.0, "scale": "event"},
    }
    (found,) = [f for f in find({"channels": {"task": {"terms": terms, "gamma": 1.0}}}, options) if f.code == "W-FARM"]
    assert found.path == "channels.task.terms.bonus.expr"
    assert found.evidence["break_even"] == 10  # 11 steps of 0.1 are more than 1
    assert found.evidence["needed"] == pytest.approx(0.1 * 1000)
    living = {"alive": {"expr": "num(not terminated)", "weight": 2.0}, "bonus": terms["bonus"]}
    task = {"channels": {"task": {"terms": living, "gamma": 0.99}}}
    (found,) = [f for f in find(task, options) if f.code == "W-FARM"]
    assert found.evidence["needed"] == pytest.approx(0.04 / 0.01, rel=1e-3)
    rich = {"near": terms["near"], "bonus": terms["bonus"] | {"weight": 101.0}}
    assert not [f for f in find({"channels": {"task": {"terms": rich, "gamma": 1.0}}}, options) if f.code == "W-FARM"]


def test_a_task_that_only_costs_is_told_that_dying_pays(options: Options) -> None:
    cost = {"expr": "normsq(action)", "weight": -1.0}
    alone = find({"channels": {"task": {"terms": {"cost": cost}}}}, options)
    assert [f.severity for f in alone if f.code == "W-EARLY"] == ["W"]
    fall = {"expr": "num(terminated)", "weight": -5.0, "scale": "event"}
    priced = find({"channels": {"task": {"terms": {"cost": cost, "fall": fall}}}}, options)
    assert [f.severity for f in priced if f.code == "W-EARLY"] == ["N"]
    paid = {"expr": "gauss(action, 1)"}
    assert "W-EARLY" not in {
        f.code for f in find({"channels": {"task": {"terms": {"cost": cost, "paid": paid}}}}, options)
    }


def test_every_text_with_an_error_has_its_own_finding(options: Options) -> None:
    terms = {"a": {"expr": "gaus(action, 1)"}, "b": {"expr": "norm(base_pos)"}, "c": {"expr": "gauss(action, 1)"}}
    found = find({"channels": {"task": {"terms": terms}}, "metrics": {"m": "nothing + 1"}, "success": "1"}, options)
    errors = [(f.code, f.path) for f in found if f.severity == "E"]
    assert errors == [
        ("E-NAME", "channels.task.terms.a.expr"),
        ("E-POINT", "channels.task.terms.b.expr"),
        ("E-SIGNAL", "metrics.m"),
        ("E-TYPE", "success"),
    ]
    assert found[0].nearest == "gauss" and found[0].got == "gaus"


def test_a_task_whose_only_term_is_wrong_has_that_finding(options: Options) -> None:
    found = find({"channels": {"task": {"terms": {"a": {"expr": "gaus(action, 1)"}}}}}, options)
    assert [(f.code, f.path) for f in found] == [("E-NAME", "channels.task.terms.a.expr")]


def test_a_warning_that_needs_an_unknown_range_is_a_note(options: Options) -> None:
    terms = {"a": {"expr": "exp(number(base_lin_vel[0], 'm/s'))", "max_abs": 10.0}}
    (found,) = [f for f in find({"channels": {"task": {"terms": terms}}}, options) if f.code == "W-INF"]
    assert found.severity == "N" and found.evidence["assumed"] and "assumed" in found.message


STAGES: list[dict[str, Any]] = [{"name": "reach", "until": "base_pos[2] > 0.3"}, {"name": "done", "terminal": True}]
EDGE = {"from": "a", "to": "b", "when": "moved > 0"}
LEARNED = {"low": 0.0, "high": 1.0, "unit": "furlong"}
ELSEWHERE = [
    ({"stages": [STAGES[0] | {"until": "gaus(1)"}, STAGES[1]]}, "E-NAME", "stages.reach.until", "gaus"),
    ({"stages": [STAGES[0] | {"until": "base_pos[2]"}, STAGES[1]]}, "E-TYPE", "stages.reach.until", "base_pos"),
    ({"machine": [EDGE], "staging": {"terminal": ["b"]}}, "E-SIGNAL", "machine[0].when", "moved"),
    ({"terminal": {"fall": {"value": -1.0, "when": "fallen"}}}, "E-SIGNAL", "terminal.fall.when", "fallen"),
    ({"stages": [STAGES[0], STAGES[1] | {"until": "on"}]}, "E-TYPE", "stages.done", ""),
    ({"stages": STAGES, "staging": {"channel": "tsak"}}, "E-NAME", "staging.channel", ""),
    ({"learned": {"p": LEARNED}, "success": "learned('p') > 0"}, "E-UNIT", "learned.p.unit", ""),
]


@pytest.mark.parametrize(("part", "code", "path", "at"), ELSEWHERE, ids=lambda v: v if isinstance(v, str) else "")
def test_faults_of_other_tables_have_their_place(
    part: dict[str, object], code: str, path: str, at: str, options: Options
) -> None:
    found = find({"channels": {"task": {"terms": {"a": {"expr": "1"}}}}} | part, options)
    (error,) = [f for f in found if f.severity == "E"]
    task = convert(BASE | {"channels": {"task": {"terms": {"a": {"expr": "1"}}}}} | part, Task, "task")
    assert (error.code, error.path) == (code, path)
    assert texts(task).get(path, "")[slice(*error.span)] == at


def test_a_limit_is_known_by_the_code_of_its_error() -> None:
    told = finding_of(SpecError("task x: channels.a.terms.b.expr: this is too much", "limit_new"), {})
    assert (told.code, told.path) == ("E-LIMIT", "channels.a.terms.b.expr")


@pytest.mark.parametrize(
    ("text", "code"),
    [("not = = toml", "E-SYNTAX"), ("name = 'x'\nrobto = 'go2'", "E-NAME"), ("name = 'x'\nchannels = 3", "E-TYPE")],
)
def test_a_text_that_is_no_task_is_one_finding(text: str, code: str) -> None:
    (found,) = check(text, GO2)
    assert (found.code, found.severity) == (code, "E")


def test_findings_come_in_the_same_order_each_time(options: Options) -> None:
    task = planted(next(f for f in FAULTS if f.code == "W-DIV0"))
    assert check(task, GO2, options) == check(task, GO2, options)
    assert set(texts(task)) >= {EXPR, "let.phi", "terminations.fall", "observations.policy.v"}


def test_the_critic_needs_no_command_to_know_a_robots_own_signals() -> None:
    robot: Robot = load_robot("cartpole")
    text = "name = 'x'\nobservations.policy.a = 'pole_angle'\n"
    text += "channels.task.terms.a.expr = 'log(number(pole_angle, \"rad\"))'"
    assert "W-NAN" in {f.code for f in check(text, robot)}


def test_findings_are_the_same_with_the_program_at_hand() -> None:
    task = planted(next(f for f in FAULTS if f.code == "W-DIV0"))
    program = compile_task(task, provided_signals(GO2, task), dt=GO2.control.control_dt, mirror=GO2.mirror)
    assert critique(task, GO2, program) == critique(task, GO2) != []


SEVERAL = """
dt = 0.02
[signals]
speed = { unit = "m/s" }
height = { unit = "m" }
[let]
mixed = "speed + height"
[channels.task]
combine = "product"
gate = { level = 1, threshold = 0.5 }
terms.near = { expr = "gauss(height, 0.1)" }
terms.both = { expr = "mixed" }
[channels.cost.terms]
quick = { expr = "square(speed) + height", weight = -0.1 }
slow = { expr = "square(speed)", weight = -0.1 }
[terminations]
low = "mixed < 1"
[[stages]]
name = "rise"
until = "height > 1"
reward = 1.0
[[stages]]
name = "hold"
terminal = true
"""
"""Faults of a gate, a let, a term and the stages, none of which depends on another."""


def test_faults_of_independent_parts_are_told_in_one_pass() -> None:
    program, found = check_alone(SEVERAL)
    places = [f.path for f in found if f.severity == "E"]
    assert places == ["channels.cost.terms.quick.expr", "channels.task.gate.level", "let.mixed", "staging"]
    assert program is not None and program.term_names[-1] == "cost.stages"
    used = SEVERAL.replace('"height > 1"', '"mixed > 1"')
    assert [f.path for f in check_alone(used)[1] if f.severity == "E"] == places
    mended = SEVERAL.replace("level = 1, ", "").replace('"speed + height"', '"speed"')
    assert [f.path for f in check_alone(mended)[1] if f.severity == "E"] == [places[0], *places[3:]]


def test_a_task_that_breaks_a_rule_shows_what_else_is_wrong() -> None:
    terms = {"terms": {"a": {"expr": "square(base_lin_vel[0]) + base_pos[2]"}}, "gate": {"level": 2}}
    task = convert(BASE | {"channels": {"task": terms}}, Task, "planted")
    found = check(task, GO2, Options(provided_signals(GO2, task), model_bounds(GO2, task)))
    assert [f.path for f in found if f.severity == "E"] == ["channels.task.gate.level", "channels.task.terms.a.expr"]
