"""What holds for every patch and every text: read back, twice, in any order, legal or refused."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2r_scores import READY, dialogue, sentences
from pyembody.language import Edit
from pyembody.language.dialogue import (
    Behaviour,
    Patch,
    Stage,
    Unsupported,
    apply_patch,
    checked,
    describe,
    say,
    translate,
)
from pyembody.language.dialogue.behaviour import behaviours_of, patched, rounded
from pyembody.spec import SpecError

DATA = sentences()
LIFT = "lift the front right paw"


def addresses(vocabulary: str) -> list[str]:
    return list(behaviours_of(READY[vocabulary].language).vocabulary.addresses())


@st.composite
def stages(draw: st.DrawFn, vocabulary: str) -> Stage:
    language = READY[vocabulary].language
    behaviours = behaviours_of(language)
    groups = behaviours.vocabulary.exclusive.values()
    excluded = {name for members in groups for name in members[1:]} | set(behaviours.yields)
    legal = [a for a in addresses(vocabulary) if a.split(".")[0] not in excluded]
    chosen = draw(st.lists(st.sampled_from(legal), max_size=10, unique=True))
    drawn = {}
    for address in sorted(chosen):
        parameter = behaviours.vocabulary.parameter(address)
        drawn[address] = rounded(draw(st.floats(parameter.low, parameter.high)))
        drawn[address] = min(max(drawn[address], parameter.low), parameter.high)
    return patched({}, [Edit(a, v, behaviours.vocabulary.parameter(a).unit) for a, v in drawn.items()], language)


@pytest.mark.parametrize("vocabulary", READY)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_description_is_read_back_as_the_same_behaviour(vocabulary: str, data: st.DataObject) -> None:
    behaviour = Behaviour(tuple(data.draw(st.lists(stages(vocabulary), min_size=1, max_size=3))))
    text = describe(behaviour, READY[vocabulary].language)
    state = dialogue("stop", vocabulary=vocabulary)
    result = say(text, state)
    assert not isinstance(result, Unsupported), f"{text}: {result}"
    assert state.behaviour == behaviour


@pytest.mark.parametrize("case", DATA["case"], ids=lambda c: f"{c['task']}-{c['canonical'][0][:20]}")
def test_patch_applied_twice_or_in_another_order_is_the_same(case: dict[str, Any]) -> None:
    state = dialogue(*case.get("before", []), vocabulary=case["vocabulary"])
    for text in case["canonical"]:
        patch = translate(text, state)
        assert isinstance(patch, Patch)
        once = apply_patch(state.behaviour, patch, state.language)
        assert apply_patch(once, patch, state.language) == once
        turned = Patch(text, tuple(reversed(patch.edits)), patch.stages)
        assert apply_patch(state.behaviour, turned, state.language) == once
        assert translate(text, state) == patch
        say(text, state)
        assert state.behaviour == once
        assert dialogue(describe(once, state.language), vocabulary=case["vocabulary"]).behaviour == once


def test_edits_commute() -> None:
    language = READY["quadruped"].language
    edits = [
        Edit("foot_height.FR.height", 10.0, "cm"),
        Edit("foot_gait.FR.frequency", 2.0, "Hz"),
        Edit("heading", None),
        Edit("yaw_rate.speed", 1.0, "rad/s"),
        Edit("heading.angle", None),
    ]
    start = {"heading.angle": 1.0, "torso_height.height": 0.2}
    results = {tuple(patched(start, order, language).values.items()) for order in itertools.permutations(edits)}
    assert results == {(("foot_height.FR.height", 0.1), ("torso_height.height", 0.2), ("yaw_rate.speed", 1.0))}


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Edit("foot_hight.FR.height", 0.1, "m"), "unknown template 'foot_hight', did you mean 'foot_height'"),
        (Edit("foot_height.XX.height", 0.1, "m"), "unknown instance 'XX'"),
        (Edit("foot_height.height", 0.1, "m"), "expected one of FL, FR, RL, RR"),
        (Edit("foot_height.FR.heigth", 0.1, "m"), "did you mean 'height'"),
        (Edit("foot_height.FR.height", 0.1, "kg"), "unknown unit 'kg'"),
        (Edit("foot_height.FR.height", 0.7, "m"), "expected 0 to 0.5 m, got 0.7"),
        (Edit("foot_height.FR.height", float("nan"), "m"), "expected a finite number"),
        (Edit("foot_height.FR.height", "high", "m"), "expected a finite number, got 'high'"),
        (Edit("height", 0.1, "m"), "expected template.parameter"),
        (Edit("foot_height.XX", None), "expected one of FL, FR, RL, RR"),
    ],
)
def test_illegal_edit_is_refused_with_what_is_legal(edit: Edit, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        checked(READY["quadruped"].language, edit)


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=120))
def test_any_text_is_a_patch_or_a_reason(text: str) -> None:
    assert isinstance(translate(text, dialogue()), Patch | Unsupported)


WORDS = [w for e in READY["quadruped"].language.words if not e.address for w in e.say]


@settings(max_examples=300, deadline=None)
@given(words=st.lists(st.sampled_from([*WORDS, "then", ",", "5 cm", "not", "fish", "1e9", "half a turn"]), max_size=14))
def test_any_mixture_of_known_words_is_a_legal_patch_or_a_reason(words: list[str]) -> None:
    state = dialogue(LIFT)
    result = say(" ".join(words), state)
    stages = Patch("", (), state.behaviour.stages)
    assert isinstance(result, Unsupported) or apply_patch(Behaviour(), stages, state.language) == state.behaviour
