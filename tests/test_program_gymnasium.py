"""Eight Gymnasium rewards written as programs pay what the environments pay, component by
component.
"""

from __future__ import annotations

import importlib.util
import sys
import tomllib
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray

from program_twins import CoreRun
from pyembody.program import CompiledTask, compile_task
from pyembody.spec import Signal, Task, convert

STEPS = 300
RELATIVE, ABSOLUTE = 1e-5, 1e-6
FOLDER = Path(__file__).parent / "programs"
ENVIRONMENTS = {
    "ant": "Ant-v5",
    "half_cheetah": "HalfCheetah-v5",
    "hopper": "Hopper-v5",
    "walker2d": "Walker2d-v5",
    "humanoid": "Humanoid-v5",
    "swimmer": "Swimmer-v5",
    "reacher": "Reacher-v5",
    "pusher": "Pusher-v5",
}
Array = NDArray[Any]
Reader = Callable[[Any], Array]


def com(env: Any) -> Array:
    """Centre of mass of the whole model."""
    mass = env.model.body_mass
    result: Array = mass @ env.data.xipos / mass.sum()
    return result


def body(name: str) -> Reader:
    """The position of a named body."""
    return lambda env: env.data.body(name).xpos


def signals_of(env: Any) -> tuple[dict[str, Signal], dict[str, Reader]]:
    """The signals of a Gymnasium environment and how each is read."""
    bodies = tuple(env.model.body(i).name or f"body_{i}" for i in range(env.model.nbody))
    table = {
        name: Signal(name, "vector", width, source="gymnasium")
        for name, width in (
            ("qpos", env.model.nq),
            ("qvel", env.model.nv),
            ("ctrl", env.model.nu),
            ("action", env.model.nu),
            ("torso_pos", 3),
            ("com", 3),
        )
    }
    readers: dict[str, Reader] = {
        "qpos": lambda e: e.data.qpos,
        "qvel": lambda e: e.data.qvel,
        "ctrl": lambda e: e.data.ctrl,
        "action": lambda e: e.data.ctrl,
        "torso_pos": lambda e: e.data.xpos[1],
        "com": com,
        "contact_force": lambda e: e.data.cfrc_ext,
    }
    table["contact_force"] = Signal("contact_force", "vector", 6, "bodies", bodies, source="gymnasium")
    for name in ("fingertip", "target", "object", "tips_arm", "goal"):
        if name in bodies:
            table[name] = Signal(name, "vector", 3, unit="m", frame="world", point=True, source="gymnasium")
            readers[name] = body(name)
    return table, readers


def read(program: CompiledTask, readers: dict[str, Reader], env: Any) -> dict[str, Array]:
    """The environment's present signals, one row."""
    return {s.name: np.array(readers[s.name](env)).reshape(1, -1) for s in program.inputs}


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environments load without the picture library that only their renderer uses."""
    if importlib.util.find_spec("imageio") is None:
        monkeypatch.setitem(sys.modules, "imageio", types.ModuleType("imageio"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_program_pays_what_the_gymnasium_environment_pays(name: str) -> None:
    env = gymnasium.make(ENVIRONMENTS[name])
    inner: Any = env.unwrapped
    table, readers = signals_of(inner)
    task = convert(tomllib.loads((FOLDER / f"{name}.toml").read_text()), Task, name)
    program = compile_task(task, table, dt=inner.dt)
    runs: list[Any] = [program.reference(1), CoreRun(program, 1)]
    env.reset(seed=7)
    env.action_space.seed(7)
    ends = 0
    for run in runs:
        run.reset(read(program, readers, inner), np.ones(1, bool))
    for _ in range(STEPS):
        _, reward, terminated, truncated, info = env.step(env.action_space.sample())
        for run in runs:
            out = run.step(read(program, readers, inner))
            parts = [info[f"reward_{term.split('.')[1]}"] for term in program.term_names]
            np.testing.assert_allclose(out["weighted"][0], parts, rtol=RELATIVE, atol=ABSOLUTE)
            np.testing.assert_allclose(out["channels"].sum(), reward, rtol=RELATIVE, atol=ABSOLUTE)
            assert bool(out["terminated"][0, 0]) == terminated
        if terminated or truncated:
            ends += 1
            env.reset()
            for run in runs:
                run.reset(read(program, readers, inner), np.ones(1, bool))
    env.close()
    assert ends > 0 or name in ("half_cheetah", "swimmer", "ant")
