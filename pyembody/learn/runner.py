"""The training loop around the learner: run folder, processes, checkpoints, logs, interruption and resume."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from pyembody.envs import VectorEnv
from pyembody.spec import Mbpo, Offline, Sac, SpecError

from . import checkpoint
from .algorithm import Algorithm
from .distributed import Group, torchrun_group, worker_count
from .launch import one_core, workers_of
from .learner import Learner
from .live import LiveEdits
from .logs import Logs
from .mbpo import MbpoLearner
from .offline import OfflineLearner
from .progress import Progress
from .run_folder import Layout, RunSpec, read_run, write_spec
from .sac import SacLearner
from .snapshot import load_learner, save_learner
from .stop import stop_signals
from .training import marked

MakeEnv = Callable[[RunSpec, int, int, int], Any]


class Interrupted(KeyboardInterrupt):
    """Training was stopped by a signal after everything was saved; `run` can be resumed."""

    def __init__(self, run: Path, saved: Path) -> None:
        super().__init__(f"stopped; saved {saved}; go on with: pyembody resume {run}")
        self.run = run


class Aborted(KeyboardInterrupt):
    """Training was stopped by a second signal, before the end of a save; the checkpoints before it are whole."""

    def __init__(self, run: Path) -> None:
        saved = checkpoint.find(run)
        kept = "nothing is saved"
        if saved:
            kept = f"the newest checkpoint is {saved[-1]}; go on with: pyembody resume {run}"
        super().__init__(f"stopped at once; {kept}")
        self.run = run


def task_env(spec: RunSpec, num_envs: int, threads: int, first_env: int) -> VectorEnv:
    """Return the environments of a run's task and robot; `first_env` offsets their random streams."""
    return VectorEnv(spec.task, spec.robot, num_envs, seed=spec.seed, threads=threads, first_env=first_env)


@dataclass(frozen=True)
class Job:
    """What every rank of one training is told: the total of iterations, and whether to start from a checkpoint."""

    run: Path
    iterations: int
    resumed: bool
    progress: bool = False
    make_env: MakeEnv = task_env


def train(
    run: Path,
    *,
    iterations: int | None = None,
    workers: int = 0,
    progress: bool = True,
    make_env: MakeEnv | None = None,
) -> Path:
    """Train the run of a new run folder and return that folder.

    Args:
        run: what `create_run` returned.
        iterations: total number of iterations; the run's own if None.
        workers: processes; 0 takes the run's own setting, and where that is 0 too, one (one per core for the
            torch engine). Under `torchrun` the processes are torchrun's.
        progress: show a live table (plain lines when the output is no terminal).
        make_env: makes the environment of (spec, number of environments, threads, first environment) in place of the
            run's task and robot; runs in one process unless torchrun made more.

    Raises SpecError for a damaged or used run folder and full disks, NotFiniteError when learning diverges, WorkerError
    when a worker dies, Interrupted after SIGINT or SIGTERM when all is saved, Aborted after a second one.
    """
    run = Path(run)
    spec = read_run(run)
    if checkpoint.find(run):
        raise SpecError(f"{run}: this run has checkpoints already; go on with: pyembody resume {run}")
    cores = len(os.sched_getaffinity(0))
    # the core's own threads share an update better than processes do; torch's slow the physics beside them
    useful = cores if spec.train.engine == "torch" else 1
    size = 1 if make_env else worker_count(spec.train.num_envs, useful, workers or spec.train.workers)
    count = spec.train.iterations if iterations is None else iterations
    with at_once(run):
        return _launch(Job(run, count, False, progress, make_env or task_env), spec, size)


def resume(run: Path, *, iterations: int | None = None, progress: bool = True, make_env: MakeEnv | None = None) -> Path:
    """Go on from the newest checkpoint of a run, in its own process layout, to `iterations` in total.

    The result is bit for bit that of a run that was never stopped. Raises as `train` does.
    """
    run = Path(run)
    spec = read_run(run)
    meta = checkpoint.read_meta(checkpoint.latest(run))
    count = spec.train.iterations if iterations is None else iterations
    if meta.iteration >= count:
        more = f"pyembody resume {run} --iterations {meta.iteration + 100}"
        raise SpecError(f"{run}: iterations: {meta.iteration} are done, expected a total above that, such as: {more}")
    with at_once(run):
        return _launch(Job(run, count, True, progress, make_env or task_env), spec, meta.workers)


