"""Planners: splines, noise, updates, culling, and the same motion from any number of threads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyembody.envs.model import build_model
from pyembody.plan import Behaviour, BehaviourStage, Plan, PlannerSettings, Runner, make_sampler
from pyembody.plan.cost import CostProgram, risk
from pyembody.plan.imagined import Imagined, Start
from pyembody.plan.lookahead import Lookahead
from pyembody.plan.noise import normals
from pyembody.plan.planner import control_ranges
from pyembody.plan.runner import WARM_UP
from pyembody.plan.samplers import Spread
from pyembody.plan.signals import FLAT, behaviour_signals
from pyembody.plan.spline import KINDS, basis, knot_times
from pyembody.plan.suite import load_suite
from pyembody.program import compile_expression, compile_task
from pyembody.spec import load_robot
from pyembody.spec.errors import SpecError
from pyembody.spec.robot import Robot
from pyembody.spec.signal import Signal
from pyembody.spec.vocabulary import load_vocabulary, make_task

KNOTS, ACTUATORS, COUNT, STEPS = 4, 3, 16, 8
NO_SYNERGY = np.zeros((0, ACTUATORS))
VOCABULARY = load_vocabulary("quadruped")
ROBOT = load_robot("go2", "planning")


def plan_of(knots: np.ndarray) -> Plan:
    return Plan(knots, np.full_like(knots, np.inf), knots)


# --- splines and noise ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("knots", [2, 3, 6])
def test_splines_meet_their_knots_and_hold_the_ends(kind: str, knots: int) -> None:
    at = knot_times(knots, 0.6)
    assert basis(kind, at, knots, 0.6) == pytest.approx(np.eye(knots))
    assert basis(kind, [-1.0, 7.0], knots, 0.6) == pytest.approx(np.eye(knots)[[0, -1]])


@pytest.mark.parametrize("kind", KINDS)
@given(st.lists(st.floats(-1, 2), min_size=1, max_size=5))
def test_constant_knots_give_constant_controls(kind: str, at: list[float]) -> None:
    assert basis(kind, at, 5, 0.7).sum(1) == pytest.approx(np.ones(len(at)))


@pytest.mark.parametrize("kind", ["linear", "cubic"])
def test_knots_on_a_line_give_a_line(kind: str) -> None:
    at = np.linspace(0, 1, 11)
    assert basis(kind, at, 5, 1.0) @ np.linspace(0, 1, 5) == pytest.approx(at)


def test_an_unknown_spline_names_the_nearest() -> None:
    with pytest.raises(SpecError, match="cubic"):
        basis("cubik", [0.0], 4, 1.0)


def test_more_candidates_only_append_rows_of_noise() -> None:
    few, many = normals(3, 7, 1, (4, KNOTS, ACTUATORS)), normals(3, 7, 1, (9, KNOTS, ACTUATORS))
    assert np.array_equal(few, many[:4])
    assert not np.array_equal(few, normals(3, 8, 1, few.shape))


def test_noise_is_standard_normal() -> None:
    x = normals(0, 0, 0, (100, 20, 10)).ravel()
    assert abs(x.mean()) < 0.02
    assert x.std() == pytest.approx(1.0, abs=0.02)
    assert (np.abs(x) < 1.96).mean() == pytest.approx(0.95, abs=0.01)


# --- samplers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["predictive", "mppi", "cem", "annealed"])
def test_the_first_candidate_is_the_plan_and_all_diverged_keep_it(kind: str) -> None:
    sampler, plan = make_sampler(kind, 0.2, COUNT), plan_of(np.ones((KNOTS, ACTUATORS)))
    candidates = sampler.sample(plan, Spread(np.ones(ACTUATORS), NO_SYNERGY), 0, 0, COUNT)
    assert np.array_equal(candidates[0], plan.knots)
    assert sampler.update(plan, candidates, np.full(COUNT, np.inf)) is plan


@pytest.mark.parametrize("kind", ["predictive", "mppi", "cem", "annealed"])
def test_every_sampler_finds_the_bottom_of_a_bowl(kind: str) -> None:
    sampler, plan = make_sampler(kind, 0.2, 64), plan_of(np.zeros((KNOTS, ACTUATORS)))
    goal = np.array([0.5, -0.3, 0.1])
    for index in range(60):
        plan = replace(plan, index=index)
        for planning_round in range(sampler.rounds):
            candidates = sampler.sample(plan, Spread(np.ones(ACTUATORS), NO_SYNERGY), 0, planning_round, 64)
            plan = sampler.update(plan, candidates, np.square(candidates - goal).mean((1, 2)))
    assert np.abs(plan.knots - goal).max() < 0.15


def test_predictive_sampling_takes_the_lowest_index_of_equal_costs() -> None:
    candidates = np.arange(4.0)[:, None, None] * np.ones((1, KNOTS, ACTUATORS))
    plan = make_sampler("predictive", 0.1, 4).update(plan_of(candidates[3]), candidates, np.array([5.0, 2.0, 2.0, 3.0]))
    assert plan.knots[0, 0] == 1.0


def test_mppi_weighs_by_cost_over_temperature() -> None:
    candidates = np.array([0.0, 1.0, 2.0])[:, None, None] * np.ones((1, 2, 1))
    costs = np.array([1.0, 1.2, np.inf])
    plan = make_sampler("mppi", 0.1, 3).update(plan_of(candidates[0]), candidates, costs)
    temperature = 0.1 * 0.2 + 1e-9
    weight = np.exp(-0.2 / temperature)
    assert plan.temperature == pytest.approx(temperature)
    assert plan.knots[0, 0] == pytest.approx(weight / (1 + weight))
    assert plan.effective == pytest.approx((1 + weight) ** 2 / (1 + weight**2))


def test_cem_takes_mean_and_spread_of_the_elites() -> None:
    candidates = np.arange(20.0)[:, None, None] * np.ones((1, 2, 1))
    plan = make_sampler("cem", 0.1, 20).update(plan_of(candidates[0]), candidates, np.arange(20.0)[::-1].copy())
    assert plan.knots[0, 0] == pytest.approx(18.5)
    assert plan.std[0, 0] == pytest.approx(0.5)


def test_synergies_move_several_actuators_at_once() -> None:
    sampler, plan = make_sampler("predictive", 0.2, COUNT), plan_of(np.zeros((KNOTS, ACTUATORS)))
    spread = Spread(np.zeros(ACTUATORS), np.array([[1.0, -2.0, 0.0]]))
    candidates = sampler.sample(plan, spread, 0, 0, COUNT)
    assert np.abs(candidates[1::2, :, 0]).min() > 0
    assert candidates[1::2, :, 1] == pytest.approx(-2 * candidates[1::2, :, 0])
    assert not candidates[0::2].any()


@given(st.floats(0, 50), st.floats(-2, 2))
def test_the_risk_transform_is_that_of_the_language(cost: float, level: float) -> None:
    program = compile_expression("risk(cost, level)", {name: Signal(name) for name in ("cost", "level")})
    rows = {name: np.array([[[value]]], np.float32) for name, value in (("cost", cost), ("level", level))}
    told = program.evaluate_log(rows).groups["value"][0, 0, 0]
    assert risk(rows["cost"].astype(np.float64), float(rows["level"][0, 0, 0])) == pytest.approx(told, rel=1e-4)


# --- on a robot -----------------------------------------------------------------------------------


def imagined(count: int, threads: int = 1, robot: Robot = ROBOT, final: float = 1.0) -> Imagined:
    built = build_model(robot, FLAT)
    program = compile_task(make_task(VOCABULARY, "test"), behaviour_signals(robot, built), dt=0.02)
    return Imagined(built, CostProgram(program, threads), count, threads, final)


def standing(world: Imagined) -> Start:
    model = world.built.model
    return Start(world.built.home_qpos.copy(), np.zeros(model.nv), np.array(ROBOT.default_pose), np.zeros(4))


def controls_around_home(count: int) -> np.ndarray:
    eps = normals(0, 0, 0, (count, STEPS, 12))
    return np.array(ROBOT.default_pose) + 0.3 * np.arange(count)[:, None, None] / count * eps


@pytest.mark.parametrize("kind", ["predictive", "cem"])
def test_culling_changes_no_plan(kind: str) -> None:
    world, sampler = imagined(COUNT), make_sampler(kind, 0.1, COUNT)
    start, controls = standing(world), controls_around_home(COUNT)
    plan = plan_of(controls[0])
    whole = world.costs(start, controls)
    steps = world.steps
    culled = world.costs(start, controls, sampler, plan)
    left = np.isfinite(culled)
    assert left.sum() < COUNT
    assert world.steps - steps < steps
    assert np.array_equal(culled[left], whole[left])
    kept, all_of_them = sampler.update(plan, controls, culled), sampler.update(plan, controls, whole)
    assert np.array_equal(kept.knots, all_of_them.knots)
    assert np.array_equal(kept.std, all_of_them.std)


@pytest.mark.parametrize("horizon", [2, 3, 5])
def test_a_horizon_of_few_steps_is_culled_alike(horizon: int) -> None:
    world, sampler = imagined(COUNT), make_sampler("predictive", 0.1, COUNT)
    start, controls = standing(world), controls_around_home(COUNT)[:, :horizon]
    whole = world.costs(start, controls)
    culled = world.costs(start, controls, sampler, plan_of(controls[0]))
    left = np.isfinite(culled)
    assert np.isfinite(whole).all()
    assert culled[0] == whole[0]
    assert np.array_equal(culled[left], whole[left])
    assert np.argmin(culled) == np.argmin(whole)


def test_the_last_state_counts_as_often_as_it_is_told_to() -> None:
    once, often = imagined(COUNT), imagined(COUNT, final=5.0)
    start, controls = standing(once), controls_around_home(COUNT)
    rows = STEPS - 1
    before, whole = once.costs(start, controls[:, :-1]) * (rows - 1), once.costs(start, controls) * rows
    assert often.costs(start, controls) == pytest.approx((before + 5.0 * (whole - before)) / (rows + 4.0))
    culled = often.costs(start, controls, make_sampler("predictive", 0.1, COUNT), plan_of(controls[0]))
    left = np.isfinite(culled)
    assert left.sum() < COUNT
    assert np.array_equal(culled[left], often.costs(start, controls)[left])


def test_a_stage_s_own_planner_begins_with_what_is_held_and_ends_with_the_stage() -> None:
    settings = {name: PlannerSettings(candidates=4, horizon=STEPS) for name in ("steady", "other")}
    runner = Runner(VOCABULARY, ROBOT, settings)
    own = BehaviourStage("own", until="time_in_stage > 0.01", hold_s=0.0, planner="other")
    runner.say(Behaviour(stages=(BehaviourStage("first", until="time_in_stage > 0.01", hold_s=0.0), own,
                                 BehaviourStage("last"))))
    first, plans, used = runner.planner, [], []
    for _ in range(3):
        used.append(runner.watch.planner)
        runner.step()
        plans.append(runner.planner.plan.index)
    assert used == ["steady", "other", "steady"]
    assert runner.planner is first
    assert plans[0] == WARM_UP  # another planner's, before its first command
    with pytest.raises(SpecError, match="unknown planner 'othr', did you mean 'other'"):
        runner.say(Behaviour(stages=(BehaviourStage("first"), BehaviourStage("last", planner="othr"))))


def test_a_diverging_candidate_costs_infinitely_much_and_others_as_before() -> None:
    world = imagined(4)
    start, controls = standing(world), controls_around_home(4)
    before = world.costs(start, controls)
    controls[2, 3:] = np.nan
    after = world.costs(start, controls)
    assert np.isinf(after[2])
    assert np.array_equal(after[[0, 1, 3]], before[[0, 1, 3]])


def test_an_actuator_without_a_range_is_refused() -> None:
    built = build_model(ROBOT, FLAT)
    built.model.jnt_limited[:] = 0
    with pytest.raises(SpecError, match="FL_hip_joint.*range"):
        control_ranges(built, ROBOT)


@pytest.mark.parametrize("kind", ["predictive", "mppi", "cem", "annealed"])
def test_one_and_two_threads_give_the_same_motion_bit_for_bit(kind: str) -> None:
    settings = {"steady": PlannerSettings(kind=kind, candidates=12, horizon=STEPS)}  # type: ignore[arg-type]
    ends = []
    for threads in (1, 2):
        runner = Runner(VOCABULARY, ROBOT, settings, seed=3, threads=threads)
        runner.say(Behaviour({"foot_height.FR.height": 0.1}))
        runner.run(0.1)
        ends.append(np.array(runner.trace.fields["qpos"]))
    assert len(ends[0]) == 5
    assert np.array_equal(ends[0], ends[1])


@pytest.mark.parametrize("planner", load_suite().planners)
def test_the_suite_s_planners_move_alike_on_one_and_two_threads(planner: str) -> None:
    ends = []
    for threads in (1, 2):
        runner = Runner(VOCABULARY, ROBOT, load_suite().planners, seed=3, threads=threads)
        runner.say(Behaviour({"yaw_rate.speed": 1.0}, planner=planner))
        runner.step()
        ends.append(runner.data.qpos.copy())
    assert np.array_equal(ends[0], ends[1])


def test_live_mode_moves_on_and_tells_how_late_plans_were() -> None:
    settings = {"steady": PlannerSettings(candidates=4, horizon=STEPS)}
    runner = Runner(VOCABULARY, ROBOT, settings, mode="live")
    runner.say(Behaviour({}))
    runner.run(0.3)
    runner.close()
    assert len(runner.trace) == 15
    assert len(runner.trace.late_s) >= 1
    assert not runner.diverged


def rise_and_stay(until: str = "base_pos[2] > 0.3", hold_s: float = 0.04) -> Behaviour:
    high = BehaviourStage("high", {"torso_height.height": 0.4}, until, hold_s=hold_s)
    return Behaviour(stages=(high, BehaviourStage("low", {"torso_height.height": 0.1})), lookahead=True)


def test_a_candidate_that_may_go_on_pays_less_from_then_on() -> None:
    ahead = Lookahead(VOCABULARY, ROBOT, build_model(ROBOT, FLAT), rise_and_stay(), 0.02)
    heights = np.array([[0.2, 0.2, 0.2, 0.2], [0.4, 0.4, 0.4, 0.4], [0.4, 0.2, 0.4, 0.4]]).T
    signals = {s.name: np.zeros((4, 3, s.lanes)) for s in ahead.inputs}
    signals["base_quat"][..., 0] = 1.0
    signals["base_pos"][..., 2] = heights
    ahead.begin(3)
    ids = np.arange(3)
    whole = ahead(signals, ids)
    assert (whole[:, 0] > 1).all()
    assert [bool(c > 1) for c in whole[:, 1]] == [True, True, False, False]
    assert (whole[:, 2] > 1).all()
    ahead.begin(3)
    parts = [ahead({k: v[:1] for k, v in signals.items()}, ids)]
    parts += [ahead({k: v[1:, 1:] for k, v in signals.items()}, ids[1:])]
    assert np.array_equal(parts[1], whole[1:, 1:])


def test_looking_ahead_is_planned_alike_by_any_number_of_threads() -> None:
    settings, ends = {"steady": PlannerSettings(candidates=12, horizon=STEPS)}, []
    for threads in (1, 2):
        runner = Runner(VOCABULARY, ROBOT, settings, threads=threads)
        runner.say(rise_and_stay("reached_torso_height or base_pos[2] > 0.2", 0.0))
        runner.run(0.06)
        assert runner.watch.index == 1
        ends.append(np.array(runner.trace.fields["qpos"]))
    assert np.array_equal(ends[0], ends[1])


def test_what_candidates_cannot_know_is_no_end_of_a_stage_to_look_ahead_from() -> None:
    with pytest.raises(SpecError, match="time_in_stage"):
        Lookahead(VOCABULARY, ROBOT, build_model(ROBOT, FLAT), rise_and_stay("time_in_stage > 1"), 0.02)


@pytest.mark.parametrize("timestep", [0.01, 0.02])
def test_a_control_step_is_simulated_whole_whatever_the_plan_s_own_step(timestep: float) -> None:
    settings = PlannerSettings(candidates=4, horizon=STEPS, timestep=timestep)
    runner = Runner(VOCABULARY, ROBOT, {"steady": settings})
    runner.say(Behaviour({}))
    for _ in range(3):
        runner.step()
    assert runner.data.time == pytest.approx(3 * runner.control_dt)
    runner.close()
