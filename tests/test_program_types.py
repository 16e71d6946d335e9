"""Types, units and frames: what is legal, what is inferred, and how refusals read."""

from __future__ import annotations

import numpy as np
import pytest

from program_twins import CoreRun
from pyembody.program import compile_expression
from pyembody.program.units import parse_unit
from pyembody.spec import Parameter, Signal, SpecError

LEGS = ("FL", "FR", "RL", "RR")
SIGNALS = {
    s.name: s
    for s in (
        Signal("height", unit="m", source="s"),
        Signal("room", "integer", source="s"),
        Signal("speed", unit="m/s", source="s"),
        Signal("turn", unit="rad", source="s"),
        Signal("on", "bool", source="s"),
        Signal("base_pos", "vector", 3, unit="m", frame="world", point=True, source="s"),
        Signal("goal", "vector", 3, unit="m", frame="world", point=True, source="s"),
        Signal("base_quat", "quat", 4, frame="world", local="body", source="s"),
        Signal("hand_quat", "quat", 4, frame="world", local="hand", source="s"),
        Signal("grip", "vector", 3, unit="m", frame="hand", source="s"),
        Signal("foot_quat", "quat", 4, axis="feet", labels=LEGS, frame="body", local="foot", source="s"),
        Signal("vel_world", "vector", 3, unit="m/s", frame="world", source="s"),
        Signal(
            "vel",
            "vector",
            3,
            unit="m/s",
            frame="body",
            source="= rotate_inv(base_quat, vel_world)",
        ),
        Signal("command", "vector", 3, unit="m/s, m/s, rad/s", frame="body", source="s"),
        Signal("force", axis="feet", labels=LEGS, unit="N", source="s"),
        Signal("joint_pos", axis="joints", labels=("a_hip", "b_hip", "a_knee"), unit="rad", source="s"),
    )
}
REFUSED = {  # text: what the message must say
    "height + speed": "equal units, got m and m/s",
    "height < turn": "equal units",
    "exp(height)": "pure number, got m",
    "sqrt(sqrt(sqrt(height)))": "exponents of units in quarters, thirds or halves, got m^1/8",
    "room == height": "truth values or whole numbers",
    "sin(height)": "angle in rad",
    "asin(turn)": "pure number",
    "cycle(height)": "cycle: its 'freq' has the unit 1/s, got m",
    "vel_world - vel": "one frame, got body and world",
    "dot(vel, vel_world)": "one frame",
    "rotate(base_quat, vel_world)": "frame body",
    "rotate_inv(base_quat, vel)": "frame world",
    "rotate(hand_quat, vel)": "frame hand, got one in body",
    "grip + vel_world * dt": "one frame, got hand and world",
    "to_yaw(base_quat, vel)": "frame world, got one in body",
    "qmul(hand_quat, base_quat)": "matching frames, got hand and world",
    "rotate(qmul(qconj(base_quat), hand_quat), vel)": "frame hand",
    "base_pos + goal": "two points",
    "norm(base_pos)": "displacement, got a point",
    "cosine(base_pos, goal)": "displacement, got a point",
    "vel_world - goal": "point",
    "norm(command)": "different units (m/s, m/s, rad/s)",
    "command + command": "different units",
    "on + 1": "num(b)",
    "num(height)": "truth values",
    "height and on": "truth values",
    "height == 1": "near(a, b, tol)",
    "height if height else 1": "condition",
    "force + joint_pos": "one axis",
    "force - joint_pos['*_hip']": "one axis",
    "force * vel": "no common shape",
    "vel + vel[:2]": "equal widths",
    "force['XX']": "unknown label 'XX'",
    "joint_pos['*_toe']": "matches none of the joints: a_hip, b_hip, a_knee",
    "vel[3]": "index 3 is out of range for 3 components",
    "height[0]": "takes 0 subscripts",
    "vel[height]": "constant whole number",
    "vel[2:2]": "chooses none",
    "sum(vel, over='feet')": "over: expected components, got 'feet'",
    "gaus(height, 1)": "unknown operation 'gaus', did you mean 'gauss'?",
    "hieght + 1": "did you mean 'height'?",
    "gauss(height)": "argument 's' is missing",
    "gauss(height, 1, 2)": "takes 2 arguments, got 3",
    "gauss(height, sgima=1)": "unknown argument of gauss 'sgima'",
    "prev(height, 17)": "k: expected 1 to 16",
    "prev(height, 1.5)": "whole number",
    "prev(height, height)": "constant number",
    "height ** height": "constant number",
    "tolerance(height, 0, 1, 1, sigmoid='gausian')": "did you mean 'gaussian'?",
    "tolerance(height, 0, 1, 1, value_at_margin=1)": "value_at_margin",
    "number(height, 'km/h')": "equal units",
    "number(height, 'kmh')": "unknown unit 'kmh'",
    "terminated": "terms, success and metrics only",
    "add(height, height)": "unknown operation 'add'",
    "height + 1e999": "finite",
    "gauss": "unknown value",
    "base_quat + base_quat": "quat",
    "yaw(vel)": "expected a quat",
    "cross(vel[:2], vel[:2])": "vector[3]",
}
LEGAL = {  # text: unit of the result
    "height - 0.3": "m",
    "sqrt(sqrt(height)) * height ** 0.75": "m",
    "sqrt(sqrt(sqrt(0.5 * 2))) * height": "m",
    "sqrt(sqrt(sqrt(sqrt(height / height))))": "1",
    "room == 3": "1",
    "episodic_count(room)": "1",
    "base_pos[2] > 0.3": "1",
    "norm(base_pos - goal)": "m",
    "norm(base_pos[:2] - [1, 2])": "m",
    "base_pos + [0, 0, 0.1]": "m",
    "mean(force * 2)": "kg m/s^2",
    "gauss(vel - [1, 0, 0], 0.25)": "1",
    "gauss(vel[:2] - command[:2], 0.25)": "1",
    "norm(vel - rotate_inv(base_quat, vel_world))": "m/s",
    "command * [2, 2, 0.25]": "m/s,m/s,rad/s",
    "delta(command)": "m/s,m/s,rad/s",
    "command[2] * dt": "rad",
    "rate(vel)": "m/s^2",
    "sin(turn) + cos(0.5)": "1",
    "height / speed": "s",
    "sqrt(2 * height / 9.81) * speed - height": "m",
    "square(speed) / height + rate(speed)": "m/s^2",
    "joint_pos['*_hip'] - [0.1, -0.1]": "rad",
    "force[['FL', 'RR']] > 1": "1",
    "air_time(force > 1) - 0.5": "s",
    "rotate(hand_quat, grip) + vel_world * dt": "m",
    "rotate_inv(hand_quat, vel_world) * dt + grip": "m",
    "rotate(qmul(qconj(base_quat), hand_quat), grip) + vel * dt": "m",
    "rotate(foot_quat, [0, 0, 1])": "1",
    "min_dist(base_pos, goal)": "m",
    "unwrap(turn) + 2 * pi * turn": "rad",
    "geomean(height / 2, speed * dt / height)": "1",
    "potential(height, 0.9, on)": "m",
    "lex(height, 0.2, height)": "m",
    "l22(vel, 0.1, 3)": "m/s",
    "height if on else 0": "m",
    "min(height, 0.5) if on and not height > 1 else max(height, 0, 1)": "m",
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused_with_place_and_reason(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        compile_expression(text, SIGNALS)
    assert str(caught.value).startswith("expression: column ")
    assert REFUSED[text] in str(caught.value)


@pytest.mark.parametrize("text", LEGAL)
def test_legal_with_the_unit_that_follows(text: str) -> None:
    program = compile_expression(text, SIGNALS)
    ((_, node),) = program.groups["value"].stores
    if not any(u.unknowns for u in node.type.units):
        assert ",".join(map(str, node.type.units)) == LEGAL[text]
    program.build()


def test_parameter_takes_the_unit_of_its_use() -> None:
    program = compile_expression("gauss(speed, sigma) + height / scale", SIGNALS, params={"sigma": 1, "scale": 2})
    assert program.params["sigma"].unit == "m^2/s^2"
    assert program.params["scale"].unit == "m"
    assert program.params["sigma"].positive


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gauss(base_pos - goal, width)", "gauss: its scale has the unit m^2, got m"),
        ("laplace(vel, width)", "laplace: its scale has the unit m/s, got m"),
        ("logistic(base_pos - goal, width)", "logistic: its 'a' has the unit 1/m, got m"),
        ("tolerance(height, 0, 1, speed)", "tolerance: its 'margin' has the unit m, got m/s"),
        ("tolerance(height, speed, 1, width)", "tolerance: its 'lo' has the unit m, got m/s"),
        ("smooth_abs(vel, width)", "smooth_abs: its 'p' has the unit m/s, got m"),
        ("risk(height / width, width)", "risk: its 'r' is a pure number, got m"),
        (
            "num(height > free) * gauss(height, free)",
            "its scale has the unit m^2, got m, which parameter 'free' has where it is used elsewhere",
        ),
    ],
)
def test_an_argument_of_a_kernel_or_cost_is_named_with_the_unit_that_it_needs(text: str, words: str) -> None:
    params = {"width": Parameter(0.5, unit="m"), "free": 1.0}
    with pytest.raises(SpecError) as caught:
        compile_expression(text, SIGNALS, params=params)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        ("Nm", "unknown unit 'Nm', did you mean 'N m'?"),
        ("kgm/s", "unknown unit 'kgm', did you mean 'kg m'?"),
        ("Nmm", "expected an SI unit, got 'Nmm' (1 N mm is 0.001 kg m^2/s^2)"),
        ("N mm", "expected an SI unit, got 'N mm' (1 N mm is 0.001 kg m^2/s^2)"),
        ("xyz", "unknown unit 'xyz' (known: "),
    ],
)
def test_units_written_together_are_told_apart(unit: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        compile_expression("x", {"x": Signal("x", unit=unit, source="s")})
    assert words in str(caught.value)
    assert parse_unit("kg m^2/s^2", "here") == parse_unit("N m", "here")


def test_a_quat_has_four_numbers_unless_another_width_is_said() -> None:
    assert Signal("q", "quat").width == 4 and Signal("x").width == 1 and Signal("v", "vector").width == 1
    feet = Signal("q", "quat", axis="feet", labels=("left", "right"))
    assert feet.lanes == 8
    with pytest.raises(SpecError, match="width: expected 4 for a quat, got 3"):
        compile_expression("q[0]", {"q": Signal("q", "quat", 3)})


def test_parameter_used_with_two_units_is_refused() -> None:
    with pytest.raises(SpecError, match="parameter 'p' has the unit m where it is used elsewhere"):
        compile_expression("num(height > p) + num(speed > p)", SIGNALS, params={"p": 1})


def test_declared_parameter_unit_is_checked() -> None:
    with pytest.raises(SpecError, match="equal units, got m and m/s"):
        compile_expression("height > p", SIGNALS, params={"p": Parameter(1, "m/s")})
    with pytest.raises(SpecError, match="expected an SI unit, got 'cm'"):
        compile_expression("height > p", SIGNALS, params={"p": Parameter(1, "cm")})


def test_number_leaves_the_unit_system() -> None:
    program = compile_expression("number(speed, 'km/h')", SIGNALS)
    core = CoreRun(program, 1)
    assert core.step({"speed": np.array([[10.0]])})["value"][0, 0] == pytest.approx(36.0)


@pytest.mark.parametrize(("text", "shown"), [("N m", "kg m^2/s^2"), ("m/s^2", "m/s^2"), ("1/s", "1/s"), ("", "1")])
def test_units_are_read_and_shown(text: str, shown: str) -> None:
    assert str(parse_unit(text, "here")) == shown


def test_cyclic_let_is_refused() -> None:
    with pytest.raises(SpecError, match="'a' is defined by itself: a -> b -> a"):
        compile_expression("a", SIGNALS, let={"a": "b + 1", "b": "a + 1"})


def test_let_may_not_hide_a_signal_or_an_operation() -> None:
    for name in ("height", "gauss", "dt"):
        with pytest.raises(SpecError, match="choose another one"):
            compile_expression("speed", SIGNALS, let={name: "1"})


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        (Signal("x", "vector", 3, frame="wrold"), "signal x: frame: unknown frame 'wrold', did you mean 'world'?"),
        (Signal("x", "vector", 3, frame="hnad"), "signal x: frame: unknown frame 'hnad', did you mean 'hand'?"),
        (Signal("x", "quat", 4, frame="worlds", local="hand"), "frame: unknown frame 'worlds', did you mean 'world'?"),
        (Signal("x", "quat", 4, frame="world", local="boddy"), "local: unknown frame 'boddy', did you mean 'body'?"),
        (Signal("x", "vector", 3, frame="zzz"), "(known: body, foot, hand, world, yaw); a quat with local = 'zzz'"),
    ],
)
def test_a_misspelt_frame_is_no_new_body(signal: Signal, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        compile_expression("height", {**SIGNALS, "x": signal})
    assert message in str(caught.value)


def test_bodies_are_frames() -> None:
    bodies = Signal("mass", axis="bodies", labels=("torso", "bod1"), unit="kg", source="s")
    speed = Signal("speed", "vector", 3, unit="m/s", frame="torso", source="s")
    turn = Signal("turn", "quat", 4, frame="torso", local="bod1", source="s")
    compile_expression("norm(speed)", {s.name: s for s in (bodies, speed, turn)})


def test_parameter_under_roots_of_any_depth_is_a_plain_number() -> None:
    program = compile_expression("sqrt(sqrt(sqrt(p))) * height", SIGNALS, params={"p": 2.0})
    core = CoreRun(program, 1)
    assert core.step({"height": np.array([[10.0]])})["value"][0, 0] == pytest.approx(10 * 2**0.125)


def test_derived_signal_must_be_what_it_declares() -> None:
    wrong = {**SIGNALS, "vel": Signal("vel", "vector", 3, unit="m", source="= vel_world")}
    with pytest.raises(SpecError, match="signal vel: source: expected the unit m, got m/s"):
        compile_expression("vel", wrong)
