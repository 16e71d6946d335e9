"""Gates as a task declares them, and what they do between collection and returns."""

from __future__ import annotations

import copy
import io
import re
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from rich.console import Console

from pyembody.analysis.record import go_on
from pyembody.envs import VectorEnv
from pyembody.learn import create_run, load_policy, read_metrics, resume, train
from pyembody.learn.distributed import Group
from pyembody.learn.learner import Learner
from pyembody.learn.progress import table
from pyembody.spec import Sac, SpecError, Task, Train, convert, load_robot
from pyembody.spec.check import check_task
from pyembody.viz.gates import gate_section, gate_words
from test_learn_run import arrays

TRAIN = Train(num_envs=8, horizon=16, epochs=1, minibatches=1, actor_hidden=(8,), critic_hidden=(8,), iterations=4)
TASK: dict[str, Any] = {
    "name": "gated",
    "robot": "cartpole",
    "episode": {"length_s": 0.5},
    "reset": {"passive_pos": 0.6, "passive_vel": 0.5},
    "terminations": {"far": "abs(cart_pos) > 0.9"},
    "observations": {"policy": {n: n for n in ("cart_pos", "cart_vel", "pole_angle", "pole_vel")}},
    "channels": {
        "held": {
            "gate": {"level": 0, "threshold": 0.5},
            "terms": {"up": {"expr": "num(abs(pole_angle) < 0.5)", "scale": "none"}},
        },
        "moved": {
            "gate": {"level": 1, "threshold": 0.2, "agg": "max"},
            "terms": {"speed": {"expr": "abs(cart_vel)", "scale": "none"}},
        },
        "approach": {"gate": {"level": 2, "cap": 3.0}, "terms": {"near": {"expr": "1 - abs(cart_pos)"}}},
        "late": {"gate": {"when": "abs(pole_angle) < 0.1"}, "terms": {"alive": {"expr": "1.0"}}},
    },
}


def changed(**channels: Any) -> dict[str, Any]:
    """The task with the gates of some channels replaced."""
    data = copy.deepcopy(TASK)
    for name, gate in channels.items():
        data["channels"][name]["gate"] = gate
    return data


def task_of(data: dict[str, Any]) -> Task:
    task = convert(data, Task, "task.toml")
    check_task(task, "task.toml")
    return task


def learner_of(data: dict[str, Any], train_: Train = TRAIN) -> Learner:
    task = task_of(data)
    env = VectorEnv(task, load_robot("cartpole"), train_.num_envs, threads=1)
    env.reset(seed=0)
    return Learner(env, task, train_, 0, Group())


BAD = [
    (changed(held={"threshhold": 1}), "channels.held.gate: unknown key 'threshhold', did you mean 'threshold'?"),
    (changed(held={"compare": "=>"}), "channels.held.gate.compare: unknown value '=>', did you mean"),
    (changed(held={"threshold": float("nan")}), "channels.held.gate.threshold: expected a finite number, got nan"),
    (changed(held={"threshold": {"quantile": 0.5, "from": 2, "to": 1}}), "expected from <= to, got 2.0 > 1.0"),
    (changed(held={}, moved={}), "channels.approach.gate.level: expected another channel with a threshold and a level"),
    (changed(approach={"level": 2, "cap": 1.0, "negative": "mask"}), "negative = 'pass', got negative = 'mask'"),
    (changed(held={"threshold": 1, "pay": "mean"}), "channels.held.gate.pay: expected 'sum', as nothing gates this"),
    (TASK | {"gates": {"scope": "runing"}}, "gates.scope: unknown value 'runing', did you mean 'running'?"),
]


@pytest.mark.parametrize(("data", "message"), BAD, ids=[m[:40] for _, m in BAD])
def test_a_wrong_gate_is_named_with_file_and_field(data: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)) as caught:
        task_of(data)
    assert str(caught.value).startswith("task.toml: ")


def test_a_gated_term_becomes_a_channel_of_its_own() -> None:
    data = copy.deepcopy(TASK)
    term = {"expr": "-abs(cart_vel)", "gate": {"level": 1}}
    data["channels"]["held"] |= {"gamma": 0.9}
    data["channels"]["held"]["terms"]["calm"] = term
    task = task_of(data)
    assert list(task.channels) == ["held", "held_calm", "moved", "approach", "late"]
    assert list(task.channels["held"].terms) == ["up"]
    assert (task.channels["held_calm"].gamma, task.channels["held_calm"].gate.level) == (0.9, 1)


