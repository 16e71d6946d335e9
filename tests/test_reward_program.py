"""A reward program by itself: made of text, evaluated in place on the arrays of any simulator."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pyembody
from pyembody import RewardProgram
from pyembody.spec import Signal, SpecError

TEXT = """
dt = 0.02

[signals]
v = { kind = "vector", width = 3, unit = "m/s", frame = "body" }
foot = { kind = "vector", width = 3, axis = "feet", labels = ["left", "right"], unit = "m" }
action = { kind = "vector", width = 4 }
on = { kind = "bool" }

[channels.task.terms]
speed = { expr = "gauss(v[:2], scale)", weight = 2.0, params = { scale = 0.25 } }
smooth = { expr = "normsq(delta(action))", weight = -0.1 }
[channels.other.terms]
feet = { expr = "sum(foot[:, 2])", scale = "none" }

[terminations]
fall = "on"
[observations.policy]
v = "v"
last = "prev(action)"
"""
N = 70
Arrays = dict[str, Any]


class OnAnotherDevice:
    """A tensor in a graphics card's memory, as DLPack describes it."""

    device = "gpu:1"

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 1

    def __dlpack__(self) -> None:
        raise AssertionError("never read")


def arrays(seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    return {
        "v": rng.standard_normal((N, 3)).astype(np.float32),
        "foot": rng.standard_normal((N, 2, 3)),
        "action": rng.standard_normal((N, 4)),
        "on": rng.random(N) < 0.3,
        "ignored": "what a simulator offers besides",
    }


def test_rewards_are_the_formulas_in_the_declared_order() -> None:
    program = RewardProgram(TEXT)
    first, second = arrays(1), arrays(2)
    seeded = program.reset(first)
    np.testing.assert_array_equal(seeded["policy"][:, :3], first["v"])
    out = program.step(second)
    assert program.term_names == ("task.speed", "task.smooth", "other.feet")
    raw = [
        np.exp(-(second["v"][:, :2].astype(float) ** 2).sum(axis=1) / 0.25),
        ((second["action"] - first["action"]) ** 2).sum(axis=1),
        second["foot"][:, :, 2].sum(axis=1),
    ]
    np.testing.assert_allclose(out.raw, np.stack(raw, axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(out.weighted, out.raw * [0.04, -0.002, 1.0], rtol=1e-6)
    sums = np.stack([out.weighted[:, 0] + out.weighted[:, 1], out.weighted[:, 2]], axis=1)
    np.testing.assert_array_equal(out.channels, sums)
    np.testing.assert_array_equal(out.total, out.channels[:, 0] + out.channels[:, 1])
    np.testing.assert_array_equal(out.terminated, second["on"])
    np.testing.assert_array_equal(out.terminations, second["on"][:, None])
    assert not out.success.any() and out.metrics.shape == (N, 0)
    np.testing.assert_allclose(out.observations["policy"][:, 3:], first["action"], rtol=1e-6)


def test_tensors_strides_and_precisions_give_the_same_bits() -> None:
    plain = arrays(3)
    plain["action"] = plain["action"].astype(np.float32)
    plain["foot"] = plain["foot"].astype(np.float32)
    wide = np.zeros((2 * N, 12))
    wide[::2, 3:6], wide[::2, 8:12] = plain["v"], plain["action"]
    feet = np.zeros((N, 5, 3))
    feet[:, 1:3] = plain["foot"]
    strided = {"v": wide[::2, 3:6], "action": wide[::2, 8:12], "foot": feet[:, 1:3], "on": plain["on"]}
    tensors: Arrays = {k: torch.from_numpy(v) for k, v in strided.items()}
    tensors["v"] = torch.from_numpy(plain["v"]).requires_grad_()
    totals = []
    for given in (plain, strided, tensors):
        program = RewardProgram(TEXT)
        program.reset(given)
        totals.append(program.step(given).total)
    np.testing.assert_array_equal(totals[0], totals[1])
    np.testing.assert_array_equal(totals[0], totals[2])


def test_bound_arrays_are_read_in_place_and_outputs_rewritten() -> None:
    program = RewardProgram(TEXT)
    given = arrays(4)
    tensor = torch.from_numpy(given["v"])
    bound = program.bind({**given, "v": tensor})
    bound.reset()
    before = bound.step().copy()
    tensor.zero_()
    after = bound.step()
    assert after is bound.rewards
    np.testing.assert_allclose(after.raw[:, 0], 1.0)
    assert (before.raw[:, 0] < 1.0).all()
    program.set("speed.weight", 0.0)
    np.testing.assert_array_equal(bound.step().weighted[:, 0], 0.0)


def test_weights_and_parameters_change_the_next_step() -> None:
    program = RewardProgram(TEXT)
    given = arrays(5)
    program.reset(given)
    program.set({"task.speed.weight": 3.0, "scale": 0.5})
    out = program(given)
    np.testing.assert_allclose(out.raw[:, 0], np.exp(-(given["v"][:, :2] ** 2).sum(axis=1) / 0.5), rtol=1e-5)
    np.testing.assert_allclose(out.weighted[:, 0], 0.06 * out.raw[:, 0], rtol=1e-6)
    assert program.get("speed.weight") == 3.0
    with pytest.raises(SpecError, match=r"unknown parameter 'speed.scael', did you mean 'speed.scale'\?"):
        program.set("speed.scael", 1.0)
    with pytest.raises(SpecError, match="expected a scale above 0, got -1"):
        program.set({"speed.weight": 1.0, "scale": -1.0})
    assert program.get("speed.weight") == 3.0
    with pytest.raises(TypeError, match="scale: expected a value"):
        program.set("scale")


def test_reset_of_some_rows_leaves_the_others() -> None:
    program = RewardProgram(TEXT)
    program.reset(arrays(6))
    mask = np.arange(N) % 3 == 0
    program.reset(arrays(7), mask)
    smooth = program.step(arrays(7)).raw[:, 1]
    np.testing.assert_array_equal(smooth[mask], 0.0)
    assert (smooth[~mask] > 0).all()


def test_state_can_be_kept_and_put_back() -> None:
    program = RewardProgram(TEXT)
    program.reset(arrays(8))
    kept = program.state.copy()
    first = program.step(arrays(9))
    program.step(arrays(10))
    program.state[:] = kept
    np.testing.assert_array_equal(program.step(arrays(9)).total, first.total)


def test_threads_change_nothing() -> None:
    results = []
    for threads in (1, 2):
        program = RewardProgram(TEXT, threads=threads)
        big = {k: np.repeat(v, 30, axis=0) for k, v in arrays(11).items() if k != "ignored"}
        program.reset(big)
        results.append(program.step(big).total)
    np.testing.assert_array_equal(results[0], results[1])


def test_a_number_that_is_not_finite_ends_the_row() -> None:
    program = RewardProgram(TEXT)
    given = arrays(12)
    given["on"][:] = False
    program.reset(given)
    given["foot"][3, 0, 2] = np.nan
    out = program.step(given)
    assert np.flatnonzero(out.terminated).tolist() == [3]
    assert program.guard_names[out.bad_term[3]] == "other.feet"
    assert np.isfinite(out.total).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"v": np.zeros((N, 2))}, ValueError, rf"signals: v: expected \({N}, 3\), got \({N}, 2\)"),
        ({"foot": np.zeros((N, 3, 2))}, ValueError, rf"foot: expected \({N}, 6\) or \({N}, 2, 3\), got"),
        ({"on": np.zeros((N - 1, 1), bool)}, ValueError, rf"on: expected \({N},\) or \({N}, 1\), got \({N - 1}, 1\)"),
        ({"v": np.zeros((N, 3), np.float16)}, TypeError, "v: expected float32, float64, bool or uint8, got float16"),
        ({"v": np.zeros((3, N)).T}, ValueError, "v: expected a row's 3 numbers side by side"),
        ({"v": [[0.0] * 3] * N}, TypeError, "v: expected an array or a CPU tensor, got list"),
        ({"v": torch.zeros(N, 3, device="meta")}, TypeError, "v: expected dense numbers in CPU memory, got .*meta"),
        ({"v": torch.zeros(N, 3, dtype=torch.bfloat16)}, TypeError, "v: expected dense numbers in CPU memory"),
        ({"v": OnAnotherDevice()}, TypeError, r"v: expected memory of the CPU, got a tensor on gpu:1 \(use .cpu"),
    ],
)
def test_a_wrong_array_is_named(change: Arrays, error: type[Exception], message: str) -> None:
    program = RewardProgram(TEXT)
    with pytest.raises(error, match=message):
        program.reset({**arrays(), **change})


