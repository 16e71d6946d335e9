"""A changed task takes over in running environments; parameters with a value for each of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyembody.envs import VectorEnv
from pyembody.spec import SpecError, Task, convert, load_robot

ROBOT = load_robot("cartpole")
TERMS = {
    "slow": {"expr": "ema(joint_vel[0], 0.5)", "weight": 2.0},
    "smooth": {"expr": "normsq(delta(joint_vel))"},
    "normal": {"expr": "normalise(joint_pos[0], 0.001)", "scale": "none"},
}
STAGES = [
    {"name": "wait", "until": "time >= 0.06"}, {"name": "go", "until": "time >= 0.2"}, {"name": "end", "terminal": True}
]
TASK: dict[str, Any] = {
    "name": "swapped",
    "robot": "cartpole",
    "history": 2,
    "observations": {"policy": {"x": "joint_pos", "stage": "stage", "past": "prev(joint_pos[0])"}},
    "stages": STAGES,
    "channels": {"task": {"terms": TERMS}},
}
CHANGED = TASK | {"channels": {"task": {"terms": {
    "best": {"expr": "running_max(joint_vel[0])"},
    "slow": {"expr": "ema(joint_vel[0], 0.5)", "weight": 1.0},
    "odd": {"expr": "normalise(joint_vel[0], 0.001)", "scale": "none"},
    "normal": {"expr": "normalise(joint_pos[0], 0.001)", "scale": "none", "weight": 3.0},
}}}}


def task(data: dict[str, Any]) -> Task:
    return convert(data, Task, "example")


def make(data: dict[str, Any], n: int = 4) -> VectorEnv:
    env = VectorEnv(task(data), ROBOT, n, threads=1)
    env.reset(seed=0)
    return env


def run(env: VectorEnv, steps: int, seed: int) -> list[dict[str, Any]]:
    """What is seen in each of some steps with random actions."""
    rng, seen = np.random.default_rng(seed), []
    for _ in range(steps):
        env.step(rng.uniform(-1, 1, env.action.shape).astype(np.float32))
        raw = dict(zip(env.term_names, env.raw.T.copy(), strict=True))
        seen.append(raw | {"observations": env.observations.copy(), "stage": env.stage})
    return seen


def test_a_swapped_program_goes_on_as_if_it_had_always_run() -> None:
    env, same, always = make(TASK), make(TASK), make(CHANGED)
    env.set_params({"slow.weight": 5.0})
    for e in (env, same, always):
        run(e, 6, seed=1)
    before, velocity = env.observations.copy(), env.signal("joint_vel")[:, 0].astype(np.float32)
    carried = env.swap_program(task(CHANGED))
    np.testing.assert_array_equal(env.observations, before)
    assert set(carried.kept) == {"ema(joint_vel)", "machine()", "count_steps()", "prev(joint_pos)"}
    assert carried.seeded == ("running_max(joint_vel)",) and carried.dropped == ("delta(joint_vel)",)
    assert env.params[env.program.params["task.slow.weight"].index] == 5.0
    got, plain, wanted = run(env, 3, seed=2), run(same, 3, seed=2), run(always, 3, seed=2)
    for here, there, new in zip(got, plain, wanted, strict=True):
        for name in ("task.slow", "task.normal", "observations", "stage"):
            np.testing.assert_array_equal(here[name], there[name], err_msg=name)
        np.testing.assert_array_equal(here["task.slow"], new["task.slow"])
        assert here["stage"].dtype == np.int32 and (here["stage"] == 1).all()
    assert (got[-1]["task.best"] >= velocity).all()
    assert not np.array_equal(got[0]["task.odd"], wanted[0]["task.odd"])  # its statistics are new


def test_a_swap_changes_what_is_paid_and_nothing_of_the_simulation() -> None:
    env, plain = make(TASK), make(TASK)
    for e in (env, plain):
        run(e, 3, seed=1)
    env.swap_program(task(CHANGED))
    run(env, 3, seed=2), run(plain, 3, seed=2)
    np.testing.assert_array_equal(env.batch.state, plain.batch.state)
    assert env.task.channels["task"].terms.keys() == {"best", "slow", "odd", "normal"}
    other = make(CHANGED)
    other.load_state_dict(env.state_dict())
    np.testing.assert_array_equal(run(other, 1, seed=3)[0]["task.best"], run(env, 1, seed=3)[0]["task.best"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"history": 1}, "swapped: history: expected what the running task says"),
        ({"signals": [{"name": "one", "values": [1.0]}]}, "swapped: signals: expected what the running task says"),
        ({"gates": {"place": "terminal"}}, "swapped: gates: expected what the running task says"),
        ({"channels": {"task": {"terms": TERMS, "gamma": 0.5}}}, "channels.task.gamma: .* start a new training for it"),
        ({"channels": {"task": {"terms": TERMS, "gate": {"threshold": 0.5}}}}, "channels.task.gate: expected what"),
        ({"channels": {"other": {"terms": TERMS}}}, "channel names: expected those .*, task, got other"),
        ({"observations": {"policy": {"x": "joint_pos"}}}, "observation layout: expected those of the running"),
        ({"channels": {"task": {"terms": {"a": {"expr": "jiont_pos[0]"}}}}}, "did you mean 'joint_pos'"),
    ],
)
def test_a_task_that_is_another_one_is_refused_and_the_old_one_goes_on(change: dict[str, Any], message: str) -> None:
    env, plain = make(TASK), make(TASK)
    with pytest.raises(SpecError, match=message):
        env.swap_program(task(TASK | change))
    np.testing.assert_array_equal(run(env, 2, seed=1)[-1]["task.slow"], run(plain, 2, seed=1)[-1]["task.slow"])


def test_what_a_gate_waits_for_may_change() -> None:
    waiting, other = ({"task": {"terms": TERMS, "gate": {"when": f"joint_pos[0] > {x}"}}} for x in (1e3, -1e3))
    env = make(TASK | {"channels": waiting})
    env.swap_program(task(TASK | {"channels": other}))
    run(env, 1, seed=1)
    assert env.outputs["conditions"].all()


def test_a_swap_needs_running_episodes() -> None:
    env = VectorEnv(task(TASK), ROBOT, 2, threads=1)
    with pytest.raises(RuntimeError, match="swap_program: call reset first"):
        env.swap_program(task(CHANGED))


PER_ENV = TASK | {
    "params": {"level": {"value": 0.5, "unit": "rad", "low": 0.0, "high": 2.0, "per_env": True}},
    "channels": {"task": {"terms": {"level": {"expr": "0 * joint_pos[0] + level", "scale": "none"}}}},
    "schedules": {"level": {"from": 0.5, "to": 1.5, "start": 0.0, "end": 100.0}},
}


def test_a_parameter_may_have_a_value_for_each_environment() -> None:
    env = make(PER_ENV)
    assert run(env, 1, seed=1)[0]["task.level"].tolist() == [0.5] * 4
    env.set_params({"level": [0.0, 0.5, 1.0, 2.0]})
    assert run(env, 1, seed=1)[0]["task.level"].tolist() == [0.0, 0.5, 1.0, 2.0]
    other = make(PER_ENV)
    other.load_state_dict(env.state_dict())
    assert run(other, 1, seed=2)[0]["task.level"].tolist() == [0.0, 0.5, 1.0, 2.0]
    env.swap_program(task(PER_ENV | {"description": "the same"}))
    assert run(env, 1, seed=2)[0]["task.level"].tolist() == [0.0, 0.5, 1.0, 2.0]
    env.follow_schedules(50)
    assert run(env, 1, seed=2)[0]["task.level"].tolist() == [1.0] * 4
    for wrong, message in (
        ({"level": [0.0, 1.0]}, r"level: expected one number or \(4,\), got \(2,\)"),
        ({"level": [0.0, 1.0, 2.0, 3.0]}, r"level: expected a value in \[0, 2\] rad, got 3"),
        ({"level": [0.0, 1.0, 2.0, np.nan]}, "level: expected a finite number"),
        ({"level.weight": [1.0] * 4}, r"level.weight: expected one number, got \(4,\); it is not per_env"),
    ):
        with pytest.raises(SpecError, match=message):
            env.set_params(wrong)
    assert run(env, 1, seed=2)[0]["task.level"].tolist() == [1.0] * 4
