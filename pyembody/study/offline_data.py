"""What arms that learn offline need before they start: datasets, their models, and how far these can be trusted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from ..data import Dataset, Recorder
from ..data.gather import Noisy, gather, uniform
from ..data.header import HEADER
from ..envs import VectorEnv
from ..learn import RunSpec, create_run, load_policy, train
from ..learn.runner import task_env
from ..spec import Robot, SpecError, Task, load_mbpo, load_robot, load_task, load_train
from ..spec.files import write_atomic
from ..world import FitSettings, WorldModel, fit_model
from ..world.credible import reward_model
from ..world.judge import Curve, choosers, curves, judged, ranking
from ..world.reward_files import SPEC, load_reward
from ..world.task_dataset import TaskDataset
from ..world.task_state import TaskState
from .spec import Data, Study

SEED, ROWS, BLOCK = 0, 32, 40
NOISE = {"medium": 0.2, "narrow": 0.05}
"""Standard deviation of the noise on a policy's actions."""
JUDGED_STEPS, JUDGED_WINDOWS = 30, 100
MODELS = "models.json"


class Trust(msgspec.Struct, frozen=True):
    """How a model does on data of another policy: errors of open loops, areas under ranking curves."""

    judged_on: str
    open_loop: dict[str, Curve]
    ranking: dict[str, float]


def prepare_data(study: Study, out: Path) -> None:
    """Make what is missing of the study's datasets and models below `out`; a stopped one goes on. Raises SpecError."""
    if not study.data:
        return
    wanted = study.data
    task = load_task(study.task, study.variant)
    robot = load_robot(study.robot or task.robot)
    env = VectorEnv(task, robot, 1)
    datasets = {kind: TaskDataset(_dataset(study, wanted, kind, task, robot, out), env) for kind in wanted.kinds}
    names = TaskState(env, load_mbpo(study.task, study.variant).signals, "mbpo: signals").names
    judged_too = any(arm.train.get("choose") == "credible" for arm in study.arms.values())
    models = {
        kind: _model(wanted, dataset, names, out / "models" / kind, judged_too) for kind, dataset in datasets.items()
    }
    if (out / MODELS).exists():
        return
    found = {}
    for kind, model in models.items():
        other = next((k for k in ("mixed", "medium", *wanted.kinds) if k in datasets and k != kind), kind)
        found[kind] = _trust(model, out / "models" / kind, other, datasets[other])
    write_atomic(out / MODELS, msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")


def _dataset(study: Study, wanted: Data, kind: str, task: Task, robot: Robot, out: Path) -> Path:
    folder = out / "data" / kind
    if (folder / HEADER).exists():
        return folder
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    if kind == "mixed":
        _behave(study, task, robot, out, 1.0, part, wanted.steps)
    else:
        env = VectorEnv(task, robot, ROWS, seed=SEED)
        policy: Any = uniform(env.action.shape[1], SEED)
        if kind != "random":
            share = 0.5 if kind == "medium" else 1.0
            policy = Noisy(load_policy(_behave(study, task, robot, out, share)), NOISE[kind], SEED)
        gather(env, policy, part, wanted.steps, kind=kind, source=kind, seed=SEED)
    part.rename(folder)
    return folder


def _behave(
    study: Study, task: Task, robot: Robot, out: Path, share: float, record: Path | None = None, steps: int = 0
) -> Path:
    """A run of the task's own training, of a share of its iterations; `record` keeps blocks of all of it, `steps` in
    all.
    """
    config = load_train(study.task, study.variant)
    run = create_run(task, robot, replace(config, workers=1), SEED, out=out / "behaviour")
    assert study.data is not None
    count = max(1, round(share * (study.data.behaviour or config.iterations)))
    if record is None:
        return train(run, iterations=count, progress=False)
    recorders: list[Recorder] = []

    def recorded(spec: RunSpec, envs: int, threads: int, first: int) -> Any:
        env = task_env(spec, envs, threads, first)
        blocks = max(1, steps // (ROWS * BLOCK))
        every = max(1, count * config.horizon // (blocks * BLOCK))
        recorders.append(Recorder(env, record, kind="mixed", source="training", seeds=(SEED,), every=every, steps=BLOCK,
                                  rows=min(ROWS, envs)))
        return env

    try:
        return train(run, iterations=count, progress=False, make_env=recorded)
    finally:
        for recorder in recorders:
            recorder.close()


def _model(wanted: Data, dataset: Dataset, names: Sequence[str], folder: Path, judged_too: bool) -> WorldModel:
    """Fit a model of what the task reads, and its dynamics reward if an arm asks for that."""
    settings = msgspec.convert({"members": 5, "elites": 3} | wanted.model, FitSettings)
    model = fit_model(dataset, folder, settings, names)
    if judged_too and not (folder / SPEC).exists():
        reward_model(dataset, model, folder, seed=SEED)
    return model


def _trust(model: WorldModel, folder: Path, other: str, dataset: Dataset) -> Trust:
    threads = len(os.sched_getaffinity(0))
    reward = load_reward(folder, model.spec)[1] if (folder / SPEC).exists() else None
    ways = choosers(model, SEED, threads) | (judged(model, reward, SEED, threads) if reward is not None else {})
    told = ranking(model, dataset.transitions(model.names), reward, SEED, threads)
    try:
        windows = dataset.windows(JUDGED_STEPS, JUDGED_WINDOWS, SEED, model.names)
    except SpecError:  # a robot that falls at once leaves no stretch that long
        return Trust(other, {}, told)
    return Trust(other, curves(model, windows, ways), told)
