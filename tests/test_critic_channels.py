"""The critic on channels that are no sums, and on pay that depends on the length of a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from pyembody.analysis.audit import audit_task
from pyembody.envs.critique import critique, model_bounds
from pyembody.envs.provided import provided_signals
from pyembody.program import compile_task
from pyembody.program.critic import Finding, analyse, check, pays, refused, signal_bounds
from pyembody.spec import Robot, Task, load_robot
from pyembody.spec.load import convert

CARTPOLE = load_robot("cartpole")
UPRIGHT = {"expr": "laplace(pole_angle, 0.5)"}
NEAR = {"expr": "0.2 + 0.5 * exp(-square(number(cart_pos, 'm')))"}
BASE: dict[str, Any] = {
    "name": "joined",
    "robot": "cartpole",
    "observations": {"policy": {"angle": "pole_angle"}},
    "terminations": {"drop": "abs(pole_angle) > 0.8"},
    "reset": {"passive_pos": 0.3, "passive_vel": 0.5},
}
KINDS = ("product", "geomean", "min", "hamacher")


def joined(kind: str, terms: dict[str, Any], **channel: Any) -> Task:
    data = BASE | {"channels": {"task": {"combine": kind, "gain": 2.0, "terms": terms, **channel}}}
    return convert(data, Task, "joined")


def findings(task: Task, robot: Robot = CARTPOLE) -> list[tuple[str, str, str]]:
    return [(f.code, f.severity, f.path) for f in critique(task, robot)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_pay_of_joined_terms_is_bounded_as_one_line(kind: str) -> None:
    task = joined(kind, {"upright": UPRIGHT, "near": NEAR})
    signals = provided_signals(CARTPOLE, task)
    program = compile_task(task, signals, dt=0.02)
    bounds = signal_bounds(signals, CARTPOLE, task, model_bounds(CARTPOLE, task))
    upright, near, line = pays(task, program, analyse(task, program, bounds))
    assert (upright.low, upright.high, near.low, near.high) == (0, 0, 0, 0)
    assert (line.name, line.path, line.factor) == (kind, "channels.task.combine", pytest.approx(0.04))
    rng, n = np.random.default_rng(0), 5000
    shapes = {s.name: (2, n, s.lanes) for s in program.inputs}
    rows = {name: rng.uniform(-0.7, 0.7, shape) * rng.integers(0, 2, shape) for name, shape in shapes.items()}
    paid = program.evaluate_log(rows, np.array([[True] * n, [False] * n])).groups["channels"][1, :, 0]
    assert line.low <= paid.min() and paid.max() <= line.high
    assert paid.max() > 0.99 * line.high  # all of it can be had: at rest in the middle


CAUGHT = {"expr": "num(abs(cart_pos) < 0.1)", "scale": "event"}
LEANING = {"expr": "laplace(pole_angle, 0.5)", "scale": "event"}


def order(gate: dict[str, Any], *terms: dict[str, Any], gamma: float = 0.99, **task: Any) -> list[str]:
    """What the critic says of the order of returns under one gate."""
    top = {"gamma": gamma, "gate": gate, "terms": {f"t{i}": term for i, term in enumerate(terms)}}
    low = {"gamma": gamma, "gate": {"level": 1}, "terms": {"near": {"expr": "inverse(cart_pos, 1)"}}}
    whole = convert(BASE | {"channels": {"top": top, "low": low}, **task}, Task, "gated")
    found = [f for f in critique(whole, CARTPOLE) if f.code == "W-ORDER"]
    assert {(f.severity, f.path) for f in found} <= {("W", "channels.top.gate.threshold")}
    return [f.message for f in found]


@pytest.mark.parametrize(
    ("gate", "terms", "fault"),
    [
        ({"threshold": 0.5}, (CAUGHT,), ""),
        ({"threshold": 0.5}, (LEANING,), "closed for outcomes below 0.5"),
        ({"threshold": 1.5}, (CAUGHT,), "closed for outcomes below 1.5"),
        ({"threshold": 1.0, "compare": ">"}, (CAUGHT,), "closed for outcomes below 1"),
        ({"threshold": 0.0}, (CAUGHT,), "opens at outcomes from 0 on"),
        ({"threshold": 0.0, "compare": ">"}, (CAUGHT,), ""),
        ({"threshold": 0.0, "compare": ">"}, (LEANING,), ""),
        ({"threshold": 0.5}, (CAUGHT, CAUGHT | {"expr": "num(pole_angle > 0)", "weight": -2.0}), ""),
        ({"threshold": 1.5}, (CAUGHT, CAUGHT | {"expr": "num(pole_angle > 0)"}), "closed for outcomes below 1.5"),
        ({"threshold": {"quantile": 0.9, "from": 0.0, "to": 1.0}}, (CAUGHT,), ""),
    ],
)
def test_a_discounted_gate_warns_unless_closed_outcomes_pay_nothing_and_open_ones_something(
    gate: dict[str, Any], terms: tuple[dict[str, Any], ...], fault: str
) -> None:
    found = order(gate, *terms)
    assert len(found) == bool(fault)
    assert all(fault in message for message in found)


def test_the_order_needs_no_warning_without_discount_or_with_episodes_of_one_length() -> None:
    assert order({"threshold": 0.5}, LEANING)
    assert not order({"threshold": 0.5}, LEANING, gamma=1.0)
    assert not order({"threshold": 0.5}, LEANING, terminations={})


POWERS = [(0.1, 0.9, 2.5), (0.5, 3.0, 0.5), (-1.0, 0.5, 2.0), (-2.0, 1.0, 3.0)]


@pytest.mark.parametrize(("low", "high", "weight"), POWERS)
def test_the_range_of_a_product_is_that_of_its_powers(low: float, high: float, weight: float) -> None:
    term = {"expr": "cart_vel", "weight": weight, "clip": [low, high]}
    task = joined("product", {"a": term}, gain=1.0, scale="none")
    signals = provided_signals(CARTPOLE, task)
    program = compile_task(task, signals, dt=0.02)
    line = pays(task, program, analyse(task, program, signal_bounds(signals, CARTPOLE, task, {})))[-1]
    values = np.power(np.linspace(low, high, 2001), weight)
    assert (line.low, line.high) == pytest.approx((values.min(), values.max()), abs=1e-5)


def test_a_clip_bounds_what_a_term_pays() -> None:
    term = {"expr": "cart_vel", "weight": -2.0, "scale": "none", "clip": [-0.5, 1.0]}
    task = convert(BASE | {"channels": {"task": {"terms": {"a": term}}}}, Task, "clipped")
    signals = provided_signals(CARTPOLE, task)
    program = compile_task(task, signals, dt=0.02)
    (pay,) = pays(task, program, analyse(task, program, signal_bounds(signals, CARTPOLE, task, {})))
    assert (pay.low, pay.high) == (-2.0, 1.0)
    assert "W-UNBOUNDED" not in {code for code, *_ in findings(task)}


def test_a_factor_of_a_channel_that_can_be_0_is_found_at_its_term() -> None:
    zero = {"expr": "tolerance(action[0], 0, 1, 1, sigmoid='linear')"}
    place = "channels.task.terms.zero.expr"
    for kind in ("product", "geomean", "hamacher"):
        assert ("W-ZERO", "W", place) in findings(joined(kind, {"zero": zero, "near": NEAR}))
    assert "W-ZERO" not in {code for code, *_ in findings(joined("min", {"zero": zero, "near": NEAR}))}
    assert "W-ZERO" not in {code for code, *_ in findings(joined("product", {"zero": zero}))}
    weightless = joined("product", {"zero": zero | {"weight": 0.0}, "near": NEAR})
    assert "W-ZERO" not in {code for code, *_ in findings(weightless)}


ENDLESS = ("gaussian", "hyperbolic", "long_tail", "reciprocal", "tanh_squared")


@pytest.mark.parametrize("shape", [*ENDLESS, "cosine", "linear", "quadratic"])
@pytest.mark.parametrize("kind", ["product", "geomean", "hamacher"])
def test_a_factor_that_only_rounding_makes_0_is_no_warning(kind: str, shape: str) -> None:
    """dm_control's products of tolerances: one signal is bounded by the robot, one by nobody."""
    term = {a: {"expr": f"tolerance({a}, 0, 0, 0.01, sigmoid='{shape}')"} for a in ("pole_angle", "cart_vel")}
    found = critique(joined(kind, term), CARTPOLE)
    zero = [f for f in found if f.code in ("W-ZERO", "N-ZERO")]
    if shape in ENDLESS:
        assert {f.severity for f in zero} <= {"N"} and not any("assumed" in f.message for f in zero)
        assert bool(zero) == (shape in ("gaussian", "hyperbolic", "tanh_squared"))
        assert not refused(found)
    else:
        assert {f.code for f in zero} == {"W-ZERO"} and all("long_tail" not in f.fix for f in zero)


