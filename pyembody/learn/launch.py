"""Worker processes of one machine: started fresh, one core each, watched, and ended with their lead."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from .distributed import Group, lead_group, open_store

POLL_S = 0.01
GRACE_S = 5.0
PEER_LOST = 3
"""Exit status of a worker that ended because another one had."""


class WorkerError(RuntimeError):
    """A worker process ended before its time: says which and why."""


@contextmanager
def one_core(index: int | None) -> Iterator[None]:
    """Run with one torch thread, on this process's core number `index` unless None; what was before comes back.

    torch's own threads spin while they wait and slow those of the physics, so one is right without a core of its own
    too.
    """
    cores = os.sched_getaffinity(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    if index is not None:
        os.sched_setaffinity(0, {sorted(cores)[index % len(cores)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        torch.set_num_threads(threads)


class Workers:
    """Ranks 1 to size - 1, each `python -m pyembody.learn.worker`. What they say goes to a log in the run folder."""

    def __init__(self, run: Path, size: int, port: int, arguments: Sequence[str]) -> None:
        self.logs = {rank: run / f"worker-{rank}.log" for rank in range(1, size)}
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        for rank, log in self.logs.items():
            # -P: a source tree in the working directory must not shadow the installed package
            command = [sys.executable, "-P", "-m", "pyembody.learn.worker", str(run), str(rank), str(size), str(port)]
            with log.open("wb") as out:
                self.processes[rank] = subprocess.Popen(
                    [*command, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    env=os.environ | {"OMP_NUM_THREADS": "1"},
                )

    def check(self) -> None:
        """Raise WorkerError if a worker has ended; wait a moment otherwise."""
        if any(process.poll() is not None for process in self.processes.values()):
            raise WorkerError(self.blame())
        time.sleep(POLL_S)

    def blame(self) -> str:
        """Return why a worker ended, after giving all of them time to do so; empty if all of them live."""
        deadline = time.monotonic() + GRACE_S
        while time.monotonic() < deadline and any(p.poll() is None for p in self.processes.values()):
            time.sleep(POLL_S)
        failed = [rank for rank, p in self.processes.items() if p.poll() not in (None, 0)]
        return self._reason(min(failed, key=lambda r: self.processes[r].poll() == PEER_LOST)) if failed else ""

    def wait(self) -> None:
        """Wait for all workers to end by themselves and drop their logs."""
        for process in self.processes.values():
            process.wait(timeout=60.0)
        for log in self.logs.values():
            log.unlink(missing_ok=True)

    def stop(self) -> None:
        """End the workers that still run; logs in which nothing was said go too."""
        for rank, process in self.processes.items():
            if process.poll() is None:
                process.kill()
            process.wait()
            log = self.logs[rank]
            if log.is_file() and log.stat().st_size == 0:
                log.unlink()

    def _reason(self, rank: int) -> str:
        lines = self.logs[rank].read_text(errors="replace").strip().splitlines()
        code = self.processes[rank].returncode
        if not lines:
            return f"worker {rank}: ended with {'signal' if code < 0 else 'status'} {abs(code)}"
        return f"worker {rank}: {lines[-1]} (see {self.logs[rank]})"


@contextmanager
def workers_of(run: Path, size: int, arguments: Sequence[str]) -> Iterator[Group]:
    """Start ranks 1 to size - 1 and yield rank 0's group; ends them with the block, whatever happens in it.

    Raises WorkerError with the first worker's reason if one of them dies.
    """
    store = open_store(size)
    workers = Workers(run, size, store.port, arguments)
    group = Group()
    try:
        group = lead_group(store, size, workers.check)
        yield group
        workers.wait()
    except RuntimeError as error:  # what gloo raises when a peer is gone
        reason = "" if isinstance(error, WorkerError) else workers.blame()
        if not reason:
            raise
        raise WorkerError(reason) from None
    finally:
        workers.stop()
        group.close()
