"""The runner of all studies: a process for each piece that has no result yet, `jobs` at a time; then their summary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from ..spec.errors import SpecError
from ..spec.files import write_atomic
from .offline_data import prepare_data
from .plan import Piece, Result, count_pieces, left_pieces, needed_pieces, piece_hash, plan_pieces
from .process import Process, share_cores, start_process, stop_processes, wait_for_any
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
    if limit != 0:
        prepare_data(study, out)
    done = read_results(study, out)
    running: list[Process] = []
    started, total = 0, count_pieces(study)
    cores = share_cores(jobs)
    try:
        while True:
            free = min(jobs - len(running), jobs if limit is None else limit - started)
            for piece in ready_pieces(study, done, [p.piece for p in running])[:free]:
                if progress is not None:
                    progress(piece, total - left_pieces(study, done), total, None)
                slot = min(set(range(jobs)) - {p.slot for p in running})
                running.append(start_process(piece, out, slot, cores[slot]))
                started += 1
            if not running:
                break
            ended = wait_for_any(running)
            running = [p for p in running if p not in ended]
            done = read_results(study, out)
            for process in ended:
                if progress is not None:
                    progress(process.piece, total - left_pieces(study, done), total, done[process.piece.name])
    finally:
        stop_processes(running)
    summary = summarise(study, done)
    write_atomic(out / RESULTS, msgspec.json.format(msgspec.json.encode(summary), indent=1) + b"\n")
    return summary


def ready_pieces(study: Study, done: dict[str, Result], running: list[Piece]) -> list[Piece]:
    """Return the pieces to start: neither done nor running, and the runs that they read are there."""

    def ready(piece: Piece) -> bool:
        return all(needed.name in done for needed in needed_pieces(study, piece))

    return [p for p in plan_pieces(study, done) if p.name not in done and p not in running and ready(p)]


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
