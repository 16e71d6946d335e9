"""Ten seconds of the fuzzer: every text ends in a program that runs, or in one error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SECONDS = 10


def test_ten_seconds_of_fuzzing_find_nothing() -> None:
    command = [sys.executable, str(HERE / "fuzz_programs.py"), "--seconds", str(SECONDS), "--seed", "100"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    kinds = ("bytes", "mutated", "soup", "typed", "deep", "huge", "odd data")
    assert all(f"{kind}: refused" in done.stdout and f"{kind}: runs" in done.stdout for kind in kinds[1:])
    assert f"no failure in {SECONDS} s of CPU" in done.stdout
