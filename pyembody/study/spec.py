"""Study files: which task, which arms, which seeds, how long."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from ..spec.errors import SpecError, unknown
from ..spec.files import read_toml
from ..spec.load import convert, load_task

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
    that (see `Offline`). `log_of` names the arm whose run of the same seed is read as `train.reward_log`. `seeds`
    and `variant` replace those of the study. `varies` is the arm that this one is made of by `vary`. An arm with
    `skills_of` acts through the skills that the named arm learnt with the same seed, each for `every` steps.
    """

    title: str
    task: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    weight: Weight | Literal["tuned"] = 1.0
    log_of: str = ""
    data: str = ""
    seeds: tuple[Annotated[int, Meta(ge=0)], ...] = ()
    variant: str = ""
    varies: str = ""
    skills_of: str = ""
    every: Count = 10


class Cover(Struct, frozen=True, forbid_unknown_fields=True):
    """How skills are judged: where a thing goes, on a grid of `cells` by `cells` between `low` and `high` (m).

    `skills` of them, spread over the prior, share the study's episodes. `signal` is the thing's position, whose first
    two numbers count; `unsafe` the metric whose mean over the steps is 0 if all were safe. A skill moves the thing if
    its way is longer than `moved_m` in the mean.
    """

    signal: str
    low: tuple[float, float]
    high: tuple[float, float]
    cells: Count = 20
    skills: Count = 32
    unsafe: str = "unsafe"
    moved_m: Annotated[float, Meta(gt=0)] = 0.05


class Vary(Struct, frozen=True, forbid_unknown_fields=True):
    """Each weight of `channels` in turn times each of the `factors`, an arm more for each of the `arms`, on `seeds`."""

    channels: Annotated[tuple[str, ...], Meta(min_length=1)]
    factors: Annotated[tuple[Annotated[float, Meta(gt=0)], ...], Meta(min_length=1)]
    arms: tuple[str, ...]
    seeds: Seeds


class Contrast(Struct, frozen=True, forbid_unknown_fields=True):
    """`arm` minus `against` in a `metric` (`success` and, with `vary`, `front` too), paired by seed."""

    arm: str
    against: str
    metric: str = "success"


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
    shown of it (default: all). With `data` the file's arms learn offline, each from every kind. `cover` judges skills
    too, `vary` adds arms with other weights, `contrasts` are told with their intervals.
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
    cover: Cover | None = None
    vary: Vary | None = None
    contrasts: tuple[Contrast, ...] = ()


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
    return varied(study)


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


def varied(study: Study) -> Study:
    """Return a study with one more arm for each arm, channel and factor of `vary`. Raises SpecError."""
    if study.vary is None or any(arm.varies for arm in study.arms.values()):
        return study
    arms = dict(study.arms)
    for name in study.vary.arms:
        for key, weights in _weights(study, study.vary, study.arms[name]).items():
            arms[f"{name}-{key}"] = _changed(study.vary, study.arms[name], name, key, weights)
    return replace(study, arms=arms)


def _weights(study: Study, vary: Vary, arm: Arm) -> dict[str, tuple[str, float]]:
    """Channel and weight of each change, by its name such as `reach-x0.1`."""
    channels = load_task(study.task, study.variant, changes=arm.task, remove=arm.remove).channels
    for channel in vary.channels:
        if channel not in channels:
            raise unknown(f"study {study.name}: vary.channels", "channel", channel, channels)
    return {f"{c}-x{f:g}": (c, f * channels[c].weight) for c in vary.channels for f in vary.factors}


def _changed(vary: Vary, arm: Arm, name: str, key: str, weight: tuple[str, float]) -> Arm:
    channels = dict(arm.task.get("channels", {}))
    channels[weight[0]] = channels.get(weight[0], {}) | {"weight": weight[1]}
    log = f"{arm.log_of}-{key}" if arm.log_of in vary.arms else arm.log_of
    task, title = arm.task | {"channels": channels}, f"{arm.title}, {key}"
    return replace(arm, title=title, task=task, log_of=log, seeds=vary.seeds, varies=name)


def check_study(study: Study, place: str) -> None:
    """Raise SpecError where a study names an arm that it does not have."""
    if not study.arms:
        raise SpecError(f"{place}: arms: expected at least one")
    named = {f"preconditions[{i}].arm": p.arm for i, p in enumerate(study.preconditions)}
    named |= {f"arms.{k}.log_of": arm.log_of for k, arm in study.arms.items() if arm.log_of}
    for i, contrast in enumerate(study.contrasts):
        named |= {f"contrasts[{i}].arm": contrast.arm, f"contrasts[{i}].against": contrast.against}
    named |= {f"arms.{k}.skills_of": arm.skills_of for k, arm in study.arms.items() if arm.skills_of}
    if study.vary is not None:
        named |= {f"vary.arms[{i}]": arm for i, arm in enumerate(study.vary.arms)}
    if study.sweep is not None:
        named |= {f"sweep.arms[{i}]": arm for i, arm in enumerate(study.sweep.arms)}
    for key, arm in named.items():
        if arm not in study.arms:
            raise unknown(f"{place}: {key}", "arm", arm, study.arms)
    for key, one in study.arms.items():
        if one.weight == "tuned" and (study.sweep is None or key not in study.sweep.arms):
            raise SpecError(f"{place}: arms.{key}.weight: 'tuned' expects the arm among sweep.arms")
