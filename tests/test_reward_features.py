"""A reward program by itself: schedules, statistics, stages, guards, logs, taking over, values for each row."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from pyembody import RewardProgram
from pyembody.spec import SpecError

ONE = 'dt = 0.1\n[signals]\nx = {}\n[channels.a.terms]\nx = { expr = "%s", scale = "none" }\n'


def test_schedules_are_followed_when_asked() -> None:
    text = ONE % "x" + '[schedules]\n"a.x.weight" = { from = 1.0, to = 3.0, start = 0, end = 100 }\n'
    program = RewardProgram(text)
    program.follow_schedules(50)
    np.testing.assert_allclose(program.step({"x": np.ones(2)}).total, 2.0)


def test_running_statistics_change_only_when_they_learn() -> None:
    program = RewardProgram(ONE % "normalise(x, 0.01)")
    x = np.array([1.0, 3.0])
    out = program.step({"x": x})
    np.testing.assert_array_equal(out.total, program.step({"x": x}).total)
    program.learn_moments(out)
    np.testing.assert_allclose(program.step({"x": x}).total, [-1.0, 1.0], rtol=1e-6)
    np.testing.assert_allclose(out.statistics[:, 0], x)


def test_learned_signals_are_arrays_of_value_and_age() -> None:
    program = RewardProgram(ONE % 'learned(\\"p\\")' + "[learned.p]\nlow = 0.0\nhigh = 1.0\nmax_age = 2.0\n")
    fresh_stale_high = np.array([[0.5, 1.0], [0.5, 3.0], [7.0, 0.0]])
    np.testing.assert_allclose(program.step({"learned.p": fresh_stale_high}).total, [0.5, 0.0, 1.0])


def test_stages_are_shown_and_pay() -> None:
    text = ONE % "0 * x" + (
        '[[stages]]\nname = "wait"\nuntil = "x > 1"\nreward = 5.0\n[[stages]]\nname = "end"\nterminal = true\n'
    )
    program = RewardProgram(text)
    program.reset({"x": np.zeros(2)})
    out = program.step({"x": np.array([0.0, 2.0])})
    assert out.stage.tolist() == [0, 1] and out.success.tolist() == [False, True]
    assert out.total.tolist() == [0.0, 5.0] and out.events[:, 0].tolist() == [False, True]


def test_the_guard_does_as_the_text_says() -> None:
    given = {"x": np.array([1.0, np.nan])}
    assert RewardProgram(ONE % "x").step(given).terminated.tolist() == [False, True]
    zero = RewardProgram('guard = "zero"\n' + ONE % "x").step(given)
    assert zero.terminated.tolist() == [False, False] and zero.total.tolist() == [1.0, 0.0]
    with pytest.raises(ValueError, match=r"a\.x: row 1: expected finite numbers"):
        RewardProgram('guard = "raise"\n' + ONE % "x").step(given)


def test_kernels_are_refused_in_text() -> None:
    with pytest.raises(SpecError, match="kernels are code: only a task loaded from its own folder"):
        RewardProgram(ONE % 'kernel(\\"k\\", x)')


def test_the_stage_is_a_whole_number_at_a_reset_too() -> None:
    text = ONE % "0 * x" + (
        '[[stages]]\nname = "wait"\nuntil = "x > 1"\n[[stages]]\nname = "end"\nuntil = "x > 9"\n'
        '[[stages]]\nname = "over"\nterminal = true\n'
    )
    x = np.array([0.0, 2.0])
    bound = RewardProgram(text).bind({"x": x})
    bound.reset()
    stage = bound.step().stage
    assert stage.dtype == np.int32 and stage.tolist() == [0, 1]
    bound.reset(np.array([False, True]))
    assert bound.rewards.stage.tolist() == [0, 0]
    assert ["wait", "end", "over"][stage[1]] == "wait"


# --- what was not finite --------------------------------------------------------------------------

BAD = """
dt = 0.1
guard = "GUARD"
signals.x = {}
signals.v = { kind = "vector", width = 3, unit = "m/s" }
let.depth = "x - 2"
[channels.a.terms]
fine = { expr = "norm(v)" }
bad = { expr = "where(x < 1, log(depth) + 1 / x, square(x))" }
kernel = { expr = "1 + tolerance(x, 0, inf, margin / (x - 5))", params = { margin = 0.0 } }
slow = { expr = "rate(x)" }
"""


def row_of(x: float, v: float = 0.0) -> dict[str, Any]:
    """A batch whose second row is looked at."""
    return {"x": np.array([1.5, x]), "v": np.array([[0.0] * 3, [v, 0.0, 0.0]])}


@pytest.mark.parametrize(
    ("row", "term", "part"),
    [
        (row_of(0.5), "a.bad", "log(depth) = nan (x - 2 = -1.5), in program: channels.a.terms.bad.expr: column 14"),
        (row_of(5.0), "a.kernel", "margin / (x - 5) = nan (a.kernel.margin = 0, x - 5 = 0), in"),
        (row_of(3.0, np.nan), "a.fine", "v = [nan, 0, 0], in program: channels.a.terms.fine.expr: column 1"),
        (row_of(3e38), "a.bad", "square(x) = inf (x = 3e+38), in"),
    ],
)
def test_the_part_that_was_not_finite_is_named_with_its_inputs(row: dict[str, Any], term: str, part: str) -> None:
    program = RewardProgram(BAD.replace("GUARD", "terminate"))
    x, v = row_of(1.5).values()
    bound = program.bind({"x": x, "v": v})
    bound.reset()
    x[:], v[:] = row["x"], row["v"]
    rewards = bound.step()
    assert program.guard_names[rewards.bad_term[1]] == term
    assert str(bound.offender(1)).replace("task reward", "program").startswith(part)
    assert bound.offender(0) is None
    loud = RewardProgram(BAD.replace("GUARD", "raise"))
    loud.reset(row_of(1.5))
    message = f"{term}: row 1: expected finite numbers, got one that is not: {part[:9]}"
    with pytest.raises(ValueError, match=re.escape(message)):
        loud.step(row)


def test_what_only_the_past_explains_is_put_down_to_nothing_else() -> None:
    program = RewardProgram('dt = 0.1\nguard = "raise"\nsignals.x = {}\nchannels.a.terms.b.expr = "rate(x)"')
    program.reset({"x": np.array([-3e38])})
    with pytest.raises(ValueError, match=r"a\.b: row 0: expected finite numbers, got one that is not$"):
        program.step({"x": np.array([3e38])})


# --- logs, programs that take over, values for each row -------------------------------------------

LOGGED = """
dt = 0.1
signals.x = {}
signals.foot = { kind = "vector", width = 3, axis = "feet", labels = ["left", "right"], unit = "m" }
params.level = { value = 1.0, unit = "m", low = 0.0, high = 9.0, per_env = true }
[channels.a.terms]
slow = { expr = "ema(x, 0.5)", weight = 2.0 }
[channels.b.terms]
feet = { expr = "sum(num(foot[:, 2] > level))", scale = "none" }
[[stages]]
name = "wait"
until = "x > 1"
[[stages]]
name = "end"
terminal = true
[observations.policy]
x = "prev(x)"
"""
T, N = 9, 5


def logged(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"x": rng.standard_normal((T, N)), "foot": rng.standard_normal((T, N, 2, 3)), "more": np.zeros(3)}


def stepped(program: RewardProgram, log: dict[str, np.ndarray], starts: np.ndarray) -> list[Any]:
    """The rewards of every step of a log; rows that start are reset there."""
    steps = []
    for t in range(T):
        now = {"x": log["x"][t], "foot": log["foot"][t]}
        if t:
            steps.append(program.step(now))
        program.reset(now, None if t == 0 else starts[t])
    return steps


def test_a_log_is_its_steps() -> None:
    log, starts = logged(1), np.zeros((T, N), bool)
    starts[0], starts[4, 2] = True, True
    programs = [RewardProgram(LOGGED) for _ in range(2)]
    for program in programs:
        program.set({"slow.weight": 3.0, "level": np.linspace(0, 1, N)})
    steps, whole = stepped(programs[0], log, starts), programs[1].evaluate_log(log, starts)
    assert whole.total.shape == (T, N) and whole.raw.shape == (T, N, 3) and whole.stage.dtype == np.int32
    for t, step in enumerate(steps, 1):
        paid = ~starts[t]
        for name in ("total", "raw", "weighted", "channels", "terminated", "success", "stage", "events", "flags"):
            np.testing.assert_array_equal(getattr(whole, name)[t][paid], getattr(step, name)[paid], err_msg=name)
        np.testing.assert_array_equal(whole.observations["policy"][t][paid], step.observations["policy"][paid])
    assert not whole.total[starts].any() and whole.total[4].any()
    assert programs[1].evaluate_log({k: v.reshape(T, N, -1) for k, v in log.items() if k != "more"}).total[4, 2] != 0


def test_a_bad_number_of_a_log_is_named_with_its_step() -> None:
    log = logged(2)
    log["foot"][3, 4, 1, 2] = np.nan
    whole = RewardProgram(LOGGED).evaluate_log(log)
    assert np.flatnonzero(whole.flags & 1).tolist() == [3 * N + 4] and whole.terminated[3, 4]
    with pytest.raises(ValueError, match=r"signal foot: step 3, row 4: expected finite numbers, .*: foot = \["):
        RewardProgram('guard = "raise"\n' + LOGGED).evaluate_log(log)
    with pytest.raises(ValueError, match="got only 'x': 'foot' is missing"):
        RewardProgram(LOGGED).evaluate_log({"x": log["x"]})
    with pytest.raises(ValueError, match=r"signals: x: expected \[T, N\], got \[5\]"):
        RewardProgram("dt = 0.1\nsignals.x = {}\nchannels.a.terms.b.expr = 'x'").evaluate_log({"x": np.zeros(5)})


def test_a_changed_program_takes_over() -> None:
    old, same = RewardProgram(LOGGED), RewardProgram(LOGGED)
    new = RewardProgram(LOGGED.replace("[channels.b", 'jump = { expr = "delta(x)" }\n[channels.b'))
    with pytest.raises(ValueError, match="old: expected a program that was reset or stepped"):
        new.take_over(old, {})
    log, starts = logged(3), np.zeros((T, N), bool)
    for program in (old, same):
        program.set({"slow.weight": 3.0, "level": np.linspace(0, 1, N)})
        stepped(program, log, starts)
    last, after = ({"x": log["x"][t], "foot": log["foot"][t]} for t in (-1, 3))
    carried = new.take_over(old, last)
    assert carried.seeded == ("delta(x)",) and "ema(x)" in carried.kept
    got, wanted = new.step(after), same.step(after)
    np.testing.assert_array_equal(got.weighted[:, [0, 2, 3]], wanted.weighted)
    np.testing.assert_allclose(got.raw[:, 1], after["x"] - last["x"], rtol=1e-5, atol=1e-6)


def test_statistics_go_over_with_the_value_that_they_are_of() -> None:
    x, y = np.array([1.0, 3.0]), np.array([5.0, 5.0])
    head = "dt = 0.1\nsignals.x = {}\nsignals.y = {}\n[channels.a.terms]\n"
    terms = [f'{n} = {{ expr = "normalise({n}, 1)", scale = "none" }}\n' for n in "xy"]
    old, new = RewardProgram(head + terms[0]), RewardProgram(head + terms[1] + terms[0])
    old.learn_moments(old.step({"x": x}))
    new.take_over(old, {"x": x, "y": y})
    np.testing.assert_allclose(new.step({"x": x, "y": y}).raw, [[5.0, -1.0], [5.0, 1.0]])


def test_a_parameter_of_each_row_is_read_by_core_and_twin_alike() -> None:
    program = RewardProgram(LOGGED)
    rows = {"x": np.zeros(3), "foot": np.ones((3, 2, 3))}
    program.set("level", [0.5, 2.0, 0.5])
    program.reset(rows)
    assert program.step(rows).raw[:, 1].tolist() == [2.0, 0.0, 2.0]
    program.set("level", 0.5)
    assert program.step(rows).raw[:, 1].tolist() == [2.0, 2.0, 2.0] and program.get("level") == 0.5
    twin = program.compiled.reference(3)
    given = {"x": rows["x"], "foot": rows["foot"].reshape(3, -1)}
    twin.reset(given | {"param.level": np.zeros(3)}, np.ones(3, bool))
    assert twin.step(given)["raw"][:, 1].tolist() == [0.0] * 3
    assert twin.step(given | {"param.level": np.array([0.5, 2.0, 0.5])})["raw"][:, 1].tolist() == [2.0, 0.0, 2.0]
    with pytest.raises(SpecError, match=r"level: expected a value in \[0, 9\] m, got -1"):
        program.set({"slow.weight": 9.0, "level": [-1.0, 0.0]})
    assert program.get("slow.weight") == 2.0
    scales = RewardProgram(ONE % "gauss(x, s)" + "[params]\ns = { value = 1.0, per_env = true }\n")
    with pytest.raises(SpecError, match="s: expected a scale above 0, got 0"):
        scales.set("s", [1.0, 0.0])