def _launch(job: Job, spec: RunSpec, size: int) -> Path:
    """Run rank 0 here and the others beside it, or this process's rank under torchrun."""
    group = torchrun_group()
    if group is not None:
        try:
            with one_core(None):
                run_rank(job, spec, group)
        finally:
            group.close()
        return job.run
    # one process keeps all cores for physics; several take one each, the fastest layout measured. Workers are started
    # first: a process that is bound to a core already would bind them all to it
    ranks = workers_of(job.run, size, [str(job.iterations), str(int(job.resumed))])
    with ranks if size > 1 else nullcontext(Group()) as group, one_core(0 if size > 1 else None):
        run_rank(job, spec, group)
    return job.run


@contextmanager
def at_once(run: Path) -> Iterator[None]:
    """Turn a KeyboardInterrupt that is no polite stop into `Aborted`, which says what is saved."""
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt:
        raise Aborted(run) from None


def run_rank(job: Job, spec: RunSpec, group: Group) -> None:
    """Train as one rank of the group. Raises as `train` does."""
    shown = job.progress and group.rank == 0
    with marked(job.run), stop_signals() as stop, Progress(spec, job.iterations, shown) as display:
        live = LiveEdits(job.run, group, display.note)
        learner = _learner(job, spec, group)
        if job.resumed:
            live.restore(learner.env, checkpoint.read_meta(checkpoint.latest(job.run)).iteration)
            learner.collector.terms.start()
        display.units = _units(learner.env)
        done = load_learner(job.run, spec, learner) if job.resumed else 0.0
        if group.rank == 0 and spec.layout is None:
            write_spec(job.run, msgspec.structs.replace(spec, layout=Layout(group.size)))
        start = time.perf_counter() - done
        with Logs(job.run, learner.iteration, group.rank == 0) as logs:
            while learner.iteration < job.iterations:
                edits = live.apply(learner.env, learner.iteration + 1)
                metrics = learner.iterate()
                if edits:
                    metrics["edits"] = {name: x for edit in edits for name, x in edit.values.items()}
                metrics["elapsed"] = time.perf_counter() - start
                logs.write(metrics)
                display.show(metrics)
                stopped = group.any(stop.is_set())
                due = learner.iteration % spec.train.checkpoint_every == 0
                if due or stopped or learner.iteration == job.iterations:
                    saved = save_learner(job.run, spec, learner, metrics["reward"], metrics["elapsed"])
                if stopped:
                    raise Interrupted(job.run, saved)


def _units(env: Any) -> dict[str, str]:
    """The units of a task's metrics; another environment's are not known."""
    program = getattr(env, "program", None)
    named = zip(program.metric_names, program.metric_units, strict=True) if program is not None else ()
    return {name: unit for name, unit in named if unit != "1"}


def _learner(job: Job, spec: RunSpec, group: Group) -> Algorithm:
    envs = spec.train.num_envs
    if envs % group.size:
        raise SpecError(f"{job.run}: num_envs: expected a multiple of the {group.size} workers, got {envs}")
    own = envs // group.size
    env = job.make_env(spec, own, 1 if group.size > 1 else 0, group.rank * own)
    env.reset(options={"stagger": True})
    if isinstance(spec.train, Mbpo):
        return MbpoLearner(env, spec.task, spec.train, spec.seed, group)
    if isinstance(spec.train, Offline):
        return OfflineLearner(env, spec.task, spec.train, spec.seed, group)
    if isinstance(spec.train, Sac):
        return SacLearner(env, spec.task, spec.train, spec.seed, group)
    return Learner(env, spec.task, spec.train, spec.seed, group)
