"""Every task and robot folder that is shipped: complete, legal, and meaning what it meant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from program_twins import CoreRun
from pyembody import spec
from pyembody.analysis.golden import load_golden
from pyembody.envs import make_vec
from pyembody.envs.provided import provided_signals
from pyembody.language import load_language
from pyembody.program import compile_task

TASKS = [(t, v) for t in spec.list_tasks() for v in ("", *spec.list_variants(t))]


@pytest.mark.parametrize("task", spec.list_tasks())
def test_task_folder_is_complete(task: str) -> None:
    folder = spec.find_folder("task", task)
    for name in ("task.toml", "train.toml", "language.toml", "README.md", "golden.json"):
        assert (folder / name).is_file(), name
    load_language(folder / "language.toml")


@pytest.mark.parametrize("robot", spec.list_robots())
def test_robot_folder_is_complete(robot: str) -> None:
    loaded = spec.load_robot(robot)
    assert loaded.model_path.is_file()
    assert (Path(loaded.folder) / "README.md").is_file()
    assert loaded.description


@pytest.mark.parametrize(("task", "variant"), TASKS)
def test_every_variant_runs_on_the_tasks_own_robot(task: str, variant: str) -> None:
    robot = load_golden(spec.find_folder("task", task) / "golden.json").robot
    env = make_vec(task, robot, 2, variant=variant)
    env.reset(seed=0)
    for _ in range(3):
        obs, reward, *_ = env.step(np.zeros_like(env.action))
    assert np.isfinite(obs).all() and np.isfinite(reward).all() and not env.faults


@pytest.mark.parametrize("task", spec.list_tasks())
def test_core_and_twin_give_the_golden_terms(task: str) -> None:
    golden = load_golden(spec.find_folder("task", task) / "golden.json")
    env = make_vec(task, golden.robot, 1)
    n, everyone = len(golden.raw[0]), np.ones(len(golden.raw[0]), bool)
    assert env.term_names == golden.terms
    core, twin = CoreRun(env.program, n), env.program.reference(n)
    assert set(golden.signals) == {s.name for s in env.program.inputs}
    rows = [{name: np.array(steps[t]) for name, steps in golden.signals.items()} for t in range(len(golden.raw) + 1)]
    core.reset(rows[0], everyone)
    twin.reset(rows[0], everyone)
    for signals, expected in zip(rows[1:], golden.raw, strict=True):
        # seven digits are kept of each signal, and accelerations divide a difference of two by the step
        np.testing.assert_allclose(core.step(signals)["raw"], expected, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(twin.step(signals)["raw"], expected, rtol=1e-3, atol=1e-5)


def test_a_task_asks_only_for_what_its_robot_provides() -> None:
    go2, cartpole = spec.load_robot("go2"), spec.load_robot("cartpole")
    velocity, balance = spec.load_task("velocity"), spec.load_task("balance")
    with pytest.raises(spec.SpecError, match="not provided: .*foot_force"):
        compile_task(velocity, provided_signals(cartpole, velocity), dt=0.02)
    with pytest.raises(spec.SpecError, match="not provided: .*pole_angle"):
        compile_task(balance, provided_signals(go2, balance), dt=0.02)
