"""The hand's half of the suite: instances, starts, ways through stages, and two tasks run and scored."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest
from msgspec.structs import replace

from pyembody.cli import main
from pyembody.envs.model import build_model
from pyembody.language import load_language
from pyembody.language.dialogue import Lexicon
from pyembody.plan import Behaviour, Runner
from pyembody.plan.behaviour import BehaviourStage
from pyembody.plan.results import read_results
from pyembody.plan.said import translated
from pyembody.plan.score import Score, Scorer
from pyembody.plan.signals import FLAT
from pyembody.plan.start import place_things
from pyembody.plan.suite import StartNoise, Thing, behaviours, instance_of, load_suite, suite_of
from pyembody.plan.trace import Trace
from pyembody.plan.ways import with_ways
from pyembody.spec import load_robot
from pyembody.spec.load import find_folder
from pyembody.spec.vocabulary import load_vocabulary

SUITE = load_suite("manipulation")
VOCABULARY = load_vocabulary("manipulation")
ROBOT = load_robot("panda_trident", "planning")
BUILT = build_model(ROBOT, FLAT, execution=True)
MODEL = BUILT.model
HOLD = Behaviour({"grasp.box.weight": 3.0, "height.box.z": 0.5})


def test_a_seed_says_its_own_instance() -> None:
    third = instance_of(SUITE.tasks["M1"], 4)
    assert third.turns[0].say == "Touch the drawer handle."
    assert third.throughout["touched"] == "norm(touch_drawer_handle) > 0.1"
    assert third.turns[0].edits == {"distance.palm-drawer_handle.d": 0.0, "contact.drawer_handle.force": 0.5}


@pytest.mark.parametrize("name", SUITE.tasks)
def test_every_sentence_means_what_the_suite_says(name: str) -> None:
    lexicon = Lexicon(load_language(find_folder("task", "manipulation", "templates.toml")))
    task = SUITE.tasks[name]
    for seed in range(max(1, len(task.instances))):
        one = instance_of(task, seed)
        said = translated([turn.say for turn in one.turns], lexicon)
        assert [b.edits for b in said] == [b.edits for b in behaviours(VOCABULARY, one)]


def test_the_suite_of_a_task_is_found() -> None:
    assert (suite_of("M8"), suite_of("Q1"), suite_of("all")) == ("manipulation", "quadruped", "quadruped")


def test_things_start_apart_and_one_may_lie() -> None:
    for seed in range(10):
        data = mujoco.MjData(MODEL)
        data.qpos[:] = BUILT.home_qpos
        place_things(MODEL, data.qpos, SUITE.start, "box", np.random.default_rng(seed))
        mujoco.mj_forward(MODEL, data)
        assert abs(data.body("box").xmat[8]) < 1e-9
        assert data.body("bowl").xmat[8] == pytest.approx(1.0)
        assert min((c.dist for c in data.contact), default=0.0) > -0.002


def test_things_without_room_are_an_error() -> None:
    crowd = StartNoise(gap_m=0.1, things={n: Thing((0.5, 0.0, 0.1), 0.05) for n in ("apple", "box")})
    with pytest.raises(ValueError, match="places"):
        place_things(MODEL, MODEL.qpos0.copy(), crowd, "", np.random.default_rng(0))


def test_a_grasp_goes_through_stages_and_what_was_asked_counts_in_the_last() -> None:
    led = with_ways(VOCABULARY, HOLD)
    assert [s.name for s in led.stages] == ["asked_over", "asked_down", "asked_close", "asked_asked", "asked_end"]
    assert ["height.box.z" in s.edits for s in led.stages] == [False, False, False, True, True]
    assert led.stages[0].on_fail == "next"
    assert led.stages[3].on_fail == "retry:asked_over"
    assert led.planner == "hand"


def test_stages_that_were_said_keep_their_ends() -> None:
    first = BehaviourStage("first", {"grasp.box.weight": 3.0}, "time_in_stage > 1", on_fail="next")
    said = (first, BehaviourStage("second", on_fail="retry:first"))
    led = with_ways(VOCABULARY, Behaviour({}, said))
    assert [s.name for s in led.stages] == ["first_over", "first_down", "first_close", "first_asked", "second"]
    assert led.stages[3].until == "time_in_stage > 1"
    assert [s.on_fail for s in led.stages[3:]] == ["next", "retry:first_over"]


def test_what_needs_no_way_stays_as_it_is() -> None:
    plain = Behaviour({"joint_fraction.drawer.fraction": 1.0})
    assert with_ways(VOCABULARY, plain) is plain


def test_what_is_brought_to_another_goes_over_it() -> None:
    brought = Behaviour({"grasp.bowl.weight": 3.0, "distance.palm-bowl.d": 0.0, "distance.apple-bowl.d": 0.0})
    carry = {s.name: s for s in with_ways(VOCABULARY, brought).stages}["asked_carry"]
    assert carry.edits["over.bowl-apple.z"] > 0
    assert carry.until == "reached_over_bowl_apple"


def test_two_things_go_by_the_bowl() -> None:
    both = Behaviour({"height.apple.z": 0.5, "height.bowl.z": 0.5, "grasp.apple.weight": 3.0, "grasp.bowl.weight": 3.0})
    names = [s.name for s in with_ways(VOCABULARY, both).stages]
    assert names[3:6] == ["asked_carry", "asked_release", "asked_over_bowl"]


def test_one_and_two_threads_move_the_hand_alike_bit_for_bit() -> None:
    settings = {"hand": replace(SUITE.planners["hand"], candidates=36, horizon=8)}
    ends = []
    for threads in (1, 2):
        runner = Runner(VOCABULARY, ROBOT, settings, seed=3, threads=threads)
        runner.say(HOLD)
        runner.run(0.12)
        ends.append(np.array(runner.trace.fields["qpos"]))
    assert len(ends[0]) == 3
    assert np.array_equal(ends[0], ends[1])


@pytest.mark.parametrize(("task", "seed"), [("M1", 1), ("M8", 1)])
def test_it_is_done_from_the_sentence(task: str, seed: int, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    assert main(["l2r", "run", "--tasks", task, "--seeds", str(seed), "--json", str(file), "--least", "1.0"]) == 0
    assert all(row.success for row in read_results(file).rows)


def stored(*places: str) -> Score:
    """The score of an arm that stands still while the apple is in four places, a turn each: where it lies at first, in
    the `drawer`, in the `hand`. The drawer is open but in the last turn.
    """
    trace, data, turns = Trace(), mujoco.MjData(MODEL), []
    apple, drawer = (int(MODEL.joint(name).qposadr[0]) for name in ("apple", "drawer"))
    sites = {"drawer": "drawer_center", "hand": "grasp"}
    for k, place in enumerate(places):
        turns.append(len(trace))
        data.qpos[:] = BUILT.home_qpos
        data.qpos[drawer] = 0.0 if k == 3 else 0.17
        mujoco.mj_kinematics(MODEL, data)
        if place in sites:
            data.qpos[apple : apple + 3] = data.site(sites[place]).xpos
        mujoco.mj_forward(MODEL, data)
        for _ in range(13):
            trace.add(BUILT, data, np.zeros(len(ROBOT.joints)), np.zeros(0), 0)
    return Scorer(SUITE, "drawer-apple", VOCABULARY, ROBOT, BUILT).score(trace, turns)


def test_the_apple_is_stored_where_each_turn_has_done_its_part() -> None:
    assert stored("table", "drawer", "drawer", "drawer").success
    assert stored("table", "hand", "drawer", "drawer").reason == "inside not at the end of turn 2"
    assert stored("table", "drawer", "hand", "drawer").reason == "retreated not at the end of turn 3"
    assert stored("table", "drawer", "drawer", "table").reason == "inside 0 %"


def test_a_drawer_is_shut_by_way_of_its_handle_and_opened_at_once() -> None:
    edits = {"distance.palm-drawer_handle.d": 0.0, "joint_fraction.drawer.fraction": 0.0}
    shut = with_ways(VOCABULARY, Behaviour(edits))
    assert [s.name for s in shut.stages] == ["asked_over", "asked_asked", "asked_end"]
    assert shut.stages[2].edits["hand_shape.close"] == 1.0
    assert with_ways(VOCABULARY, Behaviour({**edits, "joint_fraction.drawer.fraction": 1.0})).stages == ()


def test_a_drawer_that_was_opened_stays_open_while_something_is_fetched() -> None:
    opened = {"joint_fraction.drawer.fraction": 1.0}
    fetched = {"grasp.apple.weight": 3.0, "distance.apple-drawer_center.d": 0.0}
    led = with_ways(VOCABULARY, Behaviour(opened | fetched))
    assert [s.name for s in led.stages][3:5] == ["asked_raise", "asked_carry"]
    assert all(s.edits["joint_fraction.drawer.fraction"] == 1.0 for s in led.stages)
    assert not any("distance.apple-drawer_center.d" in s.edits for s in led.stages[:5])
