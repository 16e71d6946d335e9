"""What a benchmark is told and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from statistics import median, quantiles

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
    """One comparison; `ratio` is ours / theirs, `goal` the least ratio aimed at (None: none is set). `spread` is the
    distance between quartiles of the repetitions over their median, of the side where it is larger.
    """

    family: str
    case: str
    peer: str
    ours: float
    theirs: float
    unit: str
    ratio: float
    goal: float | None
    spread: float = 0.0


class Result(Struct, frozen=True):
    """The rows of a family, the peers left out because they are not installed, and remarks for the
    reader.
    """

    rows: list[Row]
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


Listener = Callable[[list[Row]], None]
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Give `listener` the rows of each case as soon as it is measured."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def compare(family: str, case: str, unit: str, rates: Mapping[str, Sequence[float]], ours: str = "ours") -> list[Row]:
    """Return one row for each peer in `rates` (samples in `unit`, more is better), by the medians."""
    mine = median(rates[ours])
    goals = load_goals().get(family, {}).get(case, {})
    rows = []
    for peer, samples in rates.items():
        if peer != ours:
            theirs, spread = median(samples), max(_spread(rates[ours]), _spread(samples))
            rows.append(Row(family, case, peer, mine, theirs, unit, mine / theirs, goals.get(peer), spread))
    if (listener := _listener.get()) is not None:
        listener(rows)
    return rows


def _spread(samples: Sequence[float]) -> float:
    if len(samples) < 2:
        return 0.0
    low, middle, high = quantiles(samples, n=4, method="inclusive")
    return (high - low) / middle


def load_goals() -> dict[str, dict[str, dict[str, float]]]:
    """Return family -> case -> peer -> least ratio, from goals.toml."""
    return read_toml(Path(__file__).parent / "goals.toml")