def test_a_missing_array_is_named_with_the_nearest() -> None:
    given = arrays()
    given["actions"] = given.pop("action")
    with pytest.raises(ValueError, match=r"'action' is missing, did you mean 'actions'\?"):
        RewardProgram(TEXT).reset(given)
    program = RewardProgram("dt = 1\nsignals.vel = { kind = 'vector', width = 3 }\nsignals.k = {}\n"
                            "channels.a.terms.b.expr = 'norm(vel) * k'")
    wrong = {"d": np.zeros(3), "Vel": np.zeros((3, 3))}
    words = (r"expected 'vel' \[(T, )?N, 3\], 'k' \[(T, )?N\], got only 'd', 'Vel': "
             r"'vel' is missing, did you mean 'Vel'\?; 'k' is missing$")
    for call in (program.step, program.bind, program.evaluate_log):
        with pytest.raises(ValueError, match=words):
            call(wrong)
    with pytest.raises(ValueError, match="got none: 'vel' is missing; 'k' is missing"):
        program.step({})


def test_integers_are_converted_for_signals_of_that_kind_and_refused_elsewhere() -> None:
    text = "dt = 1\nsignals.k = { kind = 'integer' }\nsignals.x = {}\nchannels.a.terms.b.expr = 'k + x'"
    program = RewardProgram(text)
    whole: Arrays = {"k": np.arange(3), "x": np.full(3, 0.5)}
    for k in (whole["k"], whole["k"].astype(np.int16), torch.arange(3)):
        np.testing.assert_array_equal(program.step({**whole, "k": k}).total, [0.5, 1.5, 2.5])
    log = {name: rows[None] for name, rows in whole.items()}
    np.testing.assert_array_equal(program.evaluate_log(log, np.zeros((1, 3), bool)).total, [[0.5, 1.5, 2.5]])
    with pytest.raises(TypeError, match=r"x: expected .*, got int64 \(\.astype\(np\.float64\) converts\)"):
        program.step({"k": np.arange(3), "x": np.arange(3)})
    with pytest.raises(TypeError, match=r"k: expected .*, got int64"):
        program.bind(whole)  # which reads in place


