"""Golden rows of a task: signals of a short random episode and the terms they give, kept to
notice a change of meaning.

`python -m pyembody.analysis.golden TASK ROBOT` writes them into the task's folder.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..spec.errors import SpecError
from ..spec.load import decode

if TYPE_CHECKING:
    from ..envs.vector import VectorEnv

STEPS, ROWS, DIGITS = 6, 2, 7

Rows = tuple[tuple[float, ...], ...]


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`signals[name][t]` [ROWS, lanes], t = 0 being the reset; `raw[t - 1]` [ROWS, K] the
    terms after step t.
    """

    robot: str
    terms: tuple[str, ...]
    signals: dict[str, tuple[Rows, ...]]
    raw: tuple[Rows, ...]


def make_golden(env: VectorEnv) -> Golden:
    """Return golden rows from `ROWS` environments under random actions. `env` must have
    `ROWS` of them.
    """
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    seen = [_signals(env)]
    raw = []
    for _ in range(STEPS):
        env.step(rng.uniform(-1, 1, env.action.shape).astype(np.float32))
        seen.append(_signals(env))
        raw.append(_rows(env.raw))
    signals = {name: tuple(step[name] for step in seen) for name in seen[0]}
    return Golden(env.robot.name, env.term_names, signals, tuple(raw))


def load_golden(path: Path) -> Golden:
    """Return the golden rows of a file. Raises SpecError naming file and key."""
    try:
        return decode(Golden, path.read_bytes(), str(path))
    except OSError as error:
        raise SpecError(f"{path}: {error.strerror or error}") from None


def _signals(env: VectorEnv) -> dict[str, Rows]:
    return {s.name: _rows(env.signal(s.name)) for s in env.program.inputs}


def _rows(values: NDArray[Any]) -> Rows:
    table = np.asarray(values, np.float64).reshape(len(values), -1)
    return tuple(tuple(float(f"{x:.{DIGITS}g}") for x in row) for row in table)


def main(task: str, robot: str) -> None:
    """Write `golden.json` into the folder of `task`."""
    from ..envs import make_vec

    env = make_vec(task, robot, ROWS)
    path = Path(env.task.folder) / "golden.json"
    path.write_bytes(msgspec.json.encode(make_golden(env)) + b"\n")
    print(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