@pytest.mark.parametrize(
    ("factor", "code"),
    [
        ("laplace(cart_vel, 0.001)", "N-ZERO"),
        ("gauss(cart_vel, 0.001) * tanh1m(cart_pos, 0.001)", "N-ZERO"),
        ("min(exp(-square(number(cart_vel, 'm/s'))), 0.5)", "N-ZERO"),
        ("tolerance(cart_vel, 0, 0)", "W-ZERO"),
        ("gauss(cart_vel, 0.001) * ramp(cart_vel, 0, 1)", "W-ZERO"),
        ("where(cart_vel > 0, gauss(cart_vel, 0.001), 0)", "W-ZERO"),
    ],
)
def test_a_true_0_anywhere_in_a_factor_stays_a_warning(factor: str, code: str) -> None:
    found = findings(joined("product", {"far": {"expr": factor}, "near": NEAR}))
    assert {c for c, _, path in found if c.endswith("-ZERO") and "far" in path} >= {code}
    assert ("W-ZERO" in {c for c, *_ in found}) == (code == "W-ZERO")


@pytest.mark.parametrize(("kind", "legal"), [("product", True), ("geomean", False), ("min", True), ("hamacher", False)])
def test_a_factor_out_of_its_bounds_is_an_error_at_its_term(kind: str, legal: bool) -> None:
    signed = findings(joined(kind, {"far": {"expr": "action[0]", "clip": [-1.0, 1.0]}, "near": NEAR}))
    assert (("E-BOUND", "E", "channels.task.terms.far.expr") not in signed) is legal
    large = findings(joined(kind, {"far": {"expr": "1 + num(action[0] > 0)"}, "near": NEAR}))
    assert (("E-BOUND", "E", "channels.task.terms.far.expr") in large) is (kind != "min")
    clipped = findings(joined(kind, {"far": {"expr": "1 + action[0]", "clip": [0.1, 1.0]}, "near": NEAR}))
    assert "E-BOUND" not in {code for code, *_ in clipped}


