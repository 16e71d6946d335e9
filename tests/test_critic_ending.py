"""What the critic says of the end of an episode and of time in the air, by figures that the program itself gives."""

from __future__ import annotations

import re

import pytest

from pyembody.program.critic import Finding, check_alone

HEAD = """
dt = 0.02
signals.x = {}
signals.seen = { kind = "bool" }
signals.down = { kind = "bool", axis = "feet", labels = ["left", "right"] }
signals.force = { axis = "feet", labels = ["left", "right"], unit = "N" }
"""
FALLS = 'terminations.fall = "seen"\nterminations.far = "abs(x) > 3"\n'
BONUS = 'channels.task.terms.bonus = { expr = "num(terminated)", weight = 10.0, scale = "event" }\n'


def found(code: str, *lines: str) -> list[Finding]:
    program, findings = check_alone(HEAD + "\n".join(lines))
    assert program is not None and not [f for f in findings if f.severity == "E"]
    return [f for f in findings if f.code == code]


def term(expr: str, rest: str = 'weight = 10.0, scale = "event"') -> str:
    return f'channels.task.terms.a = {{ expr = "{expr}", {rest} }}\n'


@pytest.mark.parametrize(
    ("line", "amount"),
    [
        (term("num(terminated)"), " +10,"),
        (term("num(terminated)", "weight = 10.0"), " +0.2,"),
        (term("num(seen)"), " +10,"),
        (term("where(abs(x) > 3, gauss(x, 1), 0)"), " up to +10,"),
        (term("where(terminated, abs(x), 0)"), ","),
        ("terminal.end.value = 10.0\n" + term("gauss(x, 1)", "weight = 1.0"), " +10,"),
    ],
)
def test_pay_for_the_end_is_named_where_no_success_is(line: str, amount: str) -> None:
    (finding,) = found("W-END", line, FALLS)
    assert finding.severity == "W"
    assert finding.message == f"ending the episode pays{amount} and no success says that it is meant to end"
    assert not found("W-END", 'success = "seen"', line, FALLS)


@pytest.mark.parametrize("expr", ["-num(terminated)", "num(not terminated)", "where(terminated, 0, gauss(x, 1))"])
def test_a_cost_of_ending_and_pay_for_living_are_no_pay_for_the_end(expr: str) -> None:
    assert not found("W-END", term(expr), FALLS)


@pytest.mark.parametrize(
    ("expr", "stays"),
    [("sum(air_time(down))", "up"), ("max(contact_time(down))", "down"), ("norm(air_time(force > 1) - 0.5)", "up")],
)
def test_a_time_without_bound_grows_as_long_as_the_foot_stays(expr: str, stays: str) -> None:
    (finding,) = found("W-UNBOUNDED", term(expr))
    assert finding.message == f"pays without bound: it grows as long as the foot stays {stays}"
    assert not found("W-UNBOUNDED", term(expr, "weight = -1.0"))
    assert not found("W-UNBOUNDED", term(expr, "clip = [0.0, 0.5]"))


@pytest.mark.parametrize(
    "expr",
    [
        "sum(min(air_time(down), 0.5))",
        "sum(clip(air_time(down), 0, 0.5))",
        "sum(num(first_contact(down)) * (last_air_time(down) - 0.5))",
        "sum(where(first_contact(down), prev(air_time(down)) - 0.5, 0))",
        "sum(gauss(air_time(down[0]) - 0.3, 0.1))",
        "count(air_time(down) > 0.2)",
    ],
)
def test_time_in_the_air_that_is_capped_or_paid_at_touch_down_is_bounded(expr: str) -> None:
    assert not found("W-UNBOUNDED", term(expr.replace("down[0]", "down['left']")))


def test_a_farm_says_that_its_episode_is_assumed_and_gives_no_figure_of_an_assumed_range() -> None:
    near = 'channels.task.terms.near = { expr = "EXPR", weight = 10.0 }\n'
    (finding,) = found("W-FARM", BONUS, FALLS, near.replace("EXPR", "gauss(x, 1)"))
    assert "hovering pays up to 0.2 a step" in finding.message and "are left of an assumed 1000" in finding.message
    assert finding.fix.startswith("a bonus above 20")
    (finding,) = found("W-FARM", BONUS, FALLS, near.replace("EXPR", "abs(x)"))
    assert finding.severity == "W" and finding.message.startswith("hovering pays without known bound")
    assert not re.search(r"\d", finding.message + finding.fix)
    (finding,) = found("W-FARM", BONUS, FALLS, near.replace("EXPR", "0.01 * abs(x)"))
    assert finding.severity == "N" and finding.evidence == {"assumed": True}


def test_the_cost_of_a_step_is_no_figure_of_an_assumed_range() -> None:
    fall = 'channels.task.terms.fall = { expr = "num(terminated)", weight = -5.0, scale = "event" }\n'
    (finding,) = found("W-EARLY", term("-abs(x)"), fall, FALLS)
    assert finding.message == (
        "no step can pay more than 0; ending costs 5, a step without known bound (a signal's range is not known)"
    )
    (finding,) = found("W-EARLY", term("-num(seen)"), fall.replace("terminated", "abs(x) > 3"), FALLS.split("\n")[1])
    assert "ending costs 5, a step up to 10" in finding.message


def test_a_bonus_that_the_other_channels_beat_is_noted_unless_they_are_gated() -> None:
    done = 'channels.done.gamma = 1.0\nchannels.done.terms.bonus = { expr = "num(terminated)", scale = "event" }\n'
    way = 'channels.way.weight = 2.0\nchannels.way.terms.near = { expr = "gauss(x, 1)", weight = 0.1, scale = "none" }'
    (one,) = found("W-FARM", FALLS, done, way)
    assert (one.severity, one.evidence["break_even"]) == ("N", 5)  # six steps of 0.2 are more than 1
    assert "channels way pay up to 0.2 a step" in one.message
    assert not found("W-FARM", FALLS, done + "channels.done.gate = { level = 0, threshold = 1.0 }",
                     way, "channels.way.gate = { level = 1 }")
