"""The arm with a hand of three fingers at its table: figures, reach, rest, and what a planner's copy leaves out."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from pyembody.envs.model import BuiltModel, build_model
from pyembody.plan.hand import HandMoves
from pyembody.plan.planner import control_ranges
from pyembody.plan.signals import FLAT, synergy_rows
from pyembody.plan.things import freeze, things, unnamed
from pyembody.spec import load_robot
from pyembody.spec.vocabulary import load_vocabulary

ROBOT = load_robot("panda_trident", "planning")
VOCABULARY = load_vocabulary("manipulation")
THINGS = {"apple", "banana", "box", "bowl"}
GAP = 0.02  # rad


def settled(built: BuiltModel, seconds: float) -> mujoco.MjData:
    data = mujoco.MjData(built.model)
    data.qpos[:] = built.home_qpos
    data.ctrl[built.control.actuators] = ROBOT.default_pose
    mujoco.mj_step(built.model, data, nstep=round(seconds / built.model.opt.timestep))
    mujoco.mj_forward(built.model, data)
    return data


def hand() -> HandMoves:
    built = build_model(ROBOT, FLAT)
    assert VOCABULARY.hand is not None
    moves = HandMoves(VOCABULARY.hand, built, ROBOT, control_ranges(built, ROBOT), synergy_rows(VOCABULARY, ROBOT))
    moves.see(built.home_qpos)
    return moves


def test_masses_and_the_flange_are_those_of_the_data_sheet() -> None:
    built = build_model(load_robot("panda_trident"), FLAT)
    model, data = built.model, mujoco.MjData(built.model)
    assert model.body_subtreemass[model.body("palm").id] == pytest.approx(0.685)
    assert model.body_subtreemass[model.body("link0").id] == pytest.approx(17.451901 - 0.76 + 0.685, abs=1e-5)
    data.qpos[built.joint_qpos[:7]] = 0, 0, 0, -np.pi / 2, 0, np.pi / 2, -np.pi / 4
    mujoco.mj_kinematics(model, data)
    assert data.site("grasp").xpos == pytest.approx([0.0825 + 0.384 + 0.088, 0, 0.333 + 0.316 + 0.0825 - 0.107 - 0.08])


def test_at_rest_nothing_moves_and_the_hand_is_where_the_sheet_of_signals_says() -> None:
    built = build_model(ROBOT, FLAT, execution=True)
    data = settled(built, 1.0)
    assert not data.warning.number.any()
    assert np.abs(data.qvel).max() < 0.02
    assert np.abs(data.qpos[built.joint_qpos] - ROBOT.default_pose).max() < 0.01
    rest = built.sources["rest_position_pos"].values
    assert np.abs(data.site("grasp").xpos - rest).max() < 0.005
    for name in THINGS:
        assert data.body(name).xmat[8] > 0.98, name


@pytest.mark.parametrize("place", [
    (0.40, -0.25, 0.06), (0.65, -0.25, 0.06), (0.40, 0.15, 0.06), (0.65, 0.15, 0.06),
    (0.42, 0.0, 0.52), (0.50, -0.33, 0.52), (0.50, 0.318, 0.07), (0.45, -0.32, 0.215),
])  # fmt: skip
def test_the_palm_reaches_the_table_the_height_of_lifting_and_both_handles(place: tuple[float, float, float]) -> None:
    moves = hand()
    turn = moves.data.site_xmat[moves.site].reshape(3, 3).copy()
    for _ in range(6):
        moves.data.qpos[moves.qpos] = moves.reach(np.array(place), turn)
        moves.see(moves.data.qpos.copy())
    assert moves.data.site_xpos[moves.site] == pytest.approx(place, abs=2e-3)
    assert moves.data.site_xmat[moves.site][8] == pytest.approx(-1.0, abs=0.01)


def test_what_is_imagined_and_what_is_executed_stay_together_for_a_third_of_a_second() -> None:
    ends = []
    for execution in (False, True):
        built = build_model(ROBOT, FLAT, execution=execution)
        data = mujoco.MjData(built.model)
        data.qpos[:] = built.home_qpos
        data.ctrl[built.control.actuators] = np.array(ROBOT.default_pose) + 0.2
        mujoco.mj_step(built.model, data, nstep=round(0.35 / built.model.opt.timestep))
        ends.append(data.qpos[built.joint_qpos])
    assert np.abs(ends[0] - ROBOT.default_pose).max() > 0.1
    assert np.abs(ends[0] - ends[1]).max() < GAP


def test_a_movement_along_x_moves_the_hand_along_x() -> None:
    moves = hand()
    before, step = moves.data.site_xpos[moves.site].copy(), 0.05
    moves.data.qpos[moves.qpos] += step * moves.moves()[0]
    moves.see(moves.data.qpos.copy())
    moved = moves.data.site_xpos[moves.site] - before
    assert moved == pytest.approx([step * moves.hand.metres, 0, 0], abs=5e-4)


def test_tries_are_of_what_is_asked_for_and_begin_where_the_plan_does() -> None:
    moves = hand()
    knots = np.tile(ROBOT.default_pose, (4, 1))
    few = moves.tries(knots, 0.16, {})
    more = moves.tries(knots, 0.16, {"distance.palm-box.d": 0.0, "height.box.z": 0.5})
    assert len(more) > len(few) == 2
    assert np.array_equal(more[:, 0, :7], np.tile(knots[0, :7], (len(more), 1)))
    assert np.abs(np.diff(more[:, :, :7], axis=1)).max() <= moves.hand.speed * 0.16 + 1e-9


def test_things_that_a_request_does_not_name_hover_and_meet_the_hand_alone() -> None:
    built = build_model(ROBOT, FLAT)
    assert things(built) == THINGS
    frozen = unnamed(built, ["height.box.z", "distance.palm-box.d"])
    assert frozen == THINGS - {"box"}
    freeze(built, frozen)
    data = settled(built, 0.2)
    bodies = {built.model.body(int(built.model.geom_bodyid[g])).name for c in data.contact for g in (c.geom1, c.geom2)}
    assert bodies == {"world", "box"}
    address = built.model.joint("apple").qposadr[0]
    data.qpos[address : address + 3] = data.body("distal1").xpos
    mujoco.mj_forward(built.model, data)
    assert any("apple" in {built.model.body(int(built.model.geom_bodyid[g])).name for g in (c.geom1, c.geom2)}
               for c in data.contact)
