"""The signals that a robot, its scene and the environment provide together: what a task may ask for."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from ..spec.errors import SpecError
from ..spec.robot import Robot
from ..spec.signal import Signal
from ..spec.task import Task
from .commands import CommandSource, GaitClock
from .skills import SkillSource


def provided_signals(
    robot: Robot, task: Task, constants: Mapping[str, tuple[float, ...]] | None = None
) -> dict[str, Signal]:
    """Return every signal of a robot-task pair by name. `constants` gives values known once the model is built.

    Raises SpecError where the task's scene and the robot both provide a name.
    """
    table = robot.signal_table()
    for signal in task.signals:
        if signal.name in table:
            raise SpecError(f"{task.name}: signals.{signal.name}: robot {robot.name} provides a signal of this name")
        table[signal.name] = signal
    for name, values in (constants or {}).items():
        table[name] = replace(table[name], source="", values=values)
    signals = [Signal("action", axis="joints", labels=robot.joints), Signal("truncated", "bool")]
    if task.command is not None:
        signals += CommandSource.signals()
    if task.skills is not None:
        signals += SkillSource.signals(task.skills)
    if task.clock is not None and robot.feet:
        if len(task.clock.offsets) != len(robot.feet):
            raise SpecError(
                f"{task.name}: clock.offsets: expected {len(robot.feet)} entries, one per foot of {robot.name},"
                f" got {len(task.clock.offsets)}"
            )
        if task.command is None:
            raise SpecError(f"{task.name}: clock: expected a [command] table too: the clock rests while it is zero")
        signals += GaitClock.signals(robot.feet)
    flat = task.terrain.kind == "flat"
    if robot.base:
        signals.append(Signal("ground_height", unit="m", values=(0.0,) if flat else ()))
    if robot.feet:
        zeros = (0.0,) * len(robot.feet) if flat else ()
        signals.append(Signal("foot_ground", axis="feet", labels=robot.feet, unit="m", values=zeros))
    table.update({s.name: s for s in signals})
    return table
