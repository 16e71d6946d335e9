"""Rewards to measure: the twelve-term legged reward over rows of 100 numbers, and a task of forty
terms.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ... import _core
from ...program import CompiledTask, compile_task
from ...spec import Signal, Task, convert
from .bound import TimedProgram

DT = 0.02
Floats = NDArray[np.float32]
LEGS = ("FL", "FR", "RL", "RR")
JOINTS = tuple(f"{leg}_{part}" for leg in LEGS for part in ("hip", "thigh", "calf"))
LOWER = (-0.8, -0.9, -2.6) * 4
UPPER = (0.8, 1.9, -0.7) * 4
DEFAULT = (0.1, 0.8, -1.5) * 4


def _joints(name: str, unit: str, values: tuple[float, ...] = ()) -> Signal:
    return Signal(name, axis="joints", labels=JOINTS, unit=unit, source="rows", values=values)


ROW = (
    Signal("base_lin_vel", "vector", 3, unit="m/s", frame="body", source="rows"),
    Signal("base_ang_vel", "vector", 3, unit="rad/s", frame="body", source="rows"),
    Signal("gravity_dir", "vector", 3, frame="body", source="rows"),
    Signal("command", "vector", 3, unit="m/s, m/s, rad/s", source="rows"),
    _joints("joint_pos", "rad"),
    _joints("joint_vel", "rad/s"),
    _joints("last_joint_vel", "rad/s"),
    _joints("joint_torque", "N m"),
    _joints("action", "1"),
    _joints("last_action", "1"),
    Signal("foot_force", "vector", 3, axis="feet", labels=LEGS, unit="N", source="rows"),
    Signal("air_time", axis="feet", labels=LEGS, unit="s", source="rows"),
)
"""The signals of a row, side by side: 100 float32."""

CONSTANTS = (
    _joints("joint_lower", "rad", LOWER),
    _joints("joint_upper", "rad", UPPER),
    _joints("default_joint_pos", "rad", DEFAULT),
)
COLUMNS = {
    s.name: slice(sum(t.lanes for t in ROW[:i]), sum(t.lanes for t in ROW[: i + 1])) for i, s in enumerate(ROW)
}
WIDTH = sum(s.lanes for s in ROW)

REWARD = ("raw", "weighted", "channels")
"""What every side writes."""

SCALES = {"base_ang_vel": 0.5, "gravity_dir": 0.2, "joint_torque": 10.0, "foot_force": 60.0, "air_time": 0.4}
"""Standard deviations of drawn signals; 1 where none is given."""


def compile_reward(name: str) -> CompiledTask:
    """Return the program of `name`.toml in this folder over the signals of a row."""
    path = Path(__file__).parent / f"{name}.toml"
    task = convert(tomllib.loads(path.read_text(encoding="utf-8")), Task, str(path))
    return compile_task(task, {s.name: s for s in (*ROW, *CONSTANTS)}, dt=DT)


def load_reward(name: str) -> CompiledTask:
    """Return the same program with raw and weighted terms and their sum only."""
    return compile_reward(name).only(REWARD)


def draw_rows(n: int) -> Floats:
    """Return `n` rows `[n, 100]` as a robot in motion would give them, always the same ones."""
    rows = np.random.default_rng(0).standard_normal((n, WIDTH), dtype=np.float32)
    for name, scale in SCALES.items():
        rows[:, COLUMNS[name]] *= np.float32(scale)
    rows[:, COLUMNS["joint_pos"]] = np.array(DEFAULT, np.float32) + 0.3 * rows[:, COLUMNS["joint_pos"]]
    rows[:, COLUMNS["command"]] *= rows[:, [0]] > -1
    rows[:, COLUMNS["air_time"]] = np.abs(rows[:, COLUMNS["air_time"]])
    return rows


def legged_weights() -> Floats:
    """Return the weights of the twelve terms times the control step, float32 [12]."""
    program = load_reward("legged")
    weights: Floats = program.defaults[: len(program.term_names)] * np.float32(DT)
    return weights


def bind_rows(
    program: CompiledTask, rows: Floats, threads: int = 1, core: _core.Program | None = None
) -> TimedProgram:
    """Return the program bound to the columns of `rows` `[N, 100]`, read in place; `core` instead of its own build."""
    signals = {name: rows[:, columns] for name, columns in COLUMNS.items()}
    return TimedProgram(program, signals, threads, core or program.build())
