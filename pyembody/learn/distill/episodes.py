"""Episodes of a distillation: run, and kept as one file each, so that an interrupted one loses none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from pyembody.plan.trial import Stage
from pyembody.spec import SpecError
from pyembody.spec.files import write_atomic

from .expert import Expert, Teaching
from .lessons import Distill, Student, taught
from .pilot import PolicyPilot

Array = npt.NDArray[Any]
FOLDER = "dataset"
LOST_S = 0.3
"""What came in so many seconds before a failing episode was found to have ended teaches nothing."""


@dataclass(frozen=True)
class Episode:
    """What one episode taught: observations `[K, O]`, actions `[K, A]`; of which round and task, and how it ended."""

    part: int
    task: str
    success: bool
    reason: str
    observations: Array
    actions: Array

    @property
    def kept(self) -> bool:
        """Whether it is learnt from: the planner's own episodes only if they succeeded."""
        return bool(len(self.actions)) and (self.success or self.part > 0)


def run_episode(
    stage: Stage, student: Student, settings: Distill, lesson: tuple[int, str, int], pilot: PolicyPilot
) -> Episode:
    """Run one episode; the same settings, lesson and policy give the same one."""
    part, name, number = lesson
    place = list(stage.suite.tasks).index(name)
    rng = np.random.default_rng([settings.seed, part, place, number])
    seed = int(rng.integers(1 << 31))
    wanted = taught(stage.vocabulary, stage.suite, student, name, rng)
    teaching = Teaching(Expert(settings.planners, seed), pilot, settings.share(part), rng)
    trial = stage.run(name, seed, lambda _: wanted, teaching)
    failed = trial.score.reason in ("diverged", *stage.suite.fall)
    end = len(trial.trace) - round((LOST_S if failed else 0.0) / stage.robot.control.control_dt)
    count = sum(tick < end for tick in teaching.ticks)
    score = trial.score
    return Episode(
        part, name, score.success, score.reason,
        np.array(teaching.observations[:count], np.float32), np.array(teaching.labels[:count], np.float32),
    )


def episode_path(run: Path, number: int) -> Path:
    """Return the file of a run's episode."""
    return run / FOLDER / f"{number:06d}.safetensors"


def write_episode(run: Path, number: int, episode: Episode) -> None:
    """Write an episode, whole or not at all. Raises SpecError."""
    path = episode_path(run, number)
    path.parent.mkdir(exist_ok=True)
    header = {"part": str(episode.part), "task": episode.task, "success": str(int(episode.success)),
              "reason": episode.reason}
    write_atomic(path, save({"observations": episode.observations, "actions": episode.actions}, header))


def read_episode(run: Path, number: int) -> Episode:
    """Return an episode. Raises SpecError naming a file that is damaged."""
    path = episode_path(run, number)
    try:
        with safe_open(path, "numpy") as file:
            meta = file.metadata()
            arrays = file.get_tensor("observations"), file.get_tensor("actions")
        return Episode(int(meta["part"]), meta["task"], meta["success"] == "1", meta["reason"], *arrays)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise SpecError(f"{path}: expected an episode of a distillation: {error}") from None


def episodes_left(run: Path, total: int) -> list[int]:
    """Return which of a run's episodes are still to be run."""
    return [number for number in range(total) if not episode_path(run, number).is_file()]
