"""The whole language in an environment: stages, learned signals, running moments, schedules, guards, truncation."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from pyembody.analysis import evaluate
from pyembody.envs import VectorEnv
from pyembody.spec import SpecError, Task, convert, load_robot

ROBOT = load_robot("cartpole")
TASK = {
    "name": "stages",
    "robot": "cartpole",
    "episode": {"length_s": 1.0},
    "observations": {"policy": {"x": "joint_pos", "stage": "stage"}},
    "learned": {"progress": {"low": 0.0, "high": 1.0, "max_age": 0.05}},
    "stages": [
        {"name": "wait", "until": "time >= 0.1", "reward": 3.0},
        {"name": "go", "until": "time >= 0.2"},
        {"name": "end", "timeout_s": 100.0, "on_fail": "wait"},
    ],
    "channels": {
        "task": {
            "terms": {
                "late": {"expr": "num(stage == 'go')", "scale": "none"},
                "progress": {"expr": "learned('progress')", "scale": "none"},
                "normal": {"expr": "normalise(joint_pos[0], 0.001)", "scale": "none"},
                "end": {"expr": "num(truncated)", "scale": "event", "weight": 2.0},
            }
        }
    },
    "schedules": {"late.weight": {"from": 1.0, "to": 5.0, "start": 0.0, "end": 100.0}},
}


def make(n: int = 4, **edits: Any) -> VectorEnv:
    """Environments of the example task, with some of its keys changed."""
    env = VectorEnv(convert(TASK | edits, Task, "example"), ROBOT, n, threads=1)
    env.reset(seed=0)
    return env


def run(env: VectorEnv, steps: int) -> list[dict[str, Any]]:
    """Raw terms and stages of some steps."""
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(steps):
        env.step(rng.uniform(-1, 1, env.action.shape).astype(np.float32))
        seen.append({"raw": env.raw.copy(), "stage": env.outputs["stage"].copy(), "params": env.params.copy()})
    return seen


def test_stages_pay_and_are_observed() -> None:
    env = make()
    steps = run(env, 12)
    k = env.term_names.index("task.stages")
    paid = [s["raw"][0, k] for s in steps]
    assert sum(paid) == 3
    first = paid.index(3)
    assert [s["stage"][0, 0] for s in steps[: first + 2]] == [0] * first + [1, 1]
    assert [s["raw"][0, 0] for s in steps[: first + 2]] == [0] * (first + 1) + [1]
    assert env.observations[0, -1] == steps[-1]["stage"][0, 0]


def test_learned_signal_pays_until_it_is_too_old() -> None:
    env = make()
    env.set_learned("progress", np.full(4, 0.5))
    paid = [s["raw"][0, 1] for s in run(env, 6)]
    fresh = int(0.05 / env.control_dt + 1e-6)
    assert paid == [0.5] * fresh + [0.0] * (6 - fresh)
    with pytest.raises(SpecError, match="did you mean 'progress'"):
        env.set_learned("progres", np.zeros(4))
    with pytest.raises(ValueError, match=r"learned.progress: expected \(4,\), got \(3,\)"):
        env.set_learned("progress", np.zeros(3))


def test_moments_follow_the_rows_unless_frozen() -> None:
    env, frozen = make(), make()
    frozen.frozen_statistics = True
    moved, still = run(env, 3), run(frozen, 3)
    mean = list(env.program.params).index("normalise.1.mean")
    assert moved[-1]["params"][mean] != 0
    assert still[-1]["params"][mean] == 0


def test_an_evaluation_normalises_as_the_training_did() -> None:
    env = make()

    class Trained:
        """A policy that came from a checkpoint."""

        statistics = np.array([[100.0], [0.25], [400.0]])

        def __call__(self, observations: np.ndarray) -> np.ndarray:
            return np.zeros((len(observations), 1), np.float32)

    evaluate(env, Trained(), 2, (0,))
    names = [f"normalise.1.{what}" for what in ("mean", "std")]
    assert [env.params[env.program.params[n].index] for n in names] == [0.25, 2.0]
    with pytest.raises(SpecError, match=r"statistics: expected \(3, 1\), a column for each 'normalise', got \(3, 2\)"):
        env.load_statistics(np.zeros((3, 2)))


def test_a_learned_signal_of_another_version_is_refused() -> None:
    learned = {"progress": TASK["learned"]["progress"] | {"version": "2"}}
    env, other, plain = make(learned=learned), make(learned=learned), make()
    env.set_learned("progress", np.zeros(4), version="2")
    for wrong in ("1", ""):
        with pytest.raises(SpecError, match=f"learned.progress: version: expected '2', got '{wrong}'"):
            env.set_learned("progress", np.zeros(4), version=wrong)
    other.load_state_dict(env.state_dict())
    for here, saved, expected, got in ((env, plain, "2", ""), (plain, env, "", "2")):
        with pytest.raises(SpecError, match=f"learned.progress: version: expected '{expected}', got '{got}'"):
            here.load_state_dict(saved.state_dict())


def test_saved_environments_go_on_with_the_same_bits() -> None:
    env, other = make(), make()
    env.set_learned("progress", np.linspace(0, 1, 4))
    run(env, 5)
    other.load_state_dict(env.state_dict())
    for a, b in zip(run(env, 5), run(other, 5), strict=True):
        for name, array in a.items():
            np.testing.assert_array_equal(array, b[name])


def test_truncation_is_known_to_terms_in_its_own_step() -> None:
    env = make()
    steps = round(1.0 / env.control_dt)
    paid = [s["raw"][0, 3] for s in run(env, steps)]
    assert paid == [0.0] * (steps - 1) + [1.0]


def test_scheduled_weight_follows_the_steps_trained() -> None:
    env = make()
    weight = list(env.program.params).index("task.late.weight")
    for steps, value in ((0, 1.0), (50, 3.0), (500, 5.0)):
        env.follow_schedules(steps)
        assert env.params[weight] == value
        assert env.scheduled == {"task.late.weight": value}


@pytest.mark.parametrize(("guard", "ends"), [("terminate", True), ("zero", False)])
def test_guard_says_whether_a_bad_number_ends_the_episode(guard: str, ends: bool) -> None:
    bad = {"task": {"terms": {"bad": {"expr": "log(-1 - square(joint_pos[0]) * 0)"}}}}
    env = make(guard=guard, channels=bad, schedules={})
    *_, terminated, _, _ = env.step(np.zeros(env.action.shape, np.float32))
    assert terminated.all() == ends


def test_guard_may_raise_and_names_the_term() -> None:
    bad = {"task": {"terms": {"bad": {"expr": "log(-1 - square(joint_pos[0]) * 0)"}}}}
    env = make(guard="raise", channels=bad, schedules={})
    with pytest.raises(FloatingPointError, match="task.bad: not finite in environment 0, step 1"):
        env.step(np.zeros(env.action.shape, np.float32))


def test_normalised_observations_are_refused() -> None:
    with pytest.raises(SpecError, match="the learner normalises observations itself"):
        make(observations={"policy": {"x": "normalise(joint_pos[0], 0.1)"}})


def test_a_task_with_everything_keeps_its_meaning_as_json() -> None:
    task = convert(TASK, Task, "example")
    assert msgspec.json.decode(msgspec.json.encode(task), type=Task) == task
