"""Whether a run's training goes on, has stopped or has finished: its processes hold a lock of the run's folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from . import checkpoint
from .run_folder import RunSpec

State = Literal["training", "finished", "stopped", "new"]


@contextmanager
def marked(run: Path) -> Iterator[None]:
    """Mark a run as training until the block ends, or the process, however it ends.

    A shared lock, as there may be several processes; on a file system without locks nothing is marked.
    """
    folder = os.open(run, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_SH)
        yield
    finally:
        os.close(folder)


def is_training(run: Path) -> bool:
    """Return whether a process on this machine trains the run now."""
    folder = os.open(run, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(folder)
    return False


def run_state(run: Path, spec: RunSpec) -> tuple[State, int]:
    """Return what a run's training does, and the newest saved iteration (0: none). `new`: nothing is saved yet."""
    saved = checkpoint.find(run)
    done = checkpoint.read_meta(saved[-1]).iteration if saved else 0
    if is_training(run):
        return "training", done
    if not saved:
        return "new", 0
    return ("finished" if done >= spec.train.iterations else "stopped"), done
