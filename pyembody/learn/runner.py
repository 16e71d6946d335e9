"""The training loop around the learner: run folder, processes, checkpoints, logs, interruption and resume."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from pyembody.spec import SpecError

from . import checkpoint
from .distributed import Group, torchrun_group, worker_count
from .launch import single_core, workers_of
from .learner import Learner
from .logs import Logs
from .progress import Progress
from .run_folder import Layout, RunSpec, read_run, write_spec
from .snapshot import load_learner, save_learner

MakeEnv = Callable[[RunSpec, int, int, int], Any]


class Interrupted(KeyboardInterrupt):
    """Training was stopped by a signal after everything was saved; `run` can be resumed."""

    def __init__(self, run: Path, saved: Path) -> None:
        super().__init__(f"stopped; saved {saved}; go on with: pyembody resume {run}")
        self.run = run


def train(
    run: Path, *, iterations: int | None = None, workers: int = 0, progress: bool = True, make_env: MakeEnv | None = None
) -> Path:
    """Train the run of a new run folder and return that folder.

    Args:
        run: what `create_run` returned.
        iterations: total number of iterations; the run's own if None.
        workers: processes; 0 takes the run's own setting, and where that is 0 too, one per core. Under `torchrun` the
            processes are torchrun's.
        progress: show a live table (plain lines when the output is no terminal).
        make_env: makes the environment of (spec, number of environments, threads, first environment) in place of the
            run's task and robot; only with one worker or under torchrun.

    Raises SpecError for a damaged or used run folder and full disks, NotFiniteError when learning diverges, WorkerError
    when a worker dies, Interrupted after SIGINT or SIGTERM when all is saved.
    """
    if checkpoint.find(run):
        raise SpecError(f"{run}: this run has checkpoints already; go on with: pyembody resume {run}")
    spec = read_run(run)
    count = iterations or spec.train.iterations
    cores = len(os.sched_getaffinity(0))
    size = 1 if make_env else worker_count(spec.train.num_envs, cores, workers or spec.train.workers)
    return _launch(run, spec, size, count, False, progress, make_env)


def resume(
    run: Path, *, iterations: int | None = None, progress: bool = True, make_env: MakeEnv | None = None
) -> Path:
    """Go on from the newest checkpoint of a run, in its own process layout, to `iterations` in total.

    The result is bit for bit that of a run that was never stopped. Raises as `train` does.
    """
    spec = read_run(run)
    meta = checkpoint.read_meta(checkpoint.latest(run))
    count = iterations or spec.train.iterations
    if meta.iteration >= count:
        raise SpecError(f"{run}: iterations: expected more than the {meta.iteration} that are done, got {count}")
    return _launch(run, spec, meta.workers, count, True, progress, make_env)


def _launch(
    run: Path, spec: RunSpec, size: int, iterations: int, resumed: bool, progress: bool, make_env: MakeEnv | None
) -> Path:
    """Run rank 0 here and the others beside it, or this process's rank under torchrun."""
    group = torchrun_group()
    if group is not None:
        try:
            run_rank(run, spec, group, iterations=iterations, resumed=resumed, progress=progress, make_env=make_env)
        finally:
            group.close()
        return run
    arguments = [str(iterations), str(int(resumed))]
    # one process keeps all cores for physics; several take one each, the fastest layout measured
    with single_core(0) if size > 1 else one_torch_thread():
        with workers_of(run, size, arguments) if size > 1 else nullcontext(Group()) as group:
            run_rank(run, spec, group, iterations=iterations, resumed=resumed, progress=progress, make_env=make_env)
    return run


def run_rank(
    run: Path,
    spec: RunSpec,
    group: Group,
    *,
    iterations: int,
    resumed: bool,
    progress: bool,
    make_env: MakeEnv | None = None,
) -> None:
    """Train as one rank of the group. Raises as `train` does."""
    with stop_signals() as stop, Progress(spec, iterations, progress and group.rank == 0) as display:
        learner = _learner(run, spec, group, make_env or _task_env)
        done = load_learner(run, spec, learner) if resumed else 0.0
        if group.rank == 0 and spec.layout is None:
            write_spec(run, msgspec.structs.replace(spec, layout=Layout(group.size)))
        start = time.perf_counter() - done
        with Logs(run, learner.iteration, group.rank == 0) as logs:
            while learner.iteration < iterations:
                metrics = learner.iterate()
                elapsed = time.perf_counter() - start
                metrics["elapsed"] = elapsed
                logs.write(metrics)
                display.show(metrics)
                stopped = group.any(stop.is_set())
                due = learner.iteration % spec.train.checkpoint_every == 0
                if due or stopped or learner.iteration == iterations:
                    saved = save_learner(run, spec, learner, metrics["reward"], elapsed)
                if stopped:
                    raise Interrupted(run, saved)


def _learner(run: Path, spec: RunSpec, group: Group, make_env: MakeEnv) -> Learner:
    envs = spec.train.num_envs
    if envs % group.size:
        raise SpecError(f"{run}: num_envs: expected a multiple of the {group.size} workers, got {envs}")
    own = envs // group.size
    env = make_env(spec, own, 1 if group.size > 1 else 0, group.rank * own)
    env.reset(options={"stagger": True})
    return Learner(env, spec.task, spec.train, spec.seed, group)


def _task_env(spec: RunSpec, num_envs: int, threads: int, first_env: int) -> Any:
    from pyembody.envs import VectorEnv

    return VectorEnv(spec.task, spec.robot, num_envs, seed=spec.seed, threads=threads, first_env=first_env)


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Keep torch's own threads, which spin while they wait, from slowing those of the physics."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Turn SIGINT and SIGTERM into an event that is looked at between iterations; a second one acts at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    old = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
