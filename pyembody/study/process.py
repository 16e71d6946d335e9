"""The process of a piece: started, asked whether it has ended, stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..spec.errors import SpecError
from .plan import Piece

POLL_S = 0.05


@dataclass(frozen=True)
class Process:
    """A piece in training on the cores of a `slot`; what it prints goes to `log`, which is kept if it fails."""

    piece: Piece
    slot: int
    log: Path
    popen: subprocess.Popen[bytes]


def share_cores(jobs: int) -> list[list[int]]:
    """Return the cores of each of `jobs` slots, apart while there are enough of them.

    A piece's threads wait for each other at every step; they are not to wait for those of another piece too.
    """
    cores = sorted(os.sched_getaffinity(0))
    return [cores[k::jobs] or [cores[k % len(cores)]] for k in range(jobs)]


def start_process(piece: Piece, out: Path, slot: int, cores: list[int]) -> Process:
    """Start to train a piece on `cores`; its result goes below `out`."""
    log = out / f"{piece.name}.log"
    arguments = [str(out), msgspec.json.encode(piece).decode(), *map(str, cores)]
    command = [sys.executable, "-P", "-m", "pyembody.study.piece", *arguments]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    with log.open("wb") as file:
        popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=env)
    return Process(piece, slot, log, popen)


def wait_for_any(processes: list[Process]) -> list[Process]:
    """Return the processes that have ended, at least one. Raises SpecError for one that failed, naming its log."""
    while not (ended := [p for p in processes if p.popen.poll() is not None]):
        time.sleep(POLL_S)
    for process in ended:
        status, log = process.popen.returncode, process.log
        if status != 0:
            lines = log.read_text(errors="replace").strip().splitlines()
            why = lines[-1] if lines else f"ended with status {status}"
            raise SpecError(f"{process.piece.name}: {why} (see {log})")
        log.unlink()
    return ended


def stop_processes(processes: list[Process]) -> None:
    """End the processes and wait until they have removed what is half done."""
    for process in processes:
        if process.popen.poll() is None:
            process.popen.terminate()
    for process in processes:
        process.popen.wait()