def test_program_and_rewards_are_shown_in_a_few_words() -> None:
    program = RewardProgram(TEXT)
    assert repr(program) == (
        "<RewardProgram 'reward', dt 0.02 s: terms task.speed, task.smooth, other.feet; channels task, other; "
        "terminations fall; reads on [N], v [N, 3], action [N, 4], foot [N, 2, 3]>"
    )
    given = {**arrays(), "on": np.arange(N) < 7}
    program.reset(given)
    rewards = program.step(given)
    mean = f"{rewards.total.mean(dtype=float):.4g}"
    shown = f"<Rewards: total [70] mean {mean}, channels [70, 2], raw [70, 3], weighted [70, 3], "
    assert repr(rewards) == shown + "terminations [70, 1], observations['policy'] [70, 7], terminated 7 of 70>"
    assert repr(program.bind(given).rewards).startswith("<Rewards: total [70] mean 0, ")


def test_the_terms_of_a_product_are_paid_in_its_line() -> None:
    terms = "terms.u.expr = 'gauss(x, 0.1)'\nterms.w.expr = 'gauss(x, 0.5)'"
    program = RewardProgram(f"dt = 1\nsignals.x = {{}}\n[channels.a]\ncombine = 'product'\n{terms}")
    rewards = program.step({"x": np.array([0.0, 0.1])})
    assert not rewards.weighted.any() and program.line_names == ("a.product",)
    np.testing.assert_array_equal(rewards.lines, rewards.channels)
    assert rewards.lines[0] == 1.0


def test_a_program_that_remembers_must_be_reset_first() -> None:
    with pytest.raises(ValueError, match=rf"expected reset\(signals\) of {N} rows before"):
        RewardProgram(TEXT).step(arrays())
    forgetful = RewardProgram('dt = 1\n[signals]\nx = {}\n[channels.a.terms]\nb = { expr = "2 * x" }')
    np.testing.assert_array_equal(forgetful.step({"x": np.arange(3.0)}).total, [0, 2, 4])
    np.testing.assert_array_equal(forgetful.step({"x": np.arange(2.0)}).total, [0, 2])


