"""Fuzzing of reward programs: every text ends in a program that runs, or in one SpecError.

`python tests/fuzz_programs.py --seconds 600` starts child processes with bounded memory and CPU time, which try
random bytes, mutated programs, soups of the language's words, and deep and huge texts. A text that takes more than a
second of CPU, more memory than allowed, any other exception, or that kills its process, is a failure: it is shown,
and the exit status is 1. Not collected by pytest; `test_fuzz.py` runs ten seconds of it.
"""

from __future__ import annotations

import argparse
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import numpy as np

from fuzz_texts import KINDS, corpus
from pyembody import RewardProgram
from pyembody.spec import Signal, SpecError

TEXT_SECONDS = 1.0
CHILD_SECONDS = 60.0
ADDRESS_SPACE = 2 << 30
GROWTH_KIB = 192 * 1024
ROWS = 3
EDGES = (0.0, -0.0, 1e-45, 1e-38, 1.0, -1.0, 0.5, 3.0, 1e30, -1e30, np.inf, -np.inf, np.nan)


class TooSlowError(Exception):
    """A text took more than its CPU time."""


def alarm(_signum: int, _frame: FrameType | None) -> NoReturn:
    raise TooSlowError(f"more than {TEXT_SECONDS} s of CPU")


def arrays_of(signals: tuple[Signal, ...], rng: random.Random) -> dict[str, Any]:
    """Arrays of edge values for a program's signals, of mixed precisions."""
    arrays: dict[str, Any] = {"rows": np.zeros(ROWS)}
    for s in signals:
        values = np.array(rng.choices(EDGES, k=ROWS * s.lanes)).reshape(ROWS, s.lanes)
        with np.errstate(all="ignore"):
            arrays[s.name] = values > 0 if s.kind == "bool" else values.astype(rng.choice(["f4", "f8"]))
    return arrays


def try_text(text: Any, rng: random.Random) -> str:
    """Return `runs`, `refused`, or `stopped` by the guard that a program may ask for; anything else is raised."""
    signal.setitimer(signal.ITIMER_PROF, TEXT_SECONDS)
    try:
        program = RewardProgram(text, dt=0.02)
        arrays = arrays_of(program.signals, rng)
        program.reset(arrays)
        for _ in range(2):
            rewards = program.step(arrays)
        if not np.isfinite(rewards.raw).all():
            raise AssertionError(f"raw terms: expected finite numbers, got {rewards.raw}")
    except SpecError as error:
        if not str(error) or len(str(error)) > 4000:
            raise AssertionError(f"error: expected 1 to 4000 characters, got {len(str(error))}") from error
        return "refused"
    except ValueError as error:
        if "got one that is not" not in str(error):
            raise
        return "stopped"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return "runs"


def child(seed: int, seconds: float, trace: Path) -> int:
    """Try texts for some seconds of CPU; the present one lies in the file `trace`, should the process die."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 30, int(seconds) + 30))
    signal.signal(signal.SIGPROF, alarm)
    warnings.simplefilter("error")
    rng, programs, counts = random.Random(seed), corpus(), Counter[str]()
    slowest, peak = 0.0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    while time.process_time() - start < seconds:
        name = rng.choice(list(KINDS))
        text = KINDS[name](rng, programs)
        trace.write_text(repr(text))
        begin = time.process_time()
        try:
            counts[f"{name}: {try_text(text, rng)}"] += 1
        except BaseException:
            traceback.print_exc()
            return 1
        slowest = max(slowest, time.process_time() - begin)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    print(", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    print(f"slowest {slowest:.2f} s, memory grew by {grown / 1024:.0f} MiB", flush=True)
    return 1 if grown > GROWTH_KIB else 0


def parent(seed: int, seconds: float) -> int:
    """Run children until `seconds` of CPU are used; return 1 if one failed."""
    left, number = seconds, 0
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "text"
        while left > 0:
            part = min(left, CHILD_SECONDS)
            command = [sys.executable, __file__, "--child", str(trace), "--seed", str(seed + number)]
            command += ["--seconds", str(part)]
            try:
                status = subprocess.run(command, timeout=20 * part + 120, check=False).returncode
            except subprocess.TimeoutExpired:
                status = -1
            if status != 0:
                print(f"seed {seed + number}: status {status} at the text {trace.read_text()[:4000]}", flush=True)
                return 1
            left, number = left - part, number + 1
    print(f"no failure in {seconds:g} s of CPU")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="CPU seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    return child(args.seed, args.seconds, args.child) if args.child else parent(args.seed, args.seconds)


if __name__ == "__main__":
    sys.exit(main())
