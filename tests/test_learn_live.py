"""Edits of a running training: at the next iteration, in the history, the same after a resume; logs add up."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from pyembody.cli import main
from pyembody.envs import VectorEnv
from pyembody.learn import create_run, read_edits, read_metrics, request_edit, resume, train
from pyembody.learn.distributed import Group
from pyembody.learn.learner import Learner
from pyembody.learn.logs import flatten
from pyembody.learn.run_folder import RunSpec, read_run, write_spec
from pyembody.learn.runner import task_env
from pyembody.spec import Task, Train, convert, load_robot, load_task
from test_learn_run import arrays, without_times

SMALL = Train(num_envs=8, horizon=8, actor_hidden=(8,), critic_hidden=(8,), checkpoint_every=2, workers=1, epochs=1)
FORCE = "effort.force.weight"


def new_run(tmp_path: Path) -> Path:
    return create_run(load_task("balance"), load_robot("cartpole"), SMALL, 0, (), tmp_path)


def asking(run: Path, iteration: int, edits: dict[str, float]) -> Any:
    """Makes environments that ask for an edit while `iteration` is collected."""

    def make(spec: RunSpec, n: int, threads: int, first: int) -> VectorEnv:
        env, steps = task_env(spec, n, threads, first), 0
        plain = env.step

        def step(actions: np.ndarray) -> Any:
            nonlocal steps
            steps += 1
            if steps == SMALL.horizon * (iteration - 1) + 1:
                request_edit(run, edits)
            return plain(actions)

        env.step = step  # type: ignore[method-assign]
        return env

    return make


def test_an_edit_changes_the_very_next_iteration_and_no_other_bit_before(tmp_path: Path) -> None:
    plain, edited = new_run(tmp_path), new_run(tmp_path)
    train(plain, iterations=4, progress=False)
    train(edited, iterations=4, progress=False, make_env=asking(edited, 2, {FORCE: -0.1, "task.upright.weight": 0.0}))
    before, after = without_times(plain), without_times(edited)
    assert before[:2] == after[:2]
    assert [row.get("edits") for row in after] == [None, None, {FORCE: -0.1, "task.upright.weight": 0.0}, None]
    assert after[2]["terms"]["task.upright"] == 0.0 and before[2]["terms"]["task.upright"] > 0.0
    # the policy collects iteration 3 as in the other run: the same forces, at 100 times the weight
    assert after[2]["terms"]["effort.force"] == pytest.approx(100 * before[2]["terms"]["effort.force"], rel=1e-4)
    (edit,) = read_edits(edited)
    assert (edit.iteration, edit.values) == (3, {FORCE: -0.1, "task.upright.weight": 0.0})
    assert not list((edited / "edits").iterdir())


def test_edits_survive_a_resume_bit_for_bit(tmp_path: Path) -> None:
    whole, parts = new_run(tmp_path), new_run(tmp_path)
    edits = {"task.upright.sigma": 0.2, FORCE: -0.05}
    train(whole, iterations=8, progress=False, make_env=asking(whole, 4, edits))
    train(parts, iterations=5, progress=False, make_env=asking(parts, 4, edits))
    # the checkpoint of iteration 5 is lost: the edit before it is in the history only
    shutil.rmtree(parts / "checkpoints" / "000005")
    resume(parts, iterations=8, progress=False)
    assert without_times(whole) == without_times(parts)
    first, second = arrays(whole), arrays(parts)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_a_request_that_is_not_legal_is_set_aside_and_training_goes_on(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    request_edit(run, {"task.upright.sigma": -1.0})
    (run / "edits" / "broken.json").write_text("{")
    train(run, iterations=2, progress=False)
    assert read_edits(run) == [] and len(read_metrics(run)) == 2
    refused = {p.name: p.read_text() for p in (run / "edits").glob("*.refused")}
    assert len(refused) == 2 and "expected a scale above 0" in "".join(refused.values())


def test_the_command_asks_for_legal_edits_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = new_run(tmp_path)
    assert main(["reward", "edit", str(run), "force.weight=-0.2"]) == 0
    shown = capsys.readouterr().out
    assert f"{FORCE} = -0.2\n" in shown and f"run {run} does not train and has saved nothing yet" in shown
    for bad in ("force.weigth=1", "upright.sigma=0", 'force.weight="heavy"'):
        assert main(["reward", "edit", str(run), bad]) == 2
    train(run, iterations=1, progress=False)
    assert [e.values for e in read_edits(run)] == [{FORCE: pytest.approx(-0.2)}]


def test_the_command_says_whether_the_run_trains_has_stopped_or_has_finished(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = new_run(tmp_path)
    edit = ["reward", "edit", str(run), "force.weight=-0.2"]

    def editing(spec: RunSpec, n: int, threads: int, first: int) -> VectorEnv:
        assert main(edit) == 0
        return task_env(spec, n, threads, first)

    train(run, iterations=2, progress=True, make_env=editing)
    shown = capsys.readouterr().out
    assert f"run {run} is training: from its next iteration on" in shown
    assert f"iteration 1: {FORCE} -0.001 -> -0.2\n" in shown
    assert main(edit) == 0
    assert f"run {run} has stopped (2 of {SMALL.iterations} iterations)" in capsys.readouterr().out
    write_spec(run, msgspec.structs.replace(read_run(run), train=msgspec.structs.replace(SMALL, iterations=2)))
    assert main(edit) == 0
    assert "has finished (2 of 2 iterations): the edit waits until it is resumed" in capsys.readouterr().out
    assert main([*edit, "--write", str(tmp_path / "new.toml")]) == 2
    assert "--write: expected a TASK beside it" in capsys.readouterr().err and not (tmp_path / "new.toml").exists()


def test_the_terminal_tells_texts_that_change_and_edits_that_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = new_run(tmp_path)
    request_edit(run, {"task.upright.sigma": -1.0})
    request_edit(run, {}, {"channels.effort.terms.force.expr": "abs(action[0])", **NEW})
    train(run, iterations=1, progress=True)
    shown = capsys.readouterr().out
    assert "iteration 1: an edit is refused: " in shown and "expected a scale above 0" in shown
    assert "iteration 1: channels.effort.terms.force.expr " in shown and " -> abs(action[0])\n" in shown
    assert "iteration 1: channels.effort.terms.fast (new) -> " in shown


NEW = {"channels.effort.terms.fast": {"expr": "square(joint_vel[0])", "weight": -0.5}}
SLOW = {"channels.effort.terms.fast.expr": "abs(ema(joint_vel[0], 0.2))"}


def test_texts_and_terms_change_while_a_run_trains_and_survive_a_resume(tmp_path: Path) -> None:
    whole, parts, plain = (new_run(tmp_path) for _ in range(3))
    for run, stops in ((whole, (8,)), (parts, (4, 8))):
        train(run, iterations=2, progress=False)
        request_edit(run, {"effort.fast.weight": -2.0}, NEW)
        resume(run, iterations=3, progress=False)
        request_edit(run, {}, SLOW)
        for iterations in stops:
            resume(run, iterations=iterations, progress=False)
    shutil.rmtree(parts / "checkpoints" / "000008")
    (parts / "checkpoints").mkdir(exist_ok=True)
    resume(parts, iterations=8, progress=False)
    train(plain, iterations=8, progress=False)
    assert without_times(whole) == without_times(parts)
    first, second = arrays(whole), arrays(parts)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    rows, before = without_times(whole), without_times(plain)
    assert rows[:2] == before[:2]
    assert ["effort.fast" in row["terms"] for row in rows] == [False] * 2 + [True] * 6
    assert rows[2]["terms"]["task.upright"] == before[2]["terms"]["task.upright"]
    assert all(row["terms"]["effort.fast"] < 0 for row in rows[2:])


def test_texts_of_a_run_are_asked_for_by_their_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = new_run(tmp_path)
    for bad, message in (
        ("channels.effort.terms.force.expr=norm(joint_vel", "not an expression"),
        ("channels.effort.terms.force.expr=log(0 * joint_vel[0] - 1)", "edits: E-"),
        ('channels.effort.terms.force={"expr": "1"}', "this term is there; change its places"),
        ("channels.effort.terms.froce.expr=1", "did you mean 'force'"),
        ("force.weight=heavy", "a text is named by its place"),
        ("channels.effort.gamma=0.5", "channels.effort.gamma: expected what the running task says"),
    ):
        assert main(["reward", "edit", str(run), bad]) == 2
        assert message in capsys.readouterr().err
    assert main(["reward", "edit", str(run), 'channels.effort.terms.fast={"expr": "square(joint_vel[0])"}']) == 0
    assert main(["reward", "edit", str(run), "channels.effort.terms.fast.weight=-0.5", "force.weight=0"]) == 0
    assert "effort.fast.weight = -0.5\n" in capsys.readouterr().out
    train(run, iterations=1, progress=False)
    (row,) = read_metrics(run)
    assert row["terms"]["effort.fast"] < 0 and row["terms"]["effort.force"] == 0.0


def test_two_workers_apply_an_edit_at_the_same_iteration(tmp_path: Path) -> None:
    config = msgspec.structs.replace(SMALL, num_envs=64, workers=2)
    run = create_run(load_task("balance"), load_robot("cartpole"), config, 0, (), tmp_path)
    request_edit(run, {"task.upright.weight": 0.0, "task.center.weight": 0.0})
    train(run, iterations=2, progress=False)
    for row in read_metrics(run):
        assert row["terms"]["task.upright"] == row["terms"]["task.center"] == 0.0


class Watched(VectorEnv):
    """Keeps raw and weighted terms, lines and ends of every step."""

    def step(self, actions: Any) -> Any:
        result = super().step(actions)
        self.seen = [*getattr(self, "seen", []), self.weighted.copy()]
        self.raws = [*getattr(self, "raws", []), self.raw.copy()]
        self.extra = [*getattr(self, "extra", []), self.lines.copy()]
        self.ends = [*getattr(self, "ends", []), result[2] | result[3]]
        return result


MIXED = """
name = "mixed"
robot = "cartpole"
observations.policy.angle = "pole_angle"
terminations.drop = "abs(pole_angle) > 0.3"
reset = { passive_pos = 0.25, passive_vel = 0.5 }
[episode]
length_s = 0.2
[channels.task]
combine = "product"
gain = 2.0
terms.upright = { expr = "gauss(pole_angle, 0.05)", weight = 1.5 }
terms.near = { expr = "gauss(cart_pos, 0.5)" }
[channels.cost]
floor = -0.001
terms.force = { expr = "normsq(action)", weight = -0.1 }
terms.unused = { expr = "cart_pos", weight = 0.0 }
terms.drop = { expr = "num(terminated)", weight = -1.0, scale = "event" }
[terminal.fall]
value = -0.5
channel = "cost"
"""
"""Channels that are paid by more than their terms: a product, a floor, a value at the end."""


def test_the_logged_sum_of_terms_is_what_the_learner_saw() -> None:
    task, robot = load_task("velocity"), load_robot("go2")
    env = Watched(task, robot, 16, threads=1)
    env.reset(seed=0)
    learner = Learner(env, task, SMALL, 0, Group())
    metrics = learner.iterate()
    weighted, rewards = np.stack(env.seen), learner.rollout.rewards
    for c, channel in enumerate(env.channel_names):
        columns = [k for k, owner in enumerate(env.program.term_channel) if owner == c]
        total = weighted[..., columns[0]]
        for k in columns[1:]:  # in the file's order, in float32: the same bits
            total = total + weighted[..., k]
        np.testing.assert_array_equal(total, rewards[..., c])
        logged = sum(v for name, v in metrics["terms"].items() if name.startswith(channel + "."))
        assert logged == pytest.approx(rewards[..., c].mean(dtype=np.float64) / env.control_dt, rel=1e-5, abs=1e-6)
    env.close()


@pytest.fixture(scope="module")
def logged() -> tuple[Watched, Learner, dict[str, Any]]:
    """One iteration of the mixed task: its environments, the learner, and what was logged."""
    task = convert(tomllib.loads(MIXED), Task, "mixed")
    env = Watched(task, load_robot("cartpole"), 16, threads=1)
    env.reset(seed=0)
    learner = Learner(env, task, msgspec.structs.replace(SMALL, horizon=24), 0, Group())
    return env, learner, learner.iterate()


def test_the_logged_pay_of_terms_and_lines_is_what_the_learner_saw(
    logged: tuple[Watched, Learner, dict[str, Any]],
) -> None:
    env, learner, metrics = logged
    terms, rewards = metrics["Term"], learner.rollout.rewards
    assert set(terms) == {*env.term_names, "task.product", "cost.floor", "cost.terminal.fall"}
    assert not {"per_step", "per_second", "share"} & set(terms["task.upright"])  # the product has their pay
    paid = {name: t for name, t in terms.items() if "per_step" in t}
    for c, channel in enumerate(env.channel_names):
        mean = rewards[..., c].mean(dtype=np.float64)
        for key, divisor in (("per_step", 1.0), ("per_second", env.control_dt)):
            total = sum(t[key] for name, t in paid.items() if name.startswith(channel + "."))
            assert total == pytest.approx(mean / divisor, rel=1e-5), (channel, key)
    assert sum(t["share"] for t in paid.values()) == pytest.approx(1.0)
    sizes = np.abs(np.concatenate([np.stack(env.seen), np.stack(env.extra)], axis=-1)).sum(axis=(0, 1))
    floor = sizes[len(env.term_names) + env.line_names.index("cost.floor")]
    assert terms["cost.floor"]["share"] == pytest.approx(float(floor / sizes.sum())) and floor > 0
    assert metrics["terms"] == {name: t["per_second"] for name, t in paid.items()}


def test_the_logged_pay_of_an_episode_is_that_of_whole_episodes(
    logged: tuple[Watched, Learner, dict[str, Any]],
) -> None:
    env, _, metrics = logged
    paid = np.concatenate([np.stack(env.seen), np.stack(env.extra)], axis=-1).astype(np.float64)
    sums, running = [], np.zeros(paid.shape[1:])
    for step, ends in zip(paid, env.ends, strict=True):
        running += step
        sums += list(running[ends])
        running[ends] = 0.0
    assert len(sums) > 16
    names = (*env.term_names, *env.line_names)
    for name, mean in zip(names, np.mean(sums, axis=0), strict=True):
        if name not in ("task.upright", "task.near"):
            assert metrics["Term"][name]["per_episode"] == pytest.approx(mean, rel=1e-6, abs=1e-12)


def test_the_log_knows_the_raw_values_of_every_term_also_of_weight_0(
    logged: tuple[Watched, Learner, dict[str, Any]],
) -> None:
    env, _, metrics = logged
    raws = np.stack(env.raws).reshape(-1, len(env.term_names))
    for k, name in enumerate(env.term_names):
        term, raw = metrics["Term"][name], raws[:, k]
        assert [term["raw_min"], term["raw_max"]] == [raw.min(), raw.max()]
        assert term["raw_mean"] == pytest.approx(raw.mean(dtype=np.float64), rel=1e-6)
        assert term["nonzero"] == pytest.approx((raw != 0).mean())
        assert (raw < term["raw_p5"]).mean() <= 0.05 and (raw > term["raw_p95"]).mean() <= 0.05
    weights = {name.partition(".")[2]: t.get("weight") for name, t in metrics["Term"].items()}
    assert weights["upright"] == 1.5 and weights["unused"] == 0.0 and weights["floor"] is None
    assert metrics["Term"]["cost.unused"]["per_second"] == 0.0 != metrics["Term"]["cost.unused"]["raw_max"]
    tags = dict(flatten(metrics))
    assert tags["Term/cost.force/raw_p95"] == metrics["Term"]["cost.force"]["raw_p95"]
