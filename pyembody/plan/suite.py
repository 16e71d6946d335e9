"""The suite of a task folder: what is said, from where, and when it counts as done; one versioned data file."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field, to_builtins
from msgspec.structs import replace

from ..spec.errors import unknown
from ..spec.files import read_toml
from ..spec.load import convert, data_folder, find_folder
from ..spec.vocabulary import Vocabulary
from .behaviour import Behaviour, merge
from .planner import PlannerSettings

Measure = tuple[str, float]


class Turn(Struct, frozen=True, forbid_unknown_fields=True):
    """One sentence, the edits that it means (a preset's first) and those that it clears, its skill, its time, and what
    must hold at its last tick, unless it is the last turn.
    """

    say: str
    limit_s: float
    edits: dict[str, float] = field(default_factory=dict)
    clear: tuple[str, ...] = ()
    preset: str = ""
    skill: str = ""
    planner: str = ""
    ends: dict[str, str] = field(default_factory=dict)


class Thing(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a thing stands at the start, in m; the radius that it takes up; how high its origin is when it lies on its
    side. Its free joint has its name.
    """

    at: tuple[float, float, float]
    radius: float
    lying_z: float = 0.0


class SuiteTask(Struct, frozen=True, forbid_unknown_fields=True):
    """A task: its turns, where it starts, and what a window of `window_s` seconds must fulfil; `at_end` the last one.

    `published` is the success rate of the published system on a robot and criteria of its own; an `extra` task has none
    and counts for no mean. Seeds take turns among `instances`, whose words stand for `{word}` in every text of the
    task. `lies` names what starts on its side.
    """

    title: str
    turns: tuple[Turn, ...]
    window_s: float
    published: float = 0.0
    extra: bool = False
    at_end: bool = False
    may_fall: bool = False
    start_yaw_deg: tuple[float, float] = (0.0, 0.0)
    lies: str = ""
    instances: tuple[dict[str, str], ...] = ()
    throughout: dict[str, str] = field(default_factory=dict)
    share: dict[str, Measure] = field(default_factory=dict)
    mean: dict[str, Measure] = field(default_factory=dict)
    mean_abs: dict[str, Measure] = field(default_factory=dict)
    correlation: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    gain: dict[str, Measure] = field(default_factory=dict)


class StartNoise(Struct, frozen=True, forbid_unknown_fields=True):
    """Half-widths of the uniform noise on starting joint angles and on where things stand, each turned at random about
    the vertical; things are at least `gap_m` apart.
    """

    joint_noise_rad: float = 0.0
    thing_noise_m: float = 0.0
    gap_m: float = 0.0
    things: dict[str, Thing] = field(default_factory=dict)


class Suite(Struct, frozen=True, forbid_unknown_fields=True):
    """All tasks of a file. `fall` are conditions that end an episode as a failure."""

    version: int
    robot: str
    vocabulary: str
    tasks: dict[str, SuiteTask]
    planners: dict[str, PlannerSettings]
    let: dict[str, str] = field(default_factory=dict)
    fall: dict[str, str] = field(default_factory=dict)
    start: StartNoise = StartNoise()


def list_suites() -> list[str]:
    """Return the names of all shipped task folders that have a suite."""
    return sorted(path.parent.name for path in data_folder("tasks").glob("*/suite.toml"))


def suite_of(task: str) -> str:
    """Return the name of the shipped suite that has a task, the quadruped's if none has."""
    return next((name for name in list_suites() if task in load_suite(name).tasks), "quadruped")


def load_suite(name: str = "quadruped") -> Suite:
    """Return the suite of a task folder. Raises SpecError naming file and key."""
    path = find_folder("task", name, "suite.toml") / "suite.toml"
    suite = convert(read_toml(path), Suite, str(path))
    for task_name, task in suite.tasks.items():
        for turn in task.turns:
            if turn.planner and turn.planner not in suite.planners:
                raise unknown(f"{path}: tasks.{task_name}", "planner", turn.planner, suite.planners)
    return suite


def instance_of(task: SuiteTask, seed: int) -> SuiteTask:
    """Return the task with the words of the instance that is a seed's turn; what is said has spaces for `_`."""
    if not task.instances:
        return task
    words = task.instances[seed % len(task.instances)]
    plain = to_builtins(task)
    plain["instances"] = ()
    filled: SuiteTask = msgspec.convert(_filled(plain, words), SuiteTask)
    turns = tuple(replace(turn, say=turn.say.replace("_", " ")) for turn in filled.turns)
    return replace(filled, turns=turns)


def _filled(value: Any, words: dict[str, str]) -> Any:
    if isinstance(value, str):
        for word, text in words.items():
            value = value.replace(f"{{{word}}}", text)
        return value
    if isinstance(value, dict):
        return {_filled(k, words): _filled(v, words) for k, v in value.items()}
    return [_filled(v, words) for v in value] if isinstance(value, list | tuple) else value


def behaviours(vocabulary: Vocabulary, task: SuiteTask) -> list[Behaviour]:
    """Return what holds after each turn: edits of a turn are merged into those before. Raises SpecError."""
    edits: dict[str, float] = {}
    found, planner, skill = [], "steady", ""
    for turn in task.turns:
        if turn.preset and turn.preset not in vocabulary.presets:
            raise unknown(task.title, "preset", turn.preset, vocabulary.presets)
        wanted = {**dict.fromkeys(turn.clear), **vocabulary.presets.get(turn.preset, {}), **turn.edits}
        edits = merge(vocabulary, edits, wanted)
        planner, skill = turn.planner or planner, turn.skill or skill
        if skill and skill not in vocabulary.skills:
            raise unknown(task.title, "skill", skill, vocabulary.skills)
        found.append(Behaviour(edits, vocabulary.skills.get(skill, ()), planner))
    return found
