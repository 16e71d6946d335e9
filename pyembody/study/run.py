"""The runner of all studies: a process for each piece that has no result yet, `jobs` at a time; then their summary."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

import msgspec

from ..spec.errors import SpecError
from ..spec.files import write_atomic
from .plan import Piece, Result, count_pieces, log_piece, piece_hash, plan_pieces
from .spec import STUDY, Study, check_study, load_study
from .summary import Summary, summarise

RESULTS = "results.json"
Report = Callable[[Piece, int, int, Result | None], None]


def run_study(
    name: str,
    out: Path,
    *,
    study: Study | None = None,
    limit: int | None = None,
    jobs: int = 1,
    progress: Report | None = None,
) -> Summary:
    """Run the pieces of a study that `out` has no result of, and return what all results say.

    Args:
        name: a shipped study, or the path of a study's file.
        out: folder of the study; each piece's result is kept there, so that a stopped study goes on.
        study: the study if it differs from the file, in seeds or budget, say; it is written into `out`.
        limit: most pieces to run now; None runs all, 0 only sums up.
        jobs: pieces that run at the same time; results do not depend on it.
        progress: told each piece when it starts and again with its result, with how many are done and how many there
            are.

    Raises SpecError for a faulty study and for a piece that fails, naming its log.
    """
    study = study or load_study(name)
    check_study(study, name)
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / STUDY, msgspec.json.format(msgspec.json.encode(study), indent=1) + b"\n")
    done = read_results(study, out)
    running: dict[Future[None], Piece] = {}
    started, total = 0, count_pieces(study)
    with ThreadPoolExecutor(jobs) as pool:
        while True:
            pieces = plan_pieces(study, done)
            free = min(jobs - len(running), jobs if limit is None else limit - started)
            for piece in ready_pieces(study, pieces, done, running.values())[:free]:
                if progress is not None:
                    progress(piece, _count(pieces, done), total, None)
                running[pool.submit(_run_process, piece, out)] = piece
                started += 1
            if not running:
                break
            ended = [running.pop(future) for future in _ended(running)]
            done = read_results(study, out)
            for piece in ended:
                if progress is not None:
                    progress(piece, _count(pieces, done), total, done[piece.name])
    summary = summarise(study, done)
    write_atomic(out / RESULTS, msgspec.json.format(msgspec.json.encode(summary), indent=1) + b"\n")
    return summary


def ready_pieces(study: Study, pieces: list[Piece], done: dict[str, Result], running: Iterable[Piece]) -> list[Piece]:
    """Return the pieces to start: neither done nor running, and the log that they read is there."""
    busy = {piece.name for piece in running}

    def ready(piece: Piece) -> bool:
        arm = study.arms[piece.arm]
        return piece.name not in busy and (not arm.log_of or log_piece(study, arm, piece).name in done)

    return [piece for piece in pieces if piece.name not in done and ready(piece)]


def _count(pieces: list[Piece], done: dict[str, Result]) -> int:
    return sum(piece.name in done for piece in pieces)


def _ended(running: Iterable[Future[None]]) -> list[Future[None]]:
    """Wait for at least one process; return those that ended. Raises SpecError for one that failed."""
    ended = wait(running, return_when=FIRST_COMPLETED).done
    for future in ended:
        future.result()
    return list(ended)


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
