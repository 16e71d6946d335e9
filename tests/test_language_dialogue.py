"""Sentences of a dialogue to patches: what is meant, what is refused, and what holds for every patch."""

from __future__ import annotations

import time

import pytest

from l2r_scores import READY, dialogue, paraphrase_scores, refusal_score, sentences
from pyembody.language.dialogue import (
    Dialogue,
    Patch,
    Unsupported,
    planner_of,
    say,
    translate,
)
from pyembody.language.dialogue.behaviour import behaviours_of

DATA = sentences()


def values(*texts: str, vocabulary: str = "quadruped") -> dict[str, float]:
    return dict(dialogue(*texts, vocabulary=vocabulary).behaviour.stages[-1].values)


def refused(text: str, *before: str, vocabulary: str = "quadruped") -> Unsupported:
    result = translate(text, dialogue(*before, vocabulary=vocabulary))
    assert isinstance(result, Unsupported), result
    return result


# ---- what is meant --------------------------------------------------------------------------------------------------

PI = 3.1415927
PRESETS = behaviours_of(READY["quadruped"].language).vocabulary.presets
CANONICAL = {
    "It's early morning, head towards the sun.": {"heading.angle": 0.0},
    "It's late afternoon, head towards the sunset.": {"heading.angle": PI},
    "Sit down low with the torso flat.": PRESETS["sit"] | {"torso_pitch.angle": 0.0, "torso_roll.angle": 0.0},
    "Roll over by 180 degrees.": {"torso_roll.angle": PI, "torso_height.weight": 0.0, "balance.weight": 0.0},
    "Lift the front right paw.": {"foot_height.FR.height": 0.1},
    "Face north": {"heading.angle": 1.5707963},
    "Face south": {"heading.angle": -1.5707963},
    "Stand upright on two back feet like a human.": PRESETS["upright"],
}


@pytest.mark.parametrize("text", CANONICAL)
def test_canonical_line_of_the_quadruped_gives_exactly_its_values(text: str) -> None:
    assert values(text) == CANONICAL[text]


def test_spin_has_its_rate_a_gait_and_more_weight_on_the_height() -> None:
    spin = values("Spin fast.")
    assert (spin["yaw_rate.speed"], spin["torso_height.weight"], spin["foot_gait.RL.phase"]) == (3.0, 4.0, 0.5)
    assert values("Spin")["yaw_rate.speed"] == 2.0
    assert values("spin slowly")["yaw_rate.speed"] == 1.0
    assert values("spin clockwise at 10 rpm")["yaw_rate.speed"] == pytest.approx(-1.0471976)


def test_lifted_paws_do_not_step() -> None:
    lifted = {"foot_height.FL.height": 0.1, "foot_height.RR.height": 0.1}
    told = ("Lift the front left paw.", "Now lift the diagonal paw as well.", "In addition, spin fast.")
    weights = {"yaw_rate.weight": 0.2, "torso_height.weight": 4.0, "torso_roll.weight": 2.0, "torso_pitch.weight": 2.0}
    assert values(*told) == lifted | weights | {"yaw_rate.speed": 3.0}
    assert values(told[2], told[0], "Lift the rear right paw.") == values(*told)
    assert "yaw_rate.weight" not in values(told[2])


def test_it_is_lifted_higher_by_five_centimetres() -> None:
    assert values("Lift the front right paw.", "Lift it even higher.") == {"foot_height.FR.height": 0.15}


HAND = {
    "Touch the apple.": {"distance.palm-apple.d": 0.0, "contact.apple.force": 0.5},
    "Touch the drawer handle.": {"distance.palm-drawer_handle.d": 0.0, "contact.drawer_handle.force": 0.5},
    "Lift the box to 0.5 m.": {"height.box.z": 0.5, "distance.palm-box.d": 0.0, "grasp.box.weight": 3.0},
    "Move the bowl to the apple.": {
        "distance.apple-bowl.d": 0.0,
        "distance.palm-bowl.d": 0.0,
        "grasp.bowl.weight": 3.0,
    },
    "Place the box upright.": {"orientation.box.rotation": 0.0, "distance.palm-box.d": 0.0},
    "Flip the bowl.": {"orientation.bowl.rotation": PI, "distance.palm-bowl.d": 0.0},
    "Turn on the faucet.": {"joint_fraction.faucet.fraction": 1.0, "distance.palm-faucet_handle.d": 0.0},
    "Open the drawer halfway to 50 %.": {"joint_fraction.drawer.fraction": 0.5, "distance.palm-drawer_handle.d": 0.0},
    "Open the drawer.": {"joint_fraction.drawer.fraction": 1.0, "distance.palm-drawer_handle.d": 0.0},
}


