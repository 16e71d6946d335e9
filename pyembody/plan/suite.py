"""The suite of a task folder: what is said, from where, and when it counts as done; one versioned data file."""

from __future__ import annotations

from msgspec import Struct, field

from ..spec.errors import unknown
from ..spec.files import read_toml
from ..spec.load import convert, find_folder
from ..spec.vocabulary import Vocabulary
from .behaviour import Behaviour, merge
from .planner import PlannerSettings

Measure = tuple[str, float]


class Turn(Struct, frozen=True, forbid_unknown_fields=True):
    """One sentence, the edits that it means (a preset's first) and those that it clears, its skill, and its time."""

    say: str
    limit_s: float
    edits: dict[str, float] = field(default_factory=dict)
    clear: tuple[str, ...] = ()
    preset: str = ""
    skill: str = ""
    planner: str = ""


class SuiteTask(Struct, frozen=True, forbid_unknown_fields=True):
    """A task: its turns, where it starts, and what a window of `window_s` seconds must fulfil; `at_end` the last one.

    `published` is the success rate of the published system on a robot and criteria of its own; an `extra` task has none
    and counts for no mean.
    """

    title: str
    turns: tuple[Turn, ...]
    window_s: float
    published: float = 0.0
    extra: bool = False
    at_end: bool = False
    may_fall: bool = False
    start_yaw_deg: tuple[float, float] = (0.0, 0.0)
    throughout: dict[str, str] = field(default_factory=dict)
    share: dict[str, Measure] = field(default_factory=dict)
    mean: dict[str, Measure] = field(default_factory=dict)
    mean_abs: dict[str, Measure] = field(default_factory=dict)
    correlation: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    gain: dict[str, Measure] = field(default_factory=dict)


class StartNoise(Struct, frozen=True, forbid_unknown_fields=True):
    """Half-width of the uniform noise on starting joint angles."""

    joint_noise_rad: float = 0.0


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


def load_suite(name: str = "quadruped") -> Suite:
    """Return the suite of a task folder. Raises SpecError naming file and key."""
    path = find_folder("task", name, "suite.toml") / "suite.toml"
    suite = convert(read_toml(path), Suite, str(path))
    for task_name, task in suite.tasks.items():
        for turn in task.turns:
            if turn.planner and turn.planner not in suite.planners:
                raise unknown(f"{path}: tasks.{task_name}", "planner", turn.planner, suite.planners)
    return suite


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
