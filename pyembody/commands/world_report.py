"""What `pyembody world report` shows of a model and a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..world import WorldModel
    from ..world.judge import Curve, OneStep


def judge(
    model: WorldModel, path: Path, steps: int, windows: int, rows: int, seed: int
) -> tuple[OneStep, dict[str, Curve]]:
    """Return one-step figures and the growth of errors. Raises SpecError for a dataset that the model does not fit."""
    import os

    import numpy as np

    from ..data import Dataset
    from ..world.judge import choosers, curves, one_step

    dataset = Dataset(path)
    check_alike(model, dataset.header.robot, dataset.header.actions, path)
    threads = len(os.sched_getaffinity(0))
    transitions = dataset.transitions(model.names)
    drawn = np.random.default_rng(seed).permutation(len(transitions))[:rows]
    single = one_step(model, transitions.rows(drawn), threads)
    stretches = dataset.windows(steps, windows, seed, model.names)
    return single, curves(model, stretches, choosers(model, seed, threads))


def check_alike(model: WorldModel, robot: str, actions: int, path: Path) -> None:
    """Raise SpecError unless a dataset is of the model's robot."""
    from ..spec.errors import SpecError

    if (robot, actions) != (model.spec.robot, model.spec.actions):
        raise SpecError(f"{path}: expected a dataset of {model.spec.robot} with {model.spec.actions} actions, "
                        f"got {robot} with {actions}")
