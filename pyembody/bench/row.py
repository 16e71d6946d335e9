"""What a benchmark is told and what it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from msgspec import Struct, field

from ..spec.files import read_toml

LIMIT = "limit"
"""The peer that is no program but the bare limit, measured in the same run."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """`seconds` of measuring per case, threads of `env` (0: all usable cores) and `reward` (0: one),
    and the sizes of the cases; `updates` are minibatches and widths of `learn`, `worlds` hidden layers, rows and steps
    of `world`. `compiled` says whether `reward`, `learn` and `world` measure torch.compile, which takes time to start.
    """

    seconds: float = 20.0
    threads: int = 0
    num_envs: int = 256
    ant_envs: int = 64
    steps: int = 32
    iterations: int = 12
    workers: int = 0
    cheetah_samples: int = 2048
    rows: tuple[int, ...] = (64, 512, 4096, 32768, 98304)
    compiled: bool = True
    updates: tuple[tuple[int, int], ...] = (
        (64, 64),
        (64, 256),
        (1024, 64),
        (1024, 128),
        (1024, 512),
        (4096, 256),
        (16384, 128),
        (16384, 512),
    )
    worlds: tuple[tuple[tuple[int, ...], int, int], ...] = (
        ((200, 200, 200, 200), 4096, 5),
        ((200, 200, 200, 200), 100_000, 5),
        ((512, 512, 512), 4096, 5),
    )


class Row(Struct, frozen=True):
    """One comparison; `ratio` is ours / theirs, `goal` the least ratio aimed at (None: none is
    set).
    """

    family: str
    case: str
    peer: str
    ours: float
    theirs: float
    unit: str
    ratio: float
    goal: float | None


class Result(Struct, frozen=True):
    """The rows of a family, the peers left out because they are not installed, and remarks for the
    reader.
    """

    rows: list[Row]
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def compare(family: str, case: str, unit: str, rates: Mapping[str, Sequence[float]], ours: str = "ours") -> list[Row]:
    """Return one row for each peer in `rates` (samples in `unit`, more is better), by the
    medians.
    """
    mine = median(rates[ours])
    goals = load_goals().get(family, {}).get(case, {})
    rows = []
    for peer, samples in rates.items():
        if peer != ours:
            theirs = median(samples)
            rows.append(Row(family, case, peer, mine, theirs, unit, mine / theirs, goals.get(peer)))
    return rows


def load_goals() -> dict[str, dict[str, dict[str, float]]]:
    """Return family -> case -> peer -> least ratio, from goals.toml."""
    return read_toml(Path(__file__).parent / "goals.toml")
