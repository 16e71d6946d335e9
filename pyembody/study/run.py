"""The runner of all studies: a process for each piece that has no result yet; results, table and figure at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from ..spec.errors import SpecError
from ..spec.files import write_atomic
from .plan import Piece, Result, piece_hash, plan_pieces
from .spec import STUDY, Study, check_study, load_study
from .summary import Summary, summarise

RESULTS = "results.json"
Report = Callable[[Piece, int, int], None]


def run_study(
    name: str, out: Path, *, study: Study | None = None, limit: int = 0, progress: Report | None = None
) -> Summary:
    """Run the pieces of a study that `out` has no result of, and return what all results say.

    Args:
        name: a shipped study, or the path of a study's file.
        out: folder of the study; each piece's result is kept there, so that a stopped study goes on.
        study: the study if it differs from the file, in seeds or budget, say; it is written into `out`.
        limit: most pieces to run now; 0 runs all.
        progress: told each piece before it starts, with how many are done and how many there are.

    Raises SpecError for a faulty study and for a piece that fails, naming its log.
    """
    study = study or load_study(name)
    check_study(study, name)
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / STUDY, msgspec.json.format(msgspec.json.encode(study), indent=1) + b"\n")
    done, ran = read_results(study, out), 0
    while True:
        pieces = plan_pieces(study, done)
        left = [p for p in pieces if p.name not in done]
        if not left or (limit and ran >= limit):
            break
        if progress is not None:
            progress(left[0], len(pieces) - len(left), len(pieces))
        _run_process(left[0], out)
        done = read_results(study, out)
        ran += 1
    summary = summarise(study, done)
    write_atomic(out / RESULTS, msgspec.json.format(msgspec.json.encode(summary), indent=1) + b"\n")
    return summary


def read_results(study: Study, out: Path) -> dict[str, Result]:
    """Return the results in `out` that still belong to the study, by piece name."""
    found = {}
    for path in sorted((out / "pieces").glob("*.json")):
        try:
            result = msgspec.json.decode(path.read_bytes(), type=Result)
        except msgspec.DecodeError as error:
            raise SpecError(f"{path}: {error}") from None
        piece = result.piece
        if piece.arm in study.arms and result.hash == piece_hash(study, piece, out / "runs"):
            found[piece.name] = result
    return found


def _run_process(piece: Piece, out: Path) -> None:
    log = out / f"{piece.name}.log"
    command = [sys.executable, "-P", "-m", "pyembody.study.piece", str(out)]
    with log.open("wb") as file:
        status = subprocess.run(
            [*command, msgspec.json.encode(piece).decode()], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False,
        ).returncode
    if status != 0:
        lines = log.read_text(errors="replace").strip().splitlines()
        raise SpecError(f"{piece.name}: {lines[-1] if lines else f'ended with status {status}'} (see {log})")
    log.unlink()
