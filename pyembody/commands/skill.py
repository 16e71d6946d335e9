"""The option `--skill` of commands that show or judge a policy with skills."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .failure import CommandError

if TYPE_CHECKING:
    from ..envs import VectorEnv
    from ..spec import Task


def hold_skill(env: VectorEnv, text: str) -> None:
    """Hold the skill of `text` in all rows; nothing for an empty one. Raises CommandError."""
    from ..envs.skills import named_skill

    if not text.strip():
        return
    check_skill(env.task, text)
    assert env.task.skills is not None
    env.set_skill(named_skill(env.task.skills, numbers(text)))


def check_skill(task: Task, text: str) -> None:
    """Raise CommandError unless `text` names a skill of the task: its number, or its direction."""
    from ..envs.skills import named_skill

    if not text.strip():
        return
    if task.skills is None:
        raise CommandError(f"--skill: expected a task with [skills], got {task.name}")
    try:
        named_skill(task.skills, numbers(text))
    except ValueError as error:
        raise CommandError(f"--{error}") from None


def numbers(text: str) -> list[float]:
    """Return the numbers of a text, separated by blanks or commas. Raises CommandError."""
    try:
        return [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        raise CommandError(f'--skill: expected numbers such as "0.6 -0.8", got "{text}"') from None
