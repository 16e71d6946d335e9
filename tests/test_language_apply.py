"""Edits into tasks: checks, order, what each value means inside, and how it is shown."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyembody.envs.commands import CommandSource
from pyembody.language import (
    Edit,
    Language,
    apply_edits,
    check_edit,
    current_values,
    edit_table,
    load_language,
    translate,
)
from pyembody.spec import SpecError, Task, find_folder, list_tasks, list_variants, load_task

LANGUAGE = load_language(find_folder("task", "velocity"))
TASK = load_task("velocity")


def apply(*edits: Edit) -> Task:
    return apply_edits(TASK, LANGUAGE, edits)


def folders_with_language() -> list[tuple[str, str]]:
    names = [n for n in list_tasks() if (find_folder("task", n) / "language.toml").is_file()]
    return [(name, variant) for name in names for variant in ("", *list_variants(name))]


@pytest.mark.parametrize(("name", "variant"), folders_with_language())
def test_defaults_of_a_language_are_what_its_task_file_says(name: str, variant: str) -> None:
    language: Language = load_language(find_folder("task", name))
    current = current_values(load_task(name, variant), language)
    for parameter in set(language.parameters) - set(language.axes):
        assert current[parameter] == language.parameters[parameter].default


def test_speed_becomes_the_interval_from_zero_so_that_the_robot_can_stop() -> None:
    task = apply(Edit("forward_speed", 1.0, "m/s"), Edit("turn_rate", -0.5, "rad/s"))
    assert task.command is not None
    assert task.command.low == (0.0, -0.5, -0.5)
    assert task.command.high == (1.0, 0.5, 0.0)


def test_an_exact_speed_is_the_only_one_commanded() -> None:
    task = apply(Edit("forward_speed", 1.0, "m/s", exact=True), Edit("turn_rate", 0.0, "rad/s"))
    assert task.command is not None
    assert (task.command.low[0], task.command.high[0]) == (1.0, 1.0)
    source = CommandSource(task.command, 64, dt=0.02)
    rng = np.random.default_rng(0)
    source.reset(rng, np.arange(64))
    for _ in range(1000):  # 20 s: every row has drawn several targets
        source.advance(rng)
    assert (source.target[:, 0] == 1.0).all()
    np.testing.assert_allclose(source.command[:, 0], 1.0)
    assert current_values(task, LANGUAGE)["forward_speed"] == 1.0


def test_an_exact_speed_is_shown_as_one_number_and_another_as_the_range_it_is() -> None:
    rows = {r.parameter: r.after for r in edit_table(translate("walk at exactly 1 m/s", LANGUAGE), LANGUAGE, TASK)}
    assert rows["forward_speed"] == "1"
    rows = {r.parameter: r.after for r in edit_table(translate("walk at 1 m/s", LANGUAGE), LANGUAGE, TASK)}
    assert rows["forward_speed"] == "0 .. 1"


def test_parameters_weights_and_clock_are_set_and_the_old_task_stays() -> None:
    task = apply(
        Edit("body_height", 0.25, "m"),
        Edit("level_weight", -7.5),
        Edit("step_frequency", 3.0, "Hz"),
        Edit("gait", "pace"),
    )
    assert task.params["body_height"].value == 0.25  # type: ignore[union-attr]
    assert task.channels["style"].terms["level"].weight == -7.5
    assert task.clock is not None
    assert task.clock.frequency == 3.0
    assert task.clock.offsets == (0.0, 0.5, 0.0, 0.5)
    assert load_task("velocity") == TASK


def test_bound_trains_without_mirrored_observations() -> None:
    assert TASK.symmetry is not None
    assert apply(Edit("gait", "bound")).symmetry is None
    assert apply(Edit("gait", "walk")).symmetry == TASK.symmetry


@pytest.mark.parametrize("gait", ["trot", "pace", "walk"])
def test_gaits_that_keep_the_mirror_are_their_own_mirror_half_a_cycle_later(gait: str) -> None:
    offsets = LANGUAGE.parameters["gait"].choices[gait]["clock.offsets"]
    assert isinstance(offsets, tuple)
    left, right = (offsets[0], offsets[2]), (offsets[1], offsets[3])
    assert all((a + 0.5) % 1.0 == b for a, b in zip(left, right, strict=True))


def test_any_order_of_edits_gives_the_same_task() -> None:
    text = "trot forward at 1 m/s, back level, step high, crouch, softly"
    edits = translate(text, LANGUAGE).edits
    assert len(edits) >= 8
    orders = itertools.islice(itertools.permutations(edits), 0, 40000, 1999)
    assert all(apply(*order) == apply(*edits) for order in orders)


def test_applying_twice_changes_nothing_more() -> None:
    edits = translate("pace forward at 0.7 m/s, feet 9 cm", LANGUAGE).edits
    once = apply_edits(TASK, LANGUAGE, edits)
    assert apply_edits(once, LANGUAGE, edits) == once


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_current_values_of_an_edited_task_are_the_edits(data: st.DataObject) -> None:
    edits = []
    for name, parameter in LANGUAGE.parameters.items():
        low, high = parameter.range
        value: float | str = data.draw(st.floats(low, high))
        if parameter.choices:
            value = data.draw(st.sampled_from(sorted(parameter.choices)))
        edits.append(Edit(name, value, parameter.unit))
    current = current_values(apply(*edits), LANGUAGE)
    assert current == {edit.parameter: edit.value for edit in edits}


def test_command_range_that_no_single_speed_describes_has_no_current_value() -> None:
    assert "forward_speed" not in current_values(TASK, LANGUAGE)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Edit("forward_sped", 1.0, "m/s"), "did you mean 'forward_speed'"),
        (Edit("forward_speed", 1.6, "m/s"), "forward_speed: expected -1.5 to 1.5 m/s, got 1.6"),
        (Edit("forward_speed", 1.0, "m"), "unknown unit 'm'"),
        (Edit("forward_speed", float("nan"), "m/s"), "expected a finite number"),
        (Edit("forward_speed", "fast", "m/s"), "expected a finite number"),
        (Edit("gait", "trott"), "did you mean 'trot'"),
        (Edit("gait", 1.0), "unknown choice '1.0'"),
        (Edit("gait", "trot", "Hz"), "expected no unit"),
        (Edit("body_height", 0.3, "m", exact=True), "body_height: expected exact only of a range"),
    ],
)
def test_bad_edit_is_one_clear_error(edit: Edit, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        apply(edit)


def test_edit_may_come_in_another_unit() -> None:
    assert check_edit(LANGUAGE, Edit("forward_speed", 3.6, "km/h")) == Edit("forward_speed", 1.0, "m/s")
    assert check_edit(LANGUAGE, Edit("forward_speed", 5.4, "km/h")).value == pytest.approx(1.5)


def test_two_edits_that_disagree_are_an_error_and_equal_ones_are_not() -> None:
    one, two = Edit("body_height", 0.3, "m"), Edit("body_height", 0.25, "m")
    with pytest.raises(SpecError, match="body_height: two edits disagree"):
        apply(one, two)
    assert apply(one, Edit("body_height", 30.0, "cm")) == apply(one)
    with pytest.raises(SpecError, match="two edits disagree: 1 m/s and exactly 1 m/s"):
        apply(Edit("forward_speed", 1.0, "m/s"), Edit("forward_speed", 1.0, "m/s", exact=True))


def test_task_without_the_goal_of_an_edit_is_an_error_that_names_the_path() -> None:
    edits = [Edit("forward_speed", 1.0, "m/s")]
    bare = apply()
    without = Task(name="bare", observations=bare.observations, channels=bare.channels)
    with pytest.raises(SpecError, match=r"command\.low\[0\]"):
        apply_edits(without, LANGUAGE, edits)


def test_table_tells_from_to_unit_and_words() -> None:
    translation = translate("trot forward at 1 m/s, lift your feet 10 cm", LANGUAGE)
    rows = {row.parameter: row for row in edit_table(translation, LANGUAGE, TASK)}
    speed, clearance, gait = rows["forward_speed"], rows["foot_clearance"], rows["gait"]
    assert (speed.before, speed.after, speed.unit) == ("-1 .. 1", "0 .. 1", "m/s")
    assert speed.words == "trot forward 1 m/s"
    assert (clearance.before, clearance.after) == ("0.07", "0.1")
    assert (gait.before, gait.after) == ("trot", "trot")