def test_an_affine_factor_of_a_product_is_no_constant_pay() -> None:
    assert "N-AFFINE" not in {code for code, *_ in findings(joined("product", {"near": NEAR, "up": UPRIGHT}))}


def test_the_audit_tells_what_joined_terms_pay_together() -> None:
    task = joined("product", {"upright": UPRIGHT, "near": NEAR})
    found = audit_task(task, CARTPOLE, envs=8, seeds=(0,), seconds=0.5)
    assert found.term_names == ("task.upright", "task.near", "task.product")
    hold = found.terms["hold"]
    assert np.isnan(hold["task.upright"].per_second.mean) and np.isnan(hold["task.upright"].share)
    assert hold["task.product"].per_second.mean == pytest.approx(found.totals["hold"].mean, rel=1e-5)
    assert hold["task.product"].share == 1.0 and 0 < hold["task.product"].high <= 0.7


def test_the_audit_of_a_task_with_stages_tells_what_they_pay() -> None:
    stages = [{"name": "swing", "until": "abs(pole_angle) > 0.05", "reward": 1.0}, {"name": "out", "terminal": True}]
    data = BASE | {"channels": {"task": {"terms": {"near": NEAR}}}, "stages": stages}
    found = audit_task(convert(data, Task, "staged"), CARTPOLE, envs=8, seeds=(0,), seconds=0.5)
    assert found.term_names == ("task.near", "task.stages")
    assert found.terms["random"]["task.stages"].high == 1.0


STEPPED: dict[str, Any] = {
    "near": NEAR | {"scale": "none", "weight": 0.02},
    "up": UPRIGHT,
    "unpaid": UPRIGHT | {"scale": "none", "weight": 0},
}


def rates(found: list[Finding]) -> list[str]:
    return [f.path for f in found if f.code == "W-RATE"]


def test_pay_of_a_step_is_warned_of_where_steps_are_of_another_length_than_where_it_was_tuned() -> None:
    task = convert(BASE | {"channels": {"task": {"terms": STEPPED}}}, Task, "stepped")
    control = CARTPOLE.control
    other = replace(CARTPOLE, control=replace(control, control_dt=2 * control.control_dt))
    assert rates(critique(task, CARTPOLE)) == []
    (found,) = [f for f in critique(task, other) if f.code == "W-RATE"]
    assert found.path == "channels.task.terms.near.expr" and "0.5 times as much a second" in found.message
    assert found in refused(critique(task, other)) and found not in refused(critique(task, other), ("W-RATE",))
    assert rates(check(replace(task, robot="nobody"), other)) == rates(check(replace(task, robot=""), other)) == []
    together = replace(joined("product", {"near": NEAR, "up": UPRIGHT}, scale="none"), robot="cartpole")
    assert rates(critique(together, other)) == ["channels.task.combine"]