@pytest.mark.parametrize("text", HAND)
def test_canonical_line_of_the_hand_gives_exactly_its_values(text: str) -> None:
    assert values(text, vocabulary="manipulation") == HAND[text]


def test_two_objects_are_lifted_at_once() -> None:
    both = values("Lift the apple and the bowl at the same time.", vocabulary="manipulation")
    assert (both["height.apple.z"], both["height.bowl.z"]) == (0.5, 0.5)


def test_then_makes_stages_that_keep_what_went_before() -> None:
    text = "Open the drawer, then put the apple inside, then release it and move the hand away, then close the drawer."
    stages = dialogue(text, vocabulary="manipulation").behaviour.stages
    assert [s.values["joint_fraction.drawer.fraction"] for s in stages] == [1.0, 1.0, 1.0, 0.0]
    assert [s.values.get("distance.apple-drawer_center.d") for s in stages] == [None, 0.0, 0.0, 0.0]
    assert stages[2].values["distance.palm-apple.near"] == 0.0
    stored = dialogue("Store the apple in the drawer.", vocabulary="manipulation")
    assert stored.behaviour.stages == stages


# ---- relative words and turns ---------------------------------------------------------------------------------------

LIFT = "lift the front right paw"


@pytest.mark.parametrize(
    ("text", "height"),
    [
        ("higher", 0.15),
        ("a bit higher", 0.125),
        ("much higher", 0.2),
        ("lower", 0.05),
        ("a little lower", 0.075),
        ("10 cm higher", 0.2),
        ("lift the paw to 20 cm", 0.2),
        ("much much much higher", 0.5),
    ],
)
def test_relative_word_moves_the_last_height(text: str, height: float) -> None:
    assert values(LIFT, text) == {"foot_height.FR.height": pytest.approx(height)}


def test_a_relative_step_stops_at_the_range_and_says_so() -> None:
    patch = translate("80 cm higher", dialogue(LIFT))
    assert isinstance(patch, Patch)
    assert patch.notes == ("foot_height.FR.height: limited to 0.5 m",)


@pytest.mark.parametrize(
    ("text", "speed"), [("faster", 2.25), ("slower", 1.0), ("a bit faster", 1.875), ("much faster", 3.0)]
)
def test_relative_word_scales_the_last_rate(text: str, speed: float) -> None:
    assert values("spin at 1.5 rad/s", text)["yaw_rate.speed"] == pytest.approx(speed)


def test_other_and_diagonal_name_paws_by_the_last_one() -> None:
    assert values(LIFT, "lift the other paw too") == {"foot_height.FR.height": 0.1, "foot_height.FL.height": 0.1}
    assert values(LIFT, "also lift the diagonal paw") == {"foot_height.FR.height": 0.1, "foot_height.RL.height": 0.1}
    assert values(LIFT, "lift the other one instead") == {"foot_height.FL.height": 0.1}
    assert values(LIFT, "and the diagonal one") == {"foot_height.FR.height": 0.1, "foot_height.RL.height": 0.1}


def test_instead_clears_what_the_last_turn_set() -> None:
    sitting = CANONICAL["Sit down low with the torso flat."]
    assert values("face east", LIFT, "sit down instead") == {"heading.angle": 0.0, **sitting}


def test_no_need_and_stop_something_clear_it_and_leave_the_rest() -> None:
    assert values(LIFT, "face east", "no need to lift the front right paw") == {"heading.angle": 0.0}
    assert "yaw_rate.speed" not in values("spin", LIFT, "stop spinning")
    assert values("spin", LIFT, "stop spinning")["foot_height.FR.height"] == 0.1


