"""Talking to a robot: what each line changes, and that it goes on from where it is."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pytest

from pyembody.commands import chat
from pyembody.language import load_language
from pyembody.language.dialogue import Dialogue, Lexicon, Unsupported, say, translate
from pyembody.plan import Behaviour
from pyembody.plan.said import planned, translated
from pyembody.plan.stages import stage_machine
from pyembody.plan.suite import behaviours, load_suite
from pyembody.spec import SpecError
from pyembody.spec.load import find_folder
from pyembody.spec.vocabulary import load_vocabulary

LEXICON = Lexicon(load_language(find_folder("task", "quadruped", "templates.toml")))
SUITE = load_suite("quadruped")


class StillRunner:
    """Takes behaviours and lets time pass; nothing moves."""

    def __init__(self) -> None:
        self.said: list[Behaviour] = []
        self.seconds = 0.0
        self.diverged = False

    def say(self, behaviour: Behaviour) -> None:
        self.said.append(behaviour)

    def run(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> StillRunner:
    monkeypatch.setattr(chat, "status", lambda r: f"at {r.seconds:g} s")
    return StillRunner()


def hear(runner: Any, *lines: str) -> Dialogue:
    state = Dialogue(LEXICON)
    conversation = chat.Conversation(state, translate, runner, lambda: runner.run(2.0))
    for line in lines:
        conversation.hear(line)
    return state


def test_each_sentence_goes_on_from_the_state_before(runner: StillRunner, capsys: pytest.CaptureFixture[str]) -> None:
    hear(runner, "lift the front right paw", "higher", "")
    assert [b.edits for b in runner.said] == [{"foot_height.FR.height": 0.1}, {"foot_height.FR.height": 0.15}]
    assert runner.seconds == 6.0
    assert "at 6 s" in capsys.readouterr().out


def test_edits_of_each_sentence_are_shown(runner: StillRunner, capsys: pytest.CaptureFixture[str]) -> None:
    hear(runner, "lift the front right paw", "face east instead")
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "foot_height.FR.height - 0.1" in shown
    assert "foot_height.FR.height 0.1 -" in shown
    assert "heading.angle - 0" in shown


def test_what_is_not_understood_moves_nothing(runner: StillRunner, capsys: pytest.CaptureFixture[str]) -> None:
    state = hear(runner, "", "fetch the newspaper")
    assert (runner.said, runner.seconds, state.turns) == ([], 0.0, ())
    assert "not understood" in capsys.readouterr().out


def test_undo_is_planned_like_any_other_turn(runner: StillRunner) -> None:
    hear(runner, "face east", "spin", "undo")
    assert runner.said[-1] == runner.said[0]


def test_a_sequence_becomes_stages_that_end_when_their_terms_are_reached() -> None:
    state = Dialogue(LEXICON)
    turn = say("sit down, then lift the front right paw, then spin fast", state)
    assert not isinstance(turn, Unsupported)
    stages = planned(turn.behaviour, state.language).stages
    assert [s.name for s in stages] == ["stage_1", "stage_2", "stage_3"]
    assert "reached_torso_height and reached_torso_pitch" in stages[0].until
    assert "reached_foot_height_fr" in stages[1].until
    assert stages[2].until == ""
    assert [s.on_fail for s in stages] == ["next", "next", "abort"]


def test_a_skill_is_done_in_its_own_stages_alone_and_in_a_sequence() -> None:
    skill = load_vocabulary("quadruped").skills["upright"]
    (alone,) = translated(["stand upright"], LEXICON)
    assert alone.stages == skill
    (both,) = translated(["stand upright, then face east"], LEXICON)
    names = [s.name for s in both.stages]
    assert names[: len(skill)] == [*(f"stage_1_{s.name}" for s in skill[:-1]), "stage_1"]
    assert both.stages[len(skill) - 1].until.startswith("reached_")
    assert all("retry:stage_1_ready" in s.on_fail for s in both.stages if s.name == "stage_1_rear")
    assert stage_machine(both).stages[0] == 0


def test_a_term_of_which_only_the_weight_was_changed_is_no_goal() -> None:
    state = Dialogue(LEXICON)
    assert not isinstance(say("roll over, then stop", state), Unsupported)
    assert planned(state.behaviour, state.language).stages[0].until == "reached_torso_roll"


@pytest.mark.parametrize("name", SUITE.tasks)
def test_sentences_of_the_suite_mean_the_edits_that_it_gives_for_them(name: str) -> None:
    task = SUITE.tasks[name]
    said = translated((turn.say for turn in task.turns), LEXICON)
    assert said == behaviours(load_vocabulary(SUITE.vocabulary), task)


def test_a_sentence_that_is_not_understood_cannot_be_planned() -> None:
    with pytest.raises(SpecError, match="not understood"):
        translated(["sing"], LEXICON)


@pytest.mark.long
def test_chat_reads_lines_until_it_is_told_to_quit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("lift the front right paw\nsing\nquit\nspin\n"))
    assert chat.Chat(seconds=0.2, threads=1).run() == 0
    shown = capsys.readouterr().out
    assert "foot_height.FR.height" in shown
    assert "'sing': not understood" in shown
    assert "yaw_rate" not in shown
    assert np.isfinite(float(shown.split(" s: torso")[0].split()[-1]))


def test_an_arm_is_talked_to_about_its_hand_and_its_things(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("open the drawer\nquit\n"))
    assert chat.Chat(robot="panda_trident", seconds=0.04, threads=1).run() == 0
    told = capsys.readouterr().out
    assert "joint_fraction.drawer.fraction" in told
    assert "hand at (" in told
    assert "apple at (0.42, -0.02, 0.04)" in told
    assert "drawer 0 % open" in told


def test_a_live_chat_without_a_display_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rerun")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(ValueError, match="expected a display"):
        chat.Chat(threads=1, live=True).run()
