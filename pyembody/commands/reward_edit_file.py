"""`pyembody reward edit FILE`: typed changes of a reward program by itself, tried on a log of its signals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from .failure import CommandError

if TYPE_CHECKING:
    from ..analysis.replay import States
    from ..program import CompiledTask

RESETS = "resets"
"""Which array of a log says where episodes start [T, N]."""


def edit_file(
    path: Path, places: Sequence[tuple[str, Any]], program: CompiledTask, log: Path | None, write: Path | None
) -> int:
    """Print what `program`, the file's, and the edited one pay on a log, and new findings; write the edited one."""
    from rich.console import Console

    from ..language import edited_task
    from ..program.critic import check_alone
    from ..program.reward_program import RewardProgram
    from ..spec.check import check_program
    from ..spec.files import write_atomic
    from ..spec.standalone import read_standalone
    from ..spec.toml_text import program_toml
    from .findings import findings_table
    from .reward_edit import pay_table

    if write is not None and write.suffix != ".toml":
        raise CommandError(f"--write: expected NAME.toml for a reward program by itself, got '{write}'")
    alone = read_standalone(path)
    edited = edited_task(alone.task, places, "edits", check_program)
    text = program_toml(alone.task, alone.signals, alone.dt), program_toml(edited, alone.signals, alone.dt)
    after = RewardProgram(text[1]).compiled
    console = Console()
    if log is not None:
        console.print(pay_table(read_log(log, (program, after)), program, after))
    before, found = (check_alone(t)[1] for t in text)
    known = {(f.code, f.path) for f in before}
    if new := [f for f in found if (f.code, f.path) not in known]:
        console.print(findings_table(new, ()))
    if log is None:
        wanted = ", ".join(s.name for s in program.inputs)
        print(f"no pay is shown: --log FILE.npz has the states, arrays [T, N, ...] of {wanted}, and of {RESETS} if any")
    if write is None:
        print("nothing was written: --write FILE.toml does that")
    else:
        print(f"wrote {write_atomic(write, text[1].encode())}")
    return 0


def read_log(path: Path, programs: Sequence[CompiledTask]) -> States:
    """Return the signals of an .npz file that programs read: arrays [T, N, ...] by name, and `resets` [T, N].

    Without those, all rows start in the first step. Raises CommandError for what is no such file, ValueError naming
    the signal that is missing or of another shape.
    """
    import numpy as np

    from ..analysis.replay import States
    from ..program.arrays import as_numpy
    from ..program.log import log_inputs, log_resets

    try:
        with np.load(path) as file:
            given = {name: file[name] for name in file.files}
    except (OSError, EOFError, TypeError, ValueError, BadZipFile) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else "another file"
        raise CommandError(f"--log: {path}: expected an .npz file of arrays by signal, got: {told}") from None
    signals = {s.name: s for p in programs for s in p.inputs}
    arrays = {name: as_numpy(s, given[name], True) for name, s in signals.items() if name in given}
    own = {name: float(rows[0, 0]) for p in programs for name, rows in p.param_rows(1).items()}
    rows = log_inputs(list(signals.values()), arrays, own)
    resets = given.get(RESETS) if RESETS not in signals else None
    return States(dict(zip(signals, rows, strict=True)), log_resets(rows, resets, False))