def test_text_file_and_dict_are_the_same_program(tmp_path: Path) -> None:
    import tomllib

    path = tmp_path / "reward.toml"
    path.write_text(TEXT)
    data = tomllib.loads(TEXT)
    untouched = copy.deepcopy(data)
    given, totals = arrays(13), []
    for source in (TEXT, path, str(path), data):
        program = RewardProgram(source)
        program.reset(given)
        totals.append(program(given).total)
    assert all((total == totals[0]).all() for total in totals)
    assert data == untouched
    no_signals = {k: v for k, v in data.items() if k not in ("signals", "dt")}
    table = {name: Signal(name, **{k: tuple(v) if k == "labels" else v for k, v in spec.items()})
             for name, spec in data["signals"].items()}
    given_signals = RewardProgram(no_signals, signals=table, dt=0.02)
    given_signals.reset(given)
    np.testing.assert_array_equal(given_signals(given).total, totals[0])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dt = 0.02", "", "dt: expected the control step in seconds"),
        ("dt = 0.02", "dt = -1", "dt: expected 1e-06 to 1e.06 seconds, got -1"),
        ("scale = 0.25", "scale = 1e39", r"speed\.scale: expected a finite number that float32 holds, got 1e\+39"),
        ("dt = 0.02", "dt = true", "dt: expected the control step in seconds, got True"),
        ("dt = 0.02", "dt = 0.02\nhistory = 2", "history: is a simulation's business"),
        ("[terminations]", "[termination]", "unknown key 'termination', did you mean 'terminations'"),
        ("[observations.policy]", "[observations.polcy]", "unknown group 'polcy', did you mean 'policy'"),
        ('kind = "bool"', 'knd = "bool"', "signals.on: unknown key 'knd', did you mean 'kind'"),
        ('kind = "bool"', 'kind = "boool"', "signals.on: kind: unknown value 'boool', did you mean 'bool'"),
        ("\non = {", "\nnorm = {", "signals.norm: 'norm' is the name of an operation"),
        ("\non = {", "\ndt = {", "signals.dt: 'dt' is the name of a built-in"),
        ("\non = {", "\nOn = {", "signals.On: expected a name of lower-case letters"),
        ("width = 4", "width = 0", "signals.action: width: expected at least 1, got 0"),
        (', labels = ["left", "right"]', "", "signals.foot: expected 'axis' and 'labels' together"),
        ("\non = { kind", '\non = { source = "qpos", kind', "signals.on: source: expected nothing, or '= '"),
        ("sum(foot[:, 2])", "sum(foots[:, 2])", "unknown signal 'foots', did you mean 'foot'"),
        ("sum(foot[:, 2])", "sum(foot[:, 2]", "channels.other.terms.feet.expr: column"),
        ("sum(foot[:, 2])", "sum(foot[:, 2]) + sum(v)", "expected equal units|unit"),
        ('dt = 0.02', 'dt = "', "program: not TOML"),
    ],
)
def test_a_wrong_text_is_refused_by_name(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(SpecError, match=message):
        RewardProgram(TEXT.replace(old, new, 1))


def test_nothing_heavy_is_imported() -> None:
    code = f"""
import sys, numpy as np, pyembody
assert "pyembody.program" not in sys.modules
program = pyembody.RewardProgram({TEXT!r})
n = 3
given = dict(v=np.zeros((n, 3)), foot=np.zeros((n, 6)), action=np.zeros((n, 4)), on=np.zeros(n, bool))
program.reset(given)
print(program(given).total.tolist(), [m for m in ("torch", "mujoco", "gymnasium", "numba") if m in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{[float(np.float32(0.04))] * 3} []"


def test_the_state_needs_rows_first() -> None:
    with pytest.raises(ValueError, match="state: expected a reset or a step first"):
        _ = RewardProgram(TEXT).state


def test_the_package_offers_nothing_else_lazily() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'RewardProgramme'"):
        _ = pyembody.RewardProgramme