def test_stop_stands_and_start_over_leaves_nothing() -> None:
    assert values("spin fast", "stop") == PRESETS["stand"]
    assert values("spin fast", "start over") == {}


def test_undo_takes_turns_back_one_by_one_to_the_beginning() -> None:
    state = dialogue("face east", LIFT, "spin")
    seen = []
    for _ in range(3):
        assert not isinstance(say("undo", state), Unsupported)
        seen.append(set(state.behaviour.stages[-1].values))
    assert seen == [{"heading.angle", "foot_height.FR.height"}, {"heading.angle"}, set()]
    assert "nothing to undo" in str(translate("undo", state))


def test_setting_one_of_a_group_clears_the_others_of_earlier_turns() -> None:
    assert "heading.angle" not in values("face east", "spin")
    assert "yaw_rate.speed" not in values("spin", "face west")
    assert "torso_roll.angle" in values("face west", "roll over")


@pytest.mark.parametrize("text", ["turn around and lie on your back", "lie on your back and turn around"])
def test_neither_half_of_a_sentence_is_dropped(text: str) -> None:
    assert "'spin' and 'roll over'" in str(refused(text)).replace("'roll over' and 'spin'", "'spin' and 'roll over'")
    assert translate("turn around, then lie on your back", dialogue()).understood == ("spin", "roll over")


def test_what_says_the_same_intent_again_or_belongs_to_it_is_one_request() -> None:
    assert values("Stand up and balance on two hind legs.") == PRESETS["upright"]
    assert values("Turn over and lie on your back.") == CANONICAL["Roll over by 180 degrees."]


@pytest.mark.parametrize(
    ("vocabulary", "text", "pair"),
    [
        ("quadruped", "lift the front right paw and lie on your back", "'lift paw' and 'roll over' pull apart"),
        ("quadruped", "walk forward and roll over", "'walk' and 'roll over' pull apart"),
        ("manipulation", "touch the apple and lift the box", "'touch' and 'lift' pull apart"),
    ],
)
def test_a_note_warns_of_two_requests_that_pull_apart(vocabulary: str, text: str, pair: str) -> None:
    patch = translate(text, dialogue(vocabulary=vocabulary))
    assert isinstance(patch, Patch)
    assert [note.split(" (")[0] for note in patch.notes] == [pair]


TOGETHER = ["spin with the torso flat", "face east and lift the front right paw", "face east, sit down"]


@pytest.mark.parametrize("text", TOGETHER)
def test_requests_that_go_together_are_not_warned_of(text: str) -> None:
    patch = translate(text, dialogue())
    assert isinstance(patch, Patch)
    assert patch.notes == ()


def test_a_patch_names_the_things_that_it_is_about() -> None:
    def things(text: str, *before: str) -> tuple[str, ...]:
        patch = translate(text, dialogue(*before))
        assert isinstance(patch, Patch)
        return patch.things

    assert things("lift the rear left paw") == ("RL",)
    assert things("lift the diagonal paw too", LIFT) == ("RL",)
    assert things("stand on your hind legs") == things("spin", LIFT) == ()


# ---- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("lift the paw", "which one?"),
        ("lift the front paw", "which one?"),
        ("lift the front right paw by 3 m", "foot_height.FR.height: expected 0 to 0.5 m, got 3"),
        ("spin at 400 rpm", "yaw_rate.speed: expected -3 to 3 rad/s"),
        ("spin and face east", "conflict: it excludes"),
        ("face east and face west", "conflict"),
        ("higher", "than what?"),
        ("faster", "than what?"),
        ("don't lift the front right paw", "says what not to do"),
        ("is the front right paw up?", "a question"),
        ("lift the fish", "'fish': not understood; there are the front left paw, the front right paw"),
        ("sit down low and stand tall", "'sit down' and 'stand upright' pull apart; say 'then'"),
        ("spin and sit down", "torso_height.weight: conflict: 4 and 3; 'spin' and 'sit down' pull apart"),
        ("", "says nothing to do"),
        ("hello", "says nothing to do"),
        ("x" * 5000, "expected at most 4000 characters"),
        ("undo and spin", "must be said alone"),
        ("torso height", "expected an amount after it"),
        ("spin for 10 s", "not understood here"),
        ("only torso height 9 m", "torso_height.height: expected 0.05 to 0.8 m, got 9"),
    ],
)
def test_what_is_refused_says_why(text: str, reason: str) -> None:
    assert reason in str(refused(text))