def test_gates_stand_between_collection_and_returns() -> None:
    learner = learner_of(TASK | {"gates": {"pending": "zero"}})
    learner.fused = False
    learner.iterate()
    metrics = learner.iterate()
    closed = learner.gates.open == 0
    assert closed.any() and not learner.rollout.rewards[closed].any()
    assert learner.rollout.rewards[~closed].any() and not closed[..., 0].any()
    names = {"moved", "approach", "late"}
    assert {n for n, m in metrics["Gate"].items() if "open" in m} == names
    assert metrics["Gate"]["held"] == {"threshold": 0.5}
    assert 0 < metrics["Gate"]["moved"]["open"] < 1
    assert metrics["Gate"]["approach"]["withheld"] > 0


@pytest.mark.parametrize("gates", [{}, {"place": "terminal"}, {"pending": "open"}])
def test_gates_and_returns_in_one_walk_learn_the_same_bit_for_bit(gates: dict[str, Any]) -> None:
    one, two = (learner_of(TASK | {"gates": gates}) for _ in range(2))
    assert one.fused
    two.fused = False
    for _ in range(3):
        fused, parts = one.iterate(), two.iterate()
        np.testing.assert_array_equal(one.rollout.advantages, two.rollout.advantages)
        np.testing.assert_array_equal(one.rollout.returns, two.rollout.returns)
        for name, own in parts["Gate"].items():
            assert fused["Gate"][name] == pytest.approx(own, abs=1e-5)
    for name, array in two.own().items():
        np.testing.assert_array_equal(one.own()[name], array, name)


@pytest.mark.parametrize(
    ("gates", "settings"),
    [({"scope": "running"}, {}), ({}, {"critics": "single"}), ({}, {"reward_scale": "return_std"})],
)
def test_rewards_that_are_needed_gated_are_gated_first(gates: dict[str, Any], settings: dict[str, Any]) -> None:
    assert not learner_of(TASK | {"gates": gates}, replace(TRAIN, **settings)).fused


def test_a_closed_gate_is_not_bootstrapped_through() -> None:
    learner = learner_of(changed(held={"threshold": 2.0}, late={"when": "cart_pos > 99"}), TRAIN)
    learner.fused = False
    for _ in range(2):
        learner.iterate()
    cut = learner.rollout.bootstrapped
    assert cut.any()
    assert not learner.rollout.next_values[cut][:, 1:].any()
    assert learner.rollout.next_values[cut][:, 0].all()


def test_a_threshold_follows_its_schedule() -> None:
    schedule = {"from": 0.5, "to": 2.0, "start": 0, "end": 256}
    learner = learner_of(TASK | {"schedules": {"held.gate.threshold": schedule}})
    seen = [learner.iterate()["Gate"]["held"]["threshold"] for _ in range(3)]
    assert seen == [0.5, 1.25, 2.0]


def test_an_adaptive_threshold_rises_with_what_is_reached_and_never_falls() -> None:
    adaptive = {"quantile": 0.9, "from": 0.1, "to": 1.5, "window": 8}
    learner = learner_of(changed(moved={"level": 1, "threshold": adaptive, "agg": "max"}))
    seen = [learner.iterate()["Gate"]["moved"]["threshold"] for _ in range(6)]
    assert seen[0] == pytest.approx(0.1)
    assert sorted(seen) == seen
    assert 0.1 < seen[-1] <= 1.5


def test_an_evaluation_goes_on_with_the_thresholds_of_the_training(tmp_path: Any) -> None:
    adaptive = {"quantile": 0.9, "from": 0.1, "to": 1.5, "window": 8}
    task = task_of(changed(moved={"level": 1, "threshold": adaptive, "agg": "max"}) | {"gates": {"scope": "running"}})
    run = train(create_run(task, load_robot("cartpole"), TRAIN, 1, (), tmp_path), progress=False)
    reached = read_metrics(run)[-1]["Gate"]["moved"]["threshold"]
    env = VectorEnv(task, load_robot("cartpole"), 4, threads=1)
    start = env.params[env.program.params["moved.gate.threshold"].index]
    go_on(env, load_policy(run))
    assert env.params[env.program.params["moved.gate.threshold"].index] == pytest.approx(reached)
    assert reached > start


