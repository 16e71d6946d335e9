"""The rounds of a distillation: episodes, a fit, episodes in which the policy acts, the next fit."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pyembody.plan.suite import Suite, load_suite
from pyembody.plan.trial import VARIANT, Stage
from pyembody.spec import SpecError, Train, load_robot
from pyembody.spec.errors import unknown
from pyembody.spec.vocabulary import load_vocabulary

from .. import checkpoint
from ..distributed import Group
from ..policy import Policy, load_policy
from ..run_folder import RunSpec, create_run, read_run
from ..runner import Interrupted
from ..training import marked
from .episodes import Episode, episode_path, episodes_done, read_episode, run_episode, write_episode
from .fit import fit
from .lessons import Distill, load_student, read_settings, write_settings
from .pilot import PolicyPilot
from .student import student_robot, student_task

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Said:
    """What a distillation says as it goes on: an episode that was run, or a fit of `rows` rows with its `loss`."""

    done: int
    total: int
    part: int
    episode: Episode | None = None
    rows: int = 0
    loss: float = 0.0


def create_distillation(settings: Distill, out: Path = Path("runs")) -> Path:
    """Make the run folder of a distillation and return it. Raises SpecError for unknown tasks."""
    suite = load_suite(settings.suite)
    for name in settings.tasks:
        if name not in suite.tasks:
            raise unknown("tasks", "task", name, suite.tasks)
    vocabulary, robot = load_vocabulary(suite.vocabulary), student_robot(load_robot(suite.robot, VARIANT))
    task = student_task(vocabulary, suite, load_student(settings.suite), settings.tasks)
    config = Train(iterations=settings.rounds + 1, num_envs=1, critic_hidden=(1,), checkpoint_every=1)
    run = create_run(task, robot, config, settings.seed, out=out)
    write_settings(run, settings)
    return run


def distil(run: Path, say: Callable[[Said], None], stop: threading.Event | None = None) -> Path:
    """Go on with a distillation to its end; return the newest checkpoint. What is there already is not done again.

    Raises Interrupted, everything saved, once `stop` is set; SpecError for a damaged run, or if nothing was taught.
    """
    settings, spec = read_settings(run), read_run(run)
    suite: Suite = load_suite(settings.suite)
    stage, student = Stage(suite, threads=len(os.sched_getaffinity(0))), load_student(settings.suite)
    lessons = settings.lessons()
    policy, acting = None, -1
    with marked(run):
        for number in range(episodes_done(run), len(lessons)):
            part = lessons[number][0]
            if part != acting:
                policy, acting = _policy(run, spec, settings, part, say), part
            pilot = PolicyPilot(spec.task, policy or _nobody)
            episode = run_episode(stage, student, settings, lessons[number], pilot)
            write_episode(run, number, episode)
            say(Said(number + 1, len(lessons), part, episode))
            if stop is not None and stop.is_set():
                raise Interrupted(run, episode_path(run, number))
        _policy(run, spec, settings, settings.rounds + 1, say)
    return checkpoint.latest(run)


def _nobody(_: Array) -> Array:
    raise RuntimeError("policy: expected none to act in the planner's own round")


def _policy(run: Path, spec: RunSpec, settings: Distill, part: int, say: Callable[[Said], None]) -> Policy | None:
    """The policy that acts in a round, fitted to the episodes of all rounds before it; None in the planner's own."""
    if part == 0:
        return None
    folder = run / "checkpoints" / f"{part:06d}"
    if not folder.is_dir():
        assert isinstance(spec.train, Train)
        observations, actions = _rows(run, settings, part)
        fitted = fit(observations, actions, spec.train, settings, part)
        meta = checkpoint.Meta(
            iteration=part, steps=len(actions), workers=1, score=-fitted.loss, learning_rate=settings.rate,
            episode_length=0.0, spec_hash=spec.hash, activation=spec.train.activation,
            observation_clip=spec.train.observation_clip, mirror_clock=-1,
        )
        checkpoint.save(run, meta, fitted.arrays, {}, Group())
        total = len(settings.lessons())
        say(Said(episodes_done(run), total, part - 1, rows=len(actions), loss=fitted.loss))
    return load_policy(folder)


def _rows(run: Path, settings: Distill, part: int) -> tuple[Array, Array]:
    """Observations and actions of all episodes of the rounds before `part` that are learnt from."""
    wanted = [k for k, lesson in enumerate(settings.lessons()) if lesson[0] < part]
    episodes = [read_episode(run, k) for k in wanted]
    kept = [e for e in episodes if e.kept]
    missing = sorted(set(settings.tasks) - {e.task for e in kept})
    if missing:
        reasons = ", ".join(sorted({e.reason for e in episodes if e.task in missing and e.reason}))
        raise SpecError(f"{run}: expected the planner to succeed in some episode of each task, got none of "
                        f"{', '.join(missing)} ({reasons})")
    return np.concatenate([e.observations for e in kept]), np.concatenate([e.actions for e in kept])
