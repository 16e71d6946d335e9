"""What is taught: a task folder's `distill.toml`, and the settings of one distillation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta, Struct, field

from pyembody.plan.behaviour import Behaviour
from pyembody.plan.suite import Suite, behaviours
from pyembody.spec import SpecError, convert, decode, find_folder
from pyembody.spec.files import read_toml, write_atomic
from pyembody.spec.robot import NonNegative, Positive
from pyembody.spec.train import Count
from pyembody.spec.vocabulary import Vocabulary

SETTINGS = "distill.json"
HELD_FROM, HELD_TO = 0.7, 0.8
"""The part of each spread that is never taught, so that the policy can be tested on it."""


class Student(Struct, frozen=True, forbid_unknown_fields=True):
    """`distill.toml`: observations and their `let` names, offsets [low, high] to the tasks' edits by address, and what
    ends an episode of a task that may not fall.
    """

    observations: dict[str, str]
    let: dict[str, str] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    spread: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)


class Distill(Struct, frozen=True, forbid_unknown_fields=True):
    """One distillation: `episodes` of each task by the planner alone, then `rounds` in which the policy acts
    (`episodes_again` of each task each) and the planner says what it would have done. A label is the mean of `planners`
    planners. `steps` gradient steps of `minibatch` rows follow each round, on observations blurred by `blur` of their
    deviation. `seeds` seeds of each task from `first_seed` on are scored at the end; lessons have seeds of their own.
    """

    suite: str
    tasks: tuple[str, ...]
    episodes: Count = 6
    rounds: Annotated[int, Meta(ge=0, le=99)] = 8
    episodes_again: Count = 4
    planners: Count = 1
    steps: Count = 4000
    minibatch: Count = 256
    blur: NonNegative = 0.1
    rate: Positive = 3e-3
    seeds: Annotated[int, Meta(ge=0)] = 10
    first_seed: Annotated[int, Meta(ge=0)] = 0
    seed: int = 0

    def share(self, part: int) -> float:
        """Return how often the policy acts in round `part`: never in the planner's own, by turns in the first half of
        the others, then always.

        Where a policy still falls at once, the turns of the planner keep the episode going.
        """
        return 0.0 if part == 0 else 0.5 if 2 * part <= self.rounds else 1.0

    def lessons(self) -> list[tuple[int, str, int]]:
        """Return (round, task, number) of every episode, in order."""
        return [
            (part, task, number)
            for part in range(self.rounds + 1)
            for number in range(self.episodes_again if part else self.episodes)
            for task in self.tasks
        ]


def load_student(name: str) -> Student:
    """Return the student of a task folder. Raises SpecError naming file and key."""
    path = find_folder("task", name, "distill.toml") / "distill.toml"
    return convert(read_toml(path), Student, str(path))


def read_settings(run: Path) -> Distill:
    """Return the settings of a run. Raises SpecError if it is no distillation."""
    path = run / SETTINGS
    try:
        return decode(Distill, path.read_bytes(), str(path))
    except OSError as error:
        raise SpecError(f"{path}: cannot read: {error.strerror or error}; expected a run of distill") from None


def write_settings(run: Path, settings: Distill) -> None:
    """Write a run's settings. Raises SpecError."""
    write_atomic(run / SETTINGS, msgspec.json.format(msgspec.json.encode(settings)))


def taught(
    vocabulary: Vocabulary, suite: Suite, student: Student, name: str, rng: np.random.Generator, held: bool = False
) -> list[Behaviour]:
    """Return the behaviours of a task's turns with offsets drawn from its spread: outside of the part that is held
    back, or with `held` inside of it.
    """
    legal = vocabulary.addresses()
    offsets = {address: _offset(low, high, rng, held) for address, (low, high) in student.spread.get(name, {}).items()}
    found = []
    for behaviour in behaviours(vocabulary, suite.tasks[name]):
        moved = {
            a: min(max(v + offsets.get(a, 0.0), legal[a].low), legal[a].high) for a, v in behaviour.edits.items()
        }
        found.append(msgspec.structs.replace(behaviour, edits=moved))
    return found


def _offset(low: float, high: float, rng: np.random.Generator, held: bool) -> float:
    place = float(rng.random())
    if held:
        place = HELD_FROM + (HELD_TO - HELD_FROM) * place
    else:
        place *= 1.0 - (HELD_TO - HELD_FROM)
        place += (HELD_TO - HELD_FROM) if place >= HELD_FROM else 0.0
    return low + (high - low) * place
