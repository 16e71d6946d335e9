"""The audit: what terms pay policies that do nothing, and the faults that only running shows."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from pyembody.analysis.audit import Audit, audit_task
from pyembody.analysis.replay import States, watch
from pyembody.commands.reward_tables import audit_tables
from pyembody.envs import VectorEnv
from pyembody.program.critic import farm
from pyembody.spec import Robot, Task, load_robot, load_task
from pyembody.spec.load import convert

CARTPOLE = load_robot("cartpole")
BASE = {
    "name": "planted",
    "robot": "cartpole",
    "observations": {"policy": {"angle": "pole_angle", "pos": "cart_pos"}},
    "terminations": {"drop": "abs(pole_angle) > 0.8"},
    "reset": {"joint_pos": 0.5, "passive_pos": 0.3, "passive_vel": 0.5},
}
GOOD = {"expr": "gauss(pole_angle, 0.05)"}
NARROW = {"s": {"value": 1.0, "unit": "m/rad"}}
PLANTED = [
    ("W-IDLE", {"expr": "gauss(cart_vel, 0.001)", "weight": 5.0}),
    ("W-IDLE", {"expr": "num(abs(cart_vel) < 0.1)", "weight": 3.0}),
    ("W-FLAT", {"expr": "1 + 0.001 * sin(pole_angle)", "weight": 0.1}),
    ("W-FLAT", {"expr": "exp(-0.001 * square(number(cart_pos, 'm')))", "weight": 0.1}),
    ("W-DOMINANT", {"expr": "abs(cart_pos)", "weight": -100.0}),
    ("W-DOMINANT", {"expr": "square(pole_vel)", "weight": -10.0}),
    ("W-SATURATED", {"expr": "gauss(cart_pos - pole_angle * s, 1e-9)", "params": NARROW}),
    ("W-SATURATED", {"expr": "tanh1m(pole_vel, 1e4)", "weight": 0.1}),
    ("W-RATE", {"expr": "abs(pole_angle)", "scale": "event", "weight": -0.001}),
    ("W-RATE", {"expr": "num(0.6 < abs(pole_angle) < 0.61)"}),
    ("W-DUP", {"expr": "laplace(pole_angle, 0.4) + gauss(pole_angle, 0.05) * 50"}),
    ("W-DUP", {"expr": "gauss(pole_angle, 0.052)", "weight": 0.2}),
]


def audit(terms: dict[str, object], robot: Robot = CARTPOLE) -> Audit:
    task = convert(BASE | {"channels": {"task": {"terms": terms}}}, Task, "task")
    return audit_task(task, robot, envs=16, seeds=(0, 1), seconds=1.0)


@pytest.mark.parametrize(("code", "term"), PLANTED, ids=[f"{c}-{t['expr']}" for c, t in PLANTED])
def test_a_planted_fault_shows_when_it_runs(code: str, term: dict[str, object]) -> None:
    found = audit({"good": GOOD, "a": term}).findings
    assert [f.path for f in found if f.code == code and f.path in ("channels", "channels.task.terms.a.expr")], found


def test_sound_terms_have_no_finding() -> None:
    # held still the pole falls within a second: nothing is earned by doing nothing
    terms = {"good": {"expr": "gauss(pole_angle, 0.005)"}, "pos": {"expr": "gauss(cart_pos, 0.1)", "weight": 0.2}}
    assert [str(f) for f in audit(terms).findings] == []


STAGES = {
    "stages": [
        {"name": "still", "until": "abs(pole_angle) < 1e-6", "reward": 1.0},
        {"name": "done", "terminal": True},
    ],
    "staging": {"shaping": True},
}


def test_shaping_by_stages_is_no_pay_and_no_fault() -> None:
    """Nobody reaches the second stage: the shaping of each step is a small cost, always the same."""
    task = convert(BASE | STAGES | {"channels": {"task": {"terms": {"good": GOOD}}}}, Task, "task")
    found = audit_task(task, CARTPOLE, envs=16, seeds=(0, 1), seconds=1.0)
    assert found.shaping == ("task.stage_shaping",)
    assert not [f for f in found.findings if f.path == "staging"]
    terms = found.terms["hold"]
    assert terms["task.stage_shaping"].per_second.mean < 0 and np.isnan(terms["task.stage_shaping"].share)
    assert terms["task.good"].share == 1.0
    pays, shares = audit_tables(found)
    assert pays.caption == "* shaping: cancels over an episode"
    assert " stage_shaping*" in list(pays.columns[0].cells)
    assert list(shares.columns[1].cells)[-1] == "-"


def test_a_mean_that_never_varies_has_no_interval() -> None:
    term = audit({"good": GOOD, "fixed": {"expr": "1 + 0 * pole_angle", "weight": 0.5}})
    shown = dict(zip(*(list(c.cells) for c in audit_tables(term)[0].columns[:2]), strict=True))
    assert shown[" fixed"] == "0.5" and "±" in shown[" good"]


def test_figures_are_those_of_the_environment_and_repeat() -> None:
    first, second = audit({"good": GOOD}), audit({"good": GOOD})
    assert first.to_json() == second.to_json()
    for name in ("hold", "zero", "random", "frozen"):
        term = first.terms[name]["task.good"]
        assert term.per_second.low <= term.per_second.mean <= term.per_second.high
        assert 0 <= term.low <= term.high <= 1 and term.share == 1.0
        assert first.totals[name].mean == pytest.approx(term.per_second.mean, rel=1e-5)


def test_the_pay_of_watched_states_is_what_the_environment_paid() -> None:
    task = load_task("velocity")
    env = VectorEnv(task, load_robot("go2"), 8, threads=1, autoreset_mode=AutoresetMode.NEXT_STEP)
    rng = np.random.default_rng(0)
    states, paid = watch(env, lambda x: rng.uniform(-2, 2, (len(x), 12)).astype(np.float32), 60, 0)
    assert states.started[1:].any()  # some fell, and began again
    again = states.pays(env.program)
    for name in ("raw", "weighted", "channels"):
        np.testing.assert_array_equal(again[name], paid[name], err_msg=name)
    env.close()


def test_pay_of_states_without_a_signal_names_it() -> None:
    env = VectorEnv(load_task("balance"), CARTPOLE, 1)
    with pytest.raises(ValueError, match="signals: expected 'pole_angle'"):
        States({}, np.ones((1, 1), np.bool_)).pays(env.program)
    env.close()


@pytest.mark.parametrize(
    ("dense", "bonus", "gamma", "steps", "farmable", "break_even"),
    [
        (0.1, 1.0, 1.0, 100, True, 10),
        (0.1, 1.0, 0.9, 1000, False, 1000),
        (0.2, 1.0, 0.9, 1000, True, 6),
        (0, 1, 1, 9, False, 9),
    ],
)
def test_hovering_is_weighed_against_the_bonus_in_closed_form(
    dense: float, bonus: float, gamma: float, steps: int, farmable: bool, break_even: int
) -> None:
    found = farm(dense, bonus, gamma, steps)
    assert (found["farmable"], found["break_even"]) == (farmable, break_even)
    pays = np.cumsum(dense * gamma ** np.arange(steps))  # of 1, 2, ... steps
    assert found["needed"] == pytest.approx(pays[-1])
    assert farmable == (pays[-1] > bonus + 1e-12)
