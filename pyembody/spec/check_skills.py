"""Rules between a task's skills, its channels and its observations."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .errors import SpecError, unknown
from .skills import ENCODER, SIGNAL
from .task import Observation, Task


def check_skills(task: Task, place: str) -> None:
    """Raise SpecError for skills that nothing is paid for, that nobody sees, or that cannot be told apart."""
    skills, encoder = task.skills, task.observations.get(ENCODER)
    if skills is None:
        if encoder is not None:
            raise SpecError(f"{place}: observations.{ENCODER}: expected a [skills] table beside it, got a task without")
        return
    if skills.channel not in task.channels:
        raise unknown(f"{place}: skills.channel", "channel", skills.channel, task.channels)
    if skills.diversity == "diayn" and skills.prior != "discrete":
        raise SpecError(f"{place}: skills.prior: expected 'discrete' with diversity = 'diayn', got '{skills.prior}'")
    if not encoder:
        raise SpecError(f"{place}: observations.{ENCODER}: expected what skills are told apart by, got none")
    for group, observations in task.observations.items():
        sees = _reads_skill(task, (_text(o) for o in observations.values()))
        if group == ENCODER and sees:
            raise SpecError(f"{place}: observations.{ENCODER}: expected no '{SIGNAL}': it would be told by itself")
        if group != ENCODER and not sees:
            raise SpecError(f"{place}: observations.{group}: expected one that reads '{SIGNAL}', got none")


def _text(observation: str | Observation) -> str:
    return observation.expr if isinstance(observation, Observation) else observation


def _reads_skill(task: Task, texts: Iterable[str]) -> bool:
    """Whether the skill is named by the texts or by a `let` that they name."""
    words = _words(" ".join(texts))
    while more := {w for name in words & task.let.keys() for w in _words(task.let[name])} - words:
        words |= more
    return SIGNAL in words


def _words(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w*", text))
