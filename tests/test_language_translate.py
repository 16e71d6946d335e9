"""Sentences to exact edits, honest refusals, and text that was written to do harm."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyembody.language import Language, Translation, check_edit, load_language, translate
from pyembody.spec import find_folder

DATA = Path(__file__).parent / "data"
LANGUAGE = load_language(find_folder("task", "velocity"))


def cases(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((DATA / f"language_{name}.json").read_text(encoding="utf-8"))
    return found


def expected(case: dict[str, Any], language: Language = LANGUAGE) -> dict[str, float | str]:
    motion = dict(zip(language.axes, case["motion"], strict=True)) if "motion" in case else {}
    return {**motion, **case.get("edits", {})}


def values(translation: Translation) -> dict[str, float | str]:
    return {edit.parameter: edit.value for edit in translation.edits}


def same(got: dict[str, float | str], wanted: dict[str, float | str]) -> bool:
    return got.keys() == wanted.keys() and all(
        value == got[name] if isinstance(value, str) else got[name] == pytest.approx(value, rel=1e-5)
        for name, value in wanted.items()
    )


def say(text: str, **current: float | str) -> Translation:
    return translate(text, LANGUAGE, current)


@pytest.mark.parametrize("case", cases("canonical"), ids=lambda c: c["say"])
def test_canonical_sentence_gives_exactly_its_edits(case: dict[str, Any]) -> None:
    translation = say(case["say"])
    assert not translation.refused, [str(r) for r in translation.refused]
    assert same(values(translation), expected(case))


# Understood, refused and wrong when a set was first run, before anything was changed for it:
# paraphrases 39, 1, 1; heldout 27, 13, 0; fresh 19, 6, 0. The floors are of today.
@pytest.mark.parametrize(("name", "floor"), [("paraphrases", 41), ("heldout", 37), ("fresh", 23)])
def test_paraphrases_are_understood_or_refused_but_never_wrong(name: str, floor: int) -> None:
    understood = 0
    for case in cases(name):
        translation = say(case["say"])
        if not translation.refused:
            assert same(values(translation), expected(case)), case["say"]
            understood += 1
    assert understood >= floor


@pytest.mark.parametrize("case", cases("refusals"), ids=lambda c: c["say"] or "(empty)")
def test_sentence_out_of_scope_is_refused_whole_and_names_the_part(case: dict[str, Any]) -> None:
    translation = say(case["say"])
    assert translation.edits == ()
    assert any(case["part"] in refusal.text for refusal in translation.refused)
    assert all(refusal.reason for refusal in translation.refused)


@pytest.mark.parametrize(
    ("text", "part", "limit"),
    [
        ("trot forward at 3 m/s", "3 m/s", "-1.5 to 1.5 m/s"),
        ("go left at 1 m/s", "1 m/s", "-0.8 to 0.8 m/s"),
        ("turn right at 90 deg/s", "90 deg/s", "-1.5 to 1.5 rad/s"),
        ("lift your feet 20 cm", "20 cm", "0.03 to 0.14 m"),
        ("body height of 50 cm", "50 cm", "0.22 to 0.36 m"),
        ("step at 5 Hz", "5 Hz", "1.2 to 3.5 Hz"),
    ],
)
def test_number_out_of_range_is_refused_with_the_range(text: str, part: str, limit: str) -> None:
    (refusal,) = say(text).refused
    assert refusal.text == part
    assert f"expected {limit}" in refusal.reason


def test_contradiction_names_both_parts() -> None:
    (refusal,) = say("forward and backward at the same time").refused
    assert refusal.text == "backward"
    assert "'forward'" in refusal.reason


def test_negation_is_never_read_as_its_opposite() -> None:
    for text in ("don't trot", "never walk backwards", "walk without lifting your feet high"):
        assert say(text).edits == ()
    assert values(say("don't move")) == dict.fromkeys(LANGUAGE.axes, 0.0)


@pytest.mark.parametrize(
    "text",
    [
        "trot forward at exactly 1 m/s",
        "always trot forward at 1 m/s",
        "trot forward always at 1 m/s",
        "trot forward at a constant speed of 1 m/s",
        "trot forward at a constant 1 m/s",
        "trot forward at precisely 3.6 km/h",
        "trot forward at only 1 m/s",
        "trot forward at nothing but 1 m/s",
        "trot forward at 1 m/s all the time",
    ],
)
def test_words_for_one_speed_alone_make_its_edit_exact_and_say_so(text: str) -> None:
    translation = say(text)
    exact = {edit.parameter: edit.exact for edit in translation.edits}
    assert exact == {"forward_speed": True, "gait": False, "lateral_speed": False, "turn_rate": False}
    assert values(translation)["forward_speed"] == 1.0
    (note,) = (u.note for u in translation.understood if u.parameter == "forward_speed")
    assert "this one value alone is trained" in note


def test_exactly_is_said_of_the_amount_beside_it_alone() -> None:
    edits = {e.parameter: e.exact for e in say("walk forward at 1 m/s and turn left at exactly 30 deg/s").edits}
    assert edits == {"forward_speed": False, "lateral_speed": False, "turn_rate": True}
    assert not any(e.exact for e in say("always keep your back level and lift your feet exactly 10 cm").edits)
    assert not any(e.exact for e in say("only walk forward").edits)


def test_a_speed_without_a_number_says_where_it_comes_from() -> None:
    notes = {u.parameter: u.note for u in say("walk backwards slowly").understood}
    assert values(say("walk backwards slowly"))["forward_speed"] == -0.25
    assert notes["forward_speed"] == "'walk' means 0.5 m/s, 'slowly' times 0.5"
    assert notes["turn_rate"] == "not said, so none"


@pytest.mark.parametrize(
    ("text", "lateral", "note"),
    [
        ("walk sideways", 0.3, "no side was said, so left; no number was said: 0.3 m/s"),
        ("strafe", 0.3, "no side was said, so left; no number was said: 0.3 m/s"),
        ("sidestep left", 0.3, "no number was said: 0.3 m/s"),
        ("trot sideways to the right at 0.2 m/s", -0.2, ""),
        ("walk right sideways", -0.3, "no number was said: 0.3 m/s"),
        ("step to the side at 0.4 m/s", 0.4, "no side was said, so left"),
        ("slowly move laterally", 0.15, "no side was said, so left; no number was said: 0.3 m/s, 'slowly' times 0.5"),
        ("spin", 0.0, "not said, so none"),
    ],
)
def test_sideways_is_a_direction_whose_side_is_left_unless_it_is_said(text: str, lateral: float, note: str) -> None:
    translation = say(text)
    assert [values(translation).get(axis) for axis in LANGUAGE.axes[:2]] == [0.0, pytest.approx(lateral)]
    assert [u.note for u in translation.understood if u.parameter == "lateral_speed"] == [note]


def test_words_about_sides_that_are_not_understood_are_answered_with_lateral_motion() -> None:
    for text in ("shuffle over on your side", "lateral moves"):
        assert "walk sideways" in say(text).refused[-1].nearest
    for text in ("turn sideways", "sideways foot"):
        assert say(text).refused


def test_unknown_word_is_answered_with_what_is_known() -> None:
    assert "trot" in say("trott forward").refused[0].nearest
    assert "bound forward" in say("jump over the fence").refused[0].nearest
    assert say("fetch the ball").refused[0].nearest == LANGUAGE.examples[:3]


def test_everything_that_is_suggested_is_understood() -> None:
    suggested = {thing for things in LANGUAGE.hints.values() for thing in things}
    for text in sorted(suggested | set(LANGUAGE.examples)):
        assert not say(text, forward_speed=0.5).refused, text


def test_relative_words_change_what_is_set_now() -> None:
    assert values(say("faster", forward_speed=0.8)) == pytest.approx({"forward_speed": 1.2})
    assert values(say("slow down", forward_speed=-0.9)) == pytest.approx({"forward_speed": -0.6})
    assert values(say("turn faster", turn_rate=0.4, forward_speed=1.0)) == pytest.approx({"turn_rate": 0.6})
    assert values(say("a bit higher steps", foot_clearance=0.09)) == pytest.approx({"foot_clearance": 0.1})
    assert values(say("2 cm lower", body_height=0.3)) == pytest.approx({"body_height": 0.28})


def test_words_without_a_number_are_limited_to_the_range_and_say_so() -> None:
    translation = say("run forward as fast as you can")
    assert values(translation)["forward_speed"] == 1.5
    assert "limited to 1.5 m/s" in [u.note for u in translation.understood]


def test_words_behind_each_edit_are_told() -> None:
    said = {u.parameter: u.words for u in say("trot forward at 1 m/s, back level").understood}
    assert said["forward_speed"] == ("trot", "forward", "1 m/s")
    assert said["gait"] == ("trot",)
    assert said["level_weight"] == ("back", "level")
    assert said["turn_rate"] == ()


@pytest.mark.parametrize(
    "text",
    [
        "trot forward at {0.__class__} m/s",
        "%s %n %d {} {0}",
        "[bold red]trot[/bold red]",
        "walk forward at 1 m/s; rm -rf /",
        "trot\x00forward\x1b[31m at 1 m/s",
        "walk forward at \u0661 m/s",
        "walk forward at \u00bd m/s",
        "w\u0430lk forward",
        "\u202etrot forward",
        "walk forward at 1e400 m/s",
        "walk forward at nan m/s",
        "walk forward at -inf m/s",
        "()" * 100,
        "\U0001f415 trot",
    ],
)
def test_hostile_text_is_refused_and_shown_without_control_characters(text: str) -> None:
    translation = say(text)
    assert translation.refused
    assert translation.edits == ()
    shown = translation.text + "".join(str(refusal) for refusal in translation.refused)
    assert shown.isprintable()


PHRASES = sorted(
    {phrase for entry in LANGUAGE.words for phrase in entry.say}
    | {
        *LANGUAGE.english.degrees,
        *LANGUAGE.english.boundary,
        *LANGUAGE.english.negation,
        "by",
        "the",
    }
    | {*LANGUAGE.english.exact, *LANGUAGE.english.only}
    | {"1 m/s", "half a metre per second", "30 deg/s", "10 cm", "2 Hz", "-1 m/s", "5", "jump"}
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PHRASES), max_size=8), st.booleans())
def test_any_known_words_give_edits_in_range_or_refusals(said: list[str], moving: bool) -> None:
    translation = say(" ".join(said), **({"forward_speed": 1.0} if moving else {}))
    assert bool(translation.edits) != bool(translation.refused)
    assert [check_edit(LANGUAGE, edit) for edit in translation.edits] == list(translation.edits)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_translated_or_refused_without_an_exception(text: str) -> None:
    translation = say(text)
    assert bool(translation.edits) != bool(translation.refused)


def test_long_text_is_refused_with_the_limit_and_cut_short() -> None:
    (refusal,) = say("trot " * 2000).refused
    assert "at most 400 characters, got 10000" in refusal.reason
    assert len(refusal.text) < 100


def test_huge_number_is_out_of_range() -> None:
    (refusal,) = say("walk forward at " + "9" * 380 + " m/s").refused
    assert "expected -1.5 to 1.5 m/s" in refusal.reason


def test_sentence_takes_less_than_five_milliseconds() -> None:
    texts = [case["say"] for name in ("canonical", "refusals") for case in cases(name)]
    times = []
    for text in texts * 3:
        start = time.perf_counter()
        say(text)
        times.append(time.perf_counter() - start)
    assert sorted(times)[len(times) // 2] < 0.005


def test_same_sentence_gives_the_same_translation() -> None:
    for case in cases("canonical") + cases("refusals"):
        assert say(case["say"]) == say(case["say"])


def test_balance_task_is_spoken_to_in_its_own_words() -> None:
    language = load_language(find_folder("task", "balance"))
    gentle = translate("balance gently and stay close to the middle", language)
    assert values(gentle) == {"center_weight": 2.0, "force_weight": -0.003}
    assert translate("trot forward at 1 m/s", language).refused
    assert all(translate(text, language).edits for text in language.examples)
