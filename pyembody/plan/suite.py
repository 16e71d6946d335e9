"""The suite of a task folder: what is said, from where, and when it counts as done; one versioned data file."""

from __future__ import annotations

from msgspec import Struct, field

from ..spec.errors import unknown
from ..spec.files import read_toml
from ..spec.load import convert, data_folder, find_folder
from ..spec.vocabulary import Vocabulary
from .behaviour import Behaviour, BehaviourStage, merge
from .planner import PlannerSettings

Measure = tuple[str, float]


class Turn(Struct, frozen=True, forbid_unknown_fields=True):
    """One sentence, the edits that it means (a preset's first), its stages, and how long it is given."""

    say: str
    limit_s: float
    edits: dict[str, float] = field(default_factory=dict)
    preset: str = ""
    stages: tuple[BehaviourStage, ...] = ()
    planner: str = ""


class SuiteTask(Struct, frozen=True, forbid_unknown_fields=True):
    """A task: its turns, where it starts, and what a window of `window_s` seconds must fulfil; `at_end` the last one.

    `published` is the success rate of the published system on a robot and criteria of its own.
    """

    title: str
    published: float
    turns: tuple[Turn, ...]
    window_s: float
    at_end: bool = False
    may_fall: bool = False
    start_yaw_deg: tuple[float, float] = (0.0, 0.0)
    throughout: dict[str, str] = field(default_factory=dict)
    share: dict[str, Measure] = field(default_factory=dict)
    mean_abs: dict[str, Measure] = field(default_factory=dict)
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


def list_suites() -> list[str]:
    """Return the names of all shipped task folders that have a suite."""
    return sorted(path.parent.name for path in data_folder("tasks").glob("*/suite.toml"))


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
    found, planner = [], "steady"
    for turn in task.turns:
        if turn.preset and turn.preset not in vocabulary.presets:
            raise unknown(task.title, "preset", turn.preset, vocabulary.presets)
        wanted = {**vocabulary.presets.get(turn.preset, {}), **turn.edits}
        edits = merge(vocabulary, edits, wanted)
        planner = turn.planner or planner
        found.append(Behaviour(edits, turn.stages, planner))
    return found
