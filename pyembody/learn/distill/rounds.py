"""The rounds of a distillation: episodes, a fit, episodes in which the policy acts, the next fit."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pyembody.envs.quiet import quiet
from pyembody.plan.suite import load_suite
from pyembody.plan.trial import VARIANT, Stage
from pyembody.spec import SpecError, Train, load_robot
from pyembody.spec.errors import unknown
from pyembody.spec.vocabulary import load_vocabulary

from .. import checkpoint
from ..distributed import Group
from ..policy import load_policy
from ..run_folder import RunSpec, create_run, read_run
from ..runner import Interrupted
from ..training import marked
from .episodes import Episode, episode_path, episodes_left, read_episode, run_episode, write_episode
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
    lessons = settings.lessons()
    with marked(run):
        for part in range(settings.rounds + 1):
            left = [number for number in episodes_left(run, len(lessons)) if lessons[number][0] == part]
            policy = _policy(run, spec, settings, part, say) if left and part else None
            for number, episode in _run_episodes(run, spec, settings, left, policy):
                say(Said(len(lessons) - len(episodes_left(run, len(lessons))), len(lessons), part, episode))
                if stop is not None and stop.is_set():
                    raise Interrupted(run, episode_path(run, number))
        _policy(run, spec, settings, settings.rounds + 1, say)
    return checkpoint.latest(run)


def _run_episodes(
    run: Path, spec: RunSpec, settings: Distill, numbers: list[int], policy: Path | None
) -> Iterator[tuple[int, Episode]]:
    """Run episodes of one round side by side, a core each, and yield them as they end, already written.

    One planner's rollouts are too short to be shared out among cores.
    """
    suite, student = load_suite(settings.suite), load_student(settings.suite)
    own = threading.local()

    def job(number: int) -> tuple[int, Episode]:
        if not hasattr(own, "stage"):
            own.stage = Stage(suite)
        pilot = PolicyPilot(spec.task, _nobody if policy is None else load_policy(policy))
        episode = run_episode(own.stage, student, settings, settings.lessons()[number], pilot)
        write_episode(run, number, episode)
        return number, episode

    with quiet(), ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        futures = [pool.submit(job, number) for number in numbers]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def _nobody(_: Array) -> Array:
    raise RuntimeError("policy: expected none to act in the planner's own round")


def _policy(run: Path, spec: RunSpec, settings: Distill, part: int, say: Callable[[Said], None]) -> Path:
    """The checkpoint of the policy that acts in a round, fitted to the episodes of all rounds before it."""
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
        say(Said(total - len(episodes_left(run, total)), total, part - 1, rows=len(actions), loss=fitted.loss))
    return folder


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
