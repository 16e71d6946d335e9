"""The pieces of a study: which arm is trained with which seed and weight, and what exactly that trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace

from ..spec import Offline, Robot, Task, Train, load_offline, load_robot, load_task, load_train, spec_hash
from ..spec.errors import unknown
from .spec import Arm, Study

FOLDERS = {"dataset": "data", "model": "models"}
"""Where, in the folder of a study, what `Offline` names is."""


class Piece(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One training of a study. `swept` pieces choose weights and show their effect, the others are compared."""

    arm: str
    seed: int
    weight: float
    swept: bool = False

    @property
    def name(self) -> str:
        """Return the name of its result's file."""
        return f"{self.arm}-{'w' if self.swept else 's'}{self.weight:g}-{self.seed}"


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a piece came to: its last policy's `success` over the evaluation's episodes and their means, and along the
    training steps, success and shaped return per second. `hash` is that of what was trained.
    """

    piece: Piece
    hash: str
    success: float
    metrics: dict[str, float]
    steps: list[int]
    curve: list[float]
    shaped: list[float]
    seconds: float


def plan_pieces(study: Study, done: dict[str, Result]) -> list[Piece]:
    """Return all pieces that can be told by now: sweeps first, tuned arms once their sweep is `done`."""
    pieces = []
    if study.sweep is not None:
        sweep = study.sweep
        pieces = [Piece(a, s, w, True) for a in sweep.arms for w in sweep.weights for s in sweep.seeds]
    return pieces + _compared(study, done, False) + _compared(study, done, True)


def _compared(study: Study, done: dict[str, Result], varies: bool) -> list[Piece]:
    """The pieces that are no sweep's, of the arms that are made of others or of those that are not."""
    pieces = []
    arms = {name: arm for name, arm in study.arms.items() if bool(arm.varies) == varies}
    for seed in dict.fromkeys(s for arm in arms.values() for s in seeds_of(study, arm)):
        for name, arm in arms.items():
            weight = best_weight(study, name, done) if arm.weight == "tuned" else float(arm.weight)
            if weight is not None and seed in seeds_of(study, arm):
                pieces.append(Piece(name, seed, weight))
    return pieces


def seeds_of(study: Study, arm: Arm) -> tuple[int, ...]:
    """Return the seeds of an arm: its own, or the study's."""
    return arm.seeds or study.seeds


def count_pieces(study: Study) -> int:
    """Return how many pieces the study has, those that cannot be told yet included."""
    swept = 0 if study.sweep is None else len(study.sweep.arms) * len(study.sweep.weights) * len(study.sweep.seeds)
    return swept + sum(len(seeds_of(study, arm)) for arm in study.arms.values())


def left_pieces(study: Study, done: dict[str, Result]) -> int:
    """Return how many pieces have no result yet."""
    return count_pieces(study) - sum(piece.name in done for piece in plan_pieces(study, done))


def best_weight(study: Study, arm: str, done: dict[str, Result]) -> float | None:
    """Return the weight of the sweep with the greatest mean success, None while results are missing."""
    if study.sweep is None:
        return None
    mean: dict[float, float] = {}
    for weight in study.sweep.weights:
        names = [Piece(arm, s, weight, True).name for s in study.sweep.seeds]
        if any(n not in done for n in names):
            return None
        mean[weight] = float(np.mean([done[n].success for n in names]))
    return max(mean, key=lambda w: mean[w])


def make_specs(study: Study, piece: Piece, runs: Path) -> tuple[Task, Robot, Train | Offline]:
    """Return what a piece trains. `runs` holds the run folders of other pieces. Raises SpecError."""
    arm = study.arms[piece.arm]
    variant = arm.variant or study.variant
    task = load_task(study.task, variant, changes=arm.task, remove=arm.remove)
    task = _weighted(study, task, piece.weight)
    changes = dict(arm.train)
    if study.iterations:
        changes["iterations"] = study.iterations
    if arm.log_of:
        changes["reward_log"] = str(run_folder(runs, same_seed(study, arm.log_of, piece)))
    robot = load_robot(study.robot or task.robot)
    if arm.data:
        changes |= {kind: str(runs.parent.resolve() / folder / arm.data) for kind, folder in FOLDERS.items()}
        return task, robot, load_offline(study.task, variant, changes=changes)
    return task, robot, load_train(study.task, variant, changes=changes)


def needed_pieces(study: Study, piece: Piece) -> list[Piece]:
    """Return the pieces whose runs `piece` reads: a log, a policy with skills."""
    arm = study.arms[piece.arm]
    return [same_seed(study, name, piece) for name in (arm.log_of, arm.skills_of) if name]


def same_seed(study: Study, arm: str, piece: Piece) -> Piece:
    """Return the piece of `arm` with the seed of `piece`."""
    weight = study.arms[arm].weight
    return Piece(arm, piece.seed, 1.0 if weight == "tuned" else float(weight))


def piece_hash(study: Study, piece: Piece, runs: Path) -> str:
    """Return the hash of what a piece trains and how it is judged; a result with another one is out of date."""
    task, robot, train = make_specs(study, piece, runs)
    log, data = getattr(train, "reward_log", ""), None
    train = replace(train, reward_log=Path(log).name) if log else train  # wherever the study's folder is
    if isinstance(train, Offline):
        data = study.data
        train = replace(train, **{kind: Path(getattr(train, kind)).name for kind in FOLDERS})
    judged = Study("", "", "", {}, episodes=study.episodes, shaping=study.shaping, data=data, cover=study.cover)
    arm = study.arms[piece.arm]
    if arm.skills_of:  # whose skills they are counts too
        doer = same_seed(study, arm.skills_of, piece)
        judged = replace(judged, title=f"{arm.every} steps of {piece_hash(study, doer, runs)}")
    return spec_hash(task, robot, train, piece, judged)


def run_folder(runs: Path, piece: Piece) -> Path:
    """Return where the run of a piece is kept."""
    return runs / piece.name


def _weighted(study: Study, task: Task, weight: float) -> Task:
    channels: dict[str, Any] = dict(task.channels)
    for name in study.shaping:
        if name not in channels:
            raise unknown(f"study {study.name}: shaping", "channel", name, channels)
        channels[name] = replace(channels[name], weight=channels[name].weight * weight)
    return replace(task, channels=channels)
