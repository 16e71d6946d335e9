"""A task on a robot, as a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..program import CompiledTask
    from ..spec import Robot, Task


def compile_pair(task: Task, robot: Robot) -> CompiledTask:
    """Return the program of a task on a robot; nothing is simulated or written.

    Raises SpecError naming the pair and what the robot does not provide.
    """
    from ..envs.provided import provided_signals
    from ..program import compile_task
    from ..spec import SpecError

    try:
        signals = provided_signals(robot, task)
        return compile_task(task, signals, dt=robot.control.control_dt, mirror=robot.mirror)
    except SpecError as error:
        raise SpecError(f"{task.name} on {robot.name}: {error}", error.code) from None


def summary(what: str, program: CompiledTask) -> str:
    """Return the size of a program in one line."""
    observations = sum(block.width for block in program.observation_layout.get("policy", ()))
    return (
        f"{what}: {_count(len(program.term_names), 'term')} in {_count(len(program.channel_names), 'channel')}, "
        f"{_count(observations, 'observation')}, {_count(len(program.inputs), 'signal')} read, "
        f"a step of {program.dt:g} s"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