def test_soft_actor_critic_refuses_gates(tmp_path: Any) -> None:
    run = create_run(task_of(TASK), load_robot("cartpole"), Sac(), 1, (), tmp_path)
    with pytest.raises(SpecError, match="algorithm 'sac': expected a task without gates, got gates on moved, approach"):
        train(run, progress=False)


def test_a_running_gate_is_seen_as_it_pays() -> None:
    total = {"level": 0, "threshold": 3.0, "agg": "sum"}
    learner = learner_of(changed(held=total) | {"gates": {"scope": "running"}})
    layout = [b.name for b in learner.env.program.observation_layout["policy"]]
    assert layout[-3:] == ["gate_open.moved", "gate_open.approach", "gate_open.late"]
    for _ in range(3):
        learner.iterate()
        rollout, gates = learner.rollout, learner.gates
        ended = rollout.terminated | rollout.truncated
        seen = rollout.policy.raw[1:, :, -3:]
        np.testing.assert_array_equal(seen, np.where(ended[..., None], 0, gates.open[..., 1:]))
        assert 0 < seen.mean() < 1
        assert gates.report(Group(), learner.env.channel_names, learner.env.control_dt)["moved"]["time_to_open"] >= 0


def test_gates_that_are_not_shown_need_no_observation() -> None:
    learner = learner_of(TASK | {"gates": {"scope": "running", "observe": "none"}})
    assert learner.env.observations.shape[1] == 4
    with pytest.raises(SpecError, match="gates.observe: expected .observations.critic. beside 'critic'"):
        task_of(TASK | {"gates": {"scope": "running", "observe": "critic"}})


def test_a_channel_without_episodes_is_not_cut_by_their_ends() -> None:
    data = copy.deepcopy(TASK)
    data["channels"]["bonus"] = {"episodic": False, "terms": {"far": {"expr": "abs(cart_pos)", "scale": "rate"}}}
    learner = learner_of(data)
    for _ in range(2):
        learner.iterate()
    rollout, cut = learner.rollout, learner.rollout.bootstrapped
    assert cut.any()
    following = rollout.values[1:].numpy()
    np.testing.assert_array_equal(rollout.next_values[cut][:, -1], following[cut][:, -1])
    assert (rollout.next_values[cut][:, 0] != following[cut][:, 0]).any()
    data["channels"]["bonus"]["gate"] = {"level": 1}
    with pytest.raises(SpecError, match="channels.bonus.gate: expected a channel with episodic = true"):
        task_of(data)


def test_the_live_table_and_the_report_show_gates() -> None:
    learner = learner_of(TASK)
    rows = [learner.iterate() for _ in range(2)]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table("run", rows[-1] | {"elapsed": 1.0}, 2, 0.0, {}))
    assert re.search(r"approach +\d\.\d{3} +\d", console.export_text().split("gate of")[1])
    page = gate_section(rows)
    assert "Gates at the end of training" in page and page.count("<tr>") == 5
    assert gate_section([{"iteration": 1}]) == ""
    assert gate_words([{"iteration": 1}]) == []


def test_a_gate_that_never_opened_is_told_at_the_end_of_training() -> None:
    rows = [{"Gate": {"near": {"open": share}, "far": {"open": 0.0}}} for share in (0.0, 0.5)]
    near, far = gate_words(rows)
    assert near == "gate of near: open in 25 % of the last episodes"
    assert far.startswith("gate of far: open in 0 % of the last episodes; nothing of it is paid")


@pytest.mark.parametrize("gates", [{}, {"place": "terminal"}, {"scope": "running"}])
def test_a_gated_run_resumes_bit_for_bit(tmp_path: Any, gates: dict[str, Any]) -> None:
    adaptive = {"quantile": 0.5, "from": 0.1, "to": 1.5, "window": 8}
    task = task_of(changed(moved={"level": 1, "threshold": adaptive, "agg": "max"}) | {"gates": gates})
    whole, parts = (create_run(task, load_robot("cartpole"), TRAIN, 1, (), tmp_path) for _ in range(2))
    train(whole, progress=False)
    train(parts, iterations=2, progress=False)
    resume(parts, progress=False)
    first, second = arrays(whole), arrays(parts)
    assert any(name.startswith("gates.") for name in first)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    assert [row["Gate"] for row in read_metrics(whole)] == [row["Gate"] for row in read_metrics(parts)]
