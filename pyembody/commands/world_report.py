"""What `pyembody world report` shows of a model and a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..world import WorldModel
    from ..world.judge import Curve, OneStep


@dataclass(frozen=True)
class Judgement:
    """Figures of a model on a dataset: of single steps, of how errors grow, and of what tells large errors."""

    one_step: OneStep
    open_loop: dict[str, Curve]
    ranking: dict[str, float]


def judge_model(
    folder: Path, model: WorldModel, path: Path, steps: int, windows: int, rows: int, seed: int
) -> Judgement:
    """Return the figures, also of the dynamics reward if the model has one.

    Raises SpecError for a dataset of another robot or without the model's signals.
    """
    import os

    import numpy as np

    from ..world.judge import choosers, curves, judged, one_step, ranking
    from ..world.reward_files import SPEC, load_reward
    from ..world.task_dataset import open_dataset

    dataset = open_dataset(path, model.names)
    check_alike(model, dataset.header.robot, dataset.header.actions, path)
    threads = len(os.sched_getaffinity(0))
    transitions = dataset.transitions(model.names)
    drawn = np.random.default_rng(seed).permutation(len(transitions))[:rows]
    some = transitions.rows(drawn)
    reward = load_reward(folder, model.spec)[1] if (folder / SPEC).exists() else None
    ways = choosers(model, seed, threads) | (judged(model, reward, seed, threads) if reward is not None else {})
    stretches = dataset.windows(steps, windows, seed, model.names)
    return Judgement(one_step(model, some, threads), curves(model, stretches, ways),
                     ranking(model, some, reward, seed, threads))


def check_alike(model: WorldModel, robot: str, actions: int, path: Path) -> None:
    """Raise SpecError unless a dataset is of the model's robot."""
    from ..spec.errors import SpecError

    if (robot, actions) != (model.spec.robot, model.spec.actions):
        raise SpecError(f"{path}: expected a dataset of {model.spec.robot} with {model.spec.actions} actions, "
                        f"got {robot} with {actions}")