def test_refusal_names_the_part_and_the_three_nearest_intents() -> None:
    result = refused("lift the front right fish")
    assert "fish" in result.span or "front" in result.span
    assert 0 < len(result.nearest) <= 3
    assert "lift paw" in [name for name, _ in result.nearest]


def test_an_unknown_thing_is_answered_with_those_that_there_are() -> None:
    result = refused("move the apple to the plate", vocabulary="manipulation")
    assert (result.span, result.reason[:31]) == ("plate", "not understood; there are the a")
    assert "the drawer handle" in result.reason
    assert "there are" not in str(refused("please defenestrate the sofa"))


def test_choices_are_named_where_words_fit_several_things() -> None:
    names = [name for name, _ in refused("lift the front paw").nearest]
    assert names == ["the front left paw", "the front right paw"]


def test_refused_turn_changes_nothing() -> None:
    state = dialogue(LIFT)
    before = state.behaviour
    assert isinstance(say("lift the fish", state), Unsupported)
    assert state.behaviour is before
    assert len(state.turns) == 1


def test_one_odd_word_of_many_is_left_out_and_said_so() -> None:
    patch = translate("lift the front right paw majestically up", dialogue())
    assert isinstance(patch, Patch)
    assert patch.notes == ("left out: majestically",)


# ---- sets of sentences ----------------------------------------------------------------------------------------------


def test_held_out_paraphrases_are_understood_and_hardly_ever_wrong() -> None:
    scores = paraphrase_scores(DATA, READY)
    assert len(scores) == 19
    assert all(score.count >= 20 for score in scores.values())
    count = sum(score.count for score in scores.values())
    assert sum(score.right for score in scores.values()) >= 0.94 * count
    assert sum(len(score.wrong) for score in scores.values()) <= 5


def test_requests_out_of_scope_are_refused() -> None:
    score = refusal_score(DATA, READY)
    assert score.count >= 60
    assert len(score.unsupported) >= 0.95 * score.count


def test_sentences_it_was_tuned_on_are_never_taken_wrongly() -> None:
    scores = paraphrase_scores(sentences("l2r_tuning"), READY)
    assert [text for score in scores.values() for text in score.wrong] == []


def test_a_sentence_takes_less_than_five_milliseconds() -> None:
    texts = [(c["vocabulary"], c["canonical"][0]) for c in DATA["case"]]
    spent = []
    for vocabulary, text in texts:
        state = Dialogue(READY[vocabulary])
        best = 1.0
        for _ in range(3):
            start = time.process_time()
            translate(text, state)
            best = min(best, time.process_time() - start)
        spent.append(best)
    assert max(spent) < 0.005


def test_planner_is_named_by_what_is_asked_for() -> None:
    language = READY["quadruped"].language
    names = {t: planner_of(dialogue(t).behaviour, language, "steady") for t in ("spin", "stand upright", LIFT)}
    assert names == {"spin": "turning", "stand upright": "upright", LIFT: "steady"}


def test_what_needs_another_thing_first_gets_a_stage_before_it() -> None:
    chain = "Open the drawer, then put the apple inside, then release it and move the hand away, then close the drawer."
    wanted = dialogue(chain, vocabulary="manipulation").behaviour
    assert dialogue("Put the apple in the drawer, then close it.", vocabulary="manipulation").behaviour == wanted
    both = dialogue("Open the drawer and put the apple in it, then close it.", vocabulary="manipulation")
    assert both.behaviour == wanted
    patch = translate("Put the apple in the drawer.", dialogue(vocabulary="manipulation"))
    assert isinstance(patch, Patch)
    assert patch.notes == ("first: open the drawer",)
    assert len(patch.stages) == 2
