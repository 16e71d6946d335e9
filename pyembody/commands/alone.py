"""A FILE that is a reward program by itself, where a command also takes a task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .failure import CommandError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..program import CompiledTask
    from ..program.reward_program import RewardProgram


def own_program(target: str) -> RewardProgram | None:
    """Return the program of a file that is one by itself, None for what names a task. Raises SpecError."""
    from ..program.reward_program import RewardProgram
    from ..spec.given import is_program, names_file, read_given

    path = Path(target).expanduser()
    return RewardProgram(path) if names_file(target) and is_program(read_given(path)) else None


def needs_no_robot(path: Path | str, **options: object) -> None:
    """Raise CommandError for an option that says something of a robot."""
    for name, value in options.items():
        if value:
            raise CommandError(f"--{name}: expected a task beside it; {path} is a reward program by itself")


def state_of_zeros(program: CompiledTask) -> dict[str, NDArray[np.float64]]:
    """Return the numbers of every signal: 0, of a quaternion no rotation, of a parameter its value."""
    import numpy as np

    state = {s.name: np.zeros(s.lanes) for s in program.inputs}
    for signal in program.inputs:
        if signal.kind == "quat":
            state[signal.name][:: signal.width] = 1.0
    return state | {name: rows[0].astype(float) for name, rows in program.param_rows(1).items()}
