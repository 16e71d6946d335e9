"""What the critic says to do about a fault fits that fault, is said once, and owns up to assumed ranges."""

from __future__ import annotations

import pytest

from pyembody.program.critic import Finding, check
from pyembody.spec import load_robot

CARTPOLE = load_robot("cartpole")
TASK = """
name = "staged"
robot = "cartpole"
[observations.policy]
angle = "pole_angle"
[channels.main]
gate = { level = LEVEL }
[channels.main.terms]
up = { expr = "EXPR", params = { w = 1.0 } }
[channels.extra]
combine = "product"
gain = GAIN
[channels.extra.terms]
near = { expr = "inverse(cart_pos, 1)" }
[[stages]]
name = "reach"
until = "UNTIL"
[[stages]]
name = "done"
terminal = true
[staging]
channel = "CHANNEL"
"""
SOUND = {
    "LEVEL": "0",
    "EXPR": "laplace(pole_angle, w)",
    "GAIN": "2.0",
    "UNTIL": "abs(pole_angle) < 0.1",
    "CHANNEL": "main",
}
FAULTS = [
    ("CHANNEL", "extra", "E-TYPE", "staging", 'set staging.channel to a channel with combine = "sum"'),
    ("LEVEL", "2", "E-TYPE", "channels.main.gate.level", "give the gate of a channel of a lower level a threshold"),
    ("GAIN", "'much'", "E-TYPE", "channels.extra.gain", ""),
    ("UNTIL", "pole_angle", "E-TYPE", "stages.reach.until", "compare numbers: x > 0.5"),
    ("EXPR", "pole_angle > 0", "E-TYPE", "channels.main.terms.up.expr", "or choose by it: where(b, x, y)"),
    ("EXPR", "exp(cart_pos)", "E-UNIT", "channels.main.terms.up.expr", "or let a parameter in it declare the unit"),
    ("EXPR", "pole_angle + cart_pos", "E-UNIT", "channels.main.terms.up.expr", "number(x, 'unit') leaves units"),
]


def found(key: str = "", value: str = "") -> list[Finding]:
    text = TASK
    for name, sound in SOUND.items():
        text = text.replace(name, value if name == key else sound)
    return check(text, CARTPOLE)


def test_the_task_without_a_fault_has_none() -> None:
    assert found() == []


@pytest.mark.parametrize(("key", "value", "code", "path", "fix"), FAULTS, ids=[f"{k}={v}" for k, v, *_ in FAULTS])
def test_a_remedy_is_that_of_its_fault_and_said_once(key: str, value: str, code: str, path: str, fix: str) -> None:
    fault = next(f for f in found(key, value) if f.severity == "E")
    assert (fault.code, fault.path) == (code, path)
    assert fault.fix.startswith(fix) if fix else fault.fix == ""
    for remedy in ("num(b)", "leaves units"):
        assert f"{fault.message} {fault.fix}".count(remedy) <= 1


@pytest.mark.parametrize(("expr", "assumed"), [("abs(cart_vel) / w", True), ("abs(action[0])", False)])
def test_a_range_that_nobody_declared_is_called_assumed(expr: str, assumed: bool) -> None:
    expr = f"clip(log(number({expr}, '{'m/s' if assumed else '1'}') - 0.1), -1, 1)"
    fault = next(f for f in found("EXPR", expr) if f.code == "W-NAN")
    assert fault.severity == "W" and "log of [-0.1" in fault.message
    assert ("are assumed: ±10000" in fault.message) == assumed


def test_shaping_by_stages_is_no_bonus_that_dense_pay_outweighs() -> None:
    shaped = TASK.replace("[staging]", "[staging]\nshaping = true").replace('"reach"', '"reach"\nreward = 1.0')
    for name, sound in SOUND.items():
        shaped = shaped.replace(name, sound)
    assert "shaping = true" in shaped and check(shaped, CARTPOLE) == []
