"""Study files: which task, which arms, which seeds, how long."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from ..spec.errors import SpecError, unknown
from ..spec.files import read_toml
from ..spec.load import convert

FOLDER = Path(__file__).parent / "studies"
STUDY = "study.json"
"""The study as it is run, in the folder of its results."""
Count = Annotated[int, Meta(ge=1)]
Seeds = Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(min_length=1)]
Weight = Annotated[float, Meta(ge=0)]


class Data(Struct, frozen=True, forbid_unknown_fields=True):
    """Datasets of `kinds` with `steps` transitions each, made once, and how a `model` is fitted to each of them.

    Who acts in them was trained for `behaviour` iterations (0: the task's), half of them for `medium`. What a state is
    made of says the task's `[mbpo]`: by default, the signals that it reads.
    """

    kinds: Annotated[tuple[Literal["random", "medium", "mixed", "narrow"], ...], Meta(min_length=1)]
    steps: Annotated[int, Meta(ge=1)] = 10_000
    behaviour: Annotated[int, Meta(ge=0)] = 0
    model: dict[str, Any] = field(default_factory=dict)


class Arm(Struct, frozen=True, forbid_unknown_fields=True):
    """One way of training: `remove` and `task` change the task's tables, `train` the learner's.

    `weight` multiplies the weights of the study's shaping channels; `tuned` takes the best of the study's weights by
    the seeds of its sweep. An arm with `data` learns offline, from that kind alone, and `train` changes what is told to
    that (see `Offline`). `log_of` names the arm whose run of the same seed is read as `train.reward_log`.
    """

    title: str
    task: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    weight: Weight | Literal["tuned"] = 1.0
    log_of: str = ""
    data: str = ""


class Sweep(Struct, frozen=True, forbid_unknown_fields=True):
    """Weights of the shaping channels that `arms` are trained with on seeds of their own."""

    weights: Annotated[tuple[Weight, ...], Meta(min_length=1)]
    seeds: Seeds
    arms: tuple[str, ...] = ()


class Most(Struct, frozen=True, forbid_unknown_fields=True):
    """A precondition: `arm` ends with a success of at most `success`, its shaped return at least `growth` times that
    of a tenth of the budget (0: whatever it does).
    """

    arm: str
    success: float
    growth: float = 0.0


class Study(Struct, frozen=True, forbid_unknown_fields=True):
    """A study of arms on one task and robot (default: the task's own), every one for `iterations` (0: the task's).

    `shaping` are the channels that are means to the end. An evaluation is `episodes` episodes; `metrics` are
    shown of it (default: all). With `data` the file's arms learn offline, each from every kind.
    """

    name: str
    title: str
    task: str
    arms: dict[str, Arm]
    robot: str = ""
    variant: str = ""
    iterations: Annotated[int, Meta(ge=0)] = 0
    seeds: Seeds = (0, 1, 2, 3, 4)
    episodes: Count = 200
    shaping: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    sweep: Sweep | None = None
    preconditions: tuple[Most, ...] = ()
    data: Data | None = None


def list_studies() -> list[str]:
    """Return the names of the shipped studies."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_study(name: str) -> Study:
    """Return a shipped study by name, or the one of a TOML file. Raises SpecError naming file and key."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not name.endswith(".toml") and name not in list_studies():
        raise unknown("studies", "study", name, list_studies())
    study = on_all_data(convert(read_toml(path), Study, str(path)))
    check_study(study, str(path))
    return study


def on_all_data(study: Study) -> Study:
    """Return a study whose arms learn offline with an arm for each kind of data."""
    if study.data is None:
        return study
    arms = {
        f"{name}-{kind}": replace(arm, title=f"{kind}: {arm.title}", data=kind)
        for kind in study.data.kinds
        for name, arm in study.arms.items()
    }
    return replace(study, arms=arms)


def check_study(study: Study, place: str) -> None:
    """Raise SpecError where a study names an arm that it does not have."""
    if not study.arms:
        raise SpecError(f"{place}: arms: expected at least one")
    named = {f"preconditions[{i}].arm": p.arm for i, p in enumerate(study.preconditions)}
    named |= {f"arms.{k}.log_of": arm.log_of for k, arm in study.arms.items() if arm.log_of}
    if study.sweep is not None:
        named |= {f"sweep.arms[{i}]": arm for i, arm in enumerate(study.sweep.arms)}
    for key, arm in named.items():
        if arm not in study.arms:
            raise unknown(f"{place}: {key}", "arm", arm, study.arms)
    for key, one in study.arms.items():
        if one.weight == "tuned" and (study.sweep is None or key not in study.sweep.arms):
            raise SpecError(f"{place}: arms.{key}.weight: 'tuned' expects the arm among sweep.arms")
