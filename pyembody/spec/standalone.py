"""A reward program by itself: the text of a task with the signals that it reads, for any simulator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from .check import NAME, check_program
from .errors import SpecError, unknown
from .files import parse_toml, read_toml
from .load import convert
from .signal import Signal
from .task import Task

MAX_LANES = 4096
SHORTEST, LONGEST = 1e-6, 1e6
"""Control steps in seconds."""
SIMULATED = (
    "robot", "episode", "command", "clock", "reset", "randomize", "push", "terrain", "symmetry", "delay_steps",
    "history", "variant", "folder",
)
"""Keys of a task that tell a simulation what to do; a program by itself has none."""


class Standalone(Struct, frozen=True, forbid_unknown_fields=True):
    """A task's terms, channels and conditions, the signals that they read, and the control step in seconds.

    `place` names the text in errors.
    """

    task: Task
    signals: dict[str, Signal] = field(default_factory=dict)
    dt: float | None = None
    place: str = "program"

    def step(self, dt: float | None = None) -> float:
        """Return the control step: `dt`, or else the text's. Raises SpecError if there is none, or no legal one."""
        step = self.dt if dt is None else dt
        if step is None:
            raise SpecError(f"{self.place}: dt: expected the control step in seconds, in the text or as an argument")
        if not SHORTEST <= step <= LONGEST:
            raise SpecError(f"{self.place}: dt: expected {SHORTEST:g} to {LONGEST:g} seconds, got {step}")
        return float(step)


def read_standalone(source: str | Path | Mapping[str, Any], *, check: bool = True) -> Standalone:
    """Return the program of a TOML file (a Path, or a one-line string that ends in .toml), TOML text, or a dict.

    Its keys are those of a task's `task.toml` without the simulation's, and `signals` and `dt`.
    Raises SpecError naming file, key and the nearest legal one; without `check` the rules of `check_program` are not
    applied.
    """
    if isinstance(source, Mapping):
        return from_dict(source, "program", check)
    if isinstance(source, Path) or (source.rstrip().endswith(".toml") and "\n" not in source):
        return from_dict(read_toml(Path(source)), str(source), check)
    return from_dict(parse_toml(source.encode("utf-8", "replace"), "program"), "program", check)


def from_dict(data: Mapping[str, Any], place: str, check: bool = True) -> Standalone:
    """Return the program that nested dicts, lists and numbers say. Raises SpecError."""
    rest = dict(data)
    for key in SIMULATED:
        if key in rest:
            raise SpecError(f"{place}: {key}: is a simulation's business; a program by itself has no such key")
    tables = rest.pop("signals", {})
    if not isinstance(tables, Mapping):
        raise SpecError(f"{place}: signals: expected a table of signals, got {tables!r}")
    dt = rest.pop("dt", None)
    if dt is not None and (isinstance(dt, bool) or not isinstance(dt, int | float)):
        raise SpecError(f"{place}: dt: expected the control step in seconds, got {dt!r}")
    for key in rest:
        if key not in Task.__struct_fields__:
            raise unknown(place, "key", key, [*(set(Task.__struct_fields__) - set(SIMULATED)), "signals", "dt"])
    task = convert({"name": "reward", "observations": {}} | rest, Task, place)
    if check:
        check_program(task, place)
    return Standalone(task, {n: _signal(n, t, place) for n, t in tables.items()}, dt, place)


def _signal(name: str, table: Any, place: str) -> Signal:
    here = f"{place}: signals.{name}"
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise SpecError(f"{here}: expected a name of lower-case letters, digits and _, at most 64 long")
    if not isinstance(table, Mapping):
        raise SpecError(f"{here}: expected a table such as {{ kind = \"vector\", width = 3, unit = \"m\" }}")
    if table.get("name", name) != name:
        raise SpecError(f"{here}: name: expected '{name}' or nothing, got {table['name']!r}")
    signal = convert({"name": name, **table}, Signal, here)
    if signal.width < 1:
        raise SpecError(f"{here}: width: expected at least 1, got {signal.width}")
    if max(signal.width, signal.lanes) > MAX_LANES:
        raise SpecError(f"{here}: expected at most {MAX_LANES} numbers, got {max(signal.width, signal.lanes)}")
    if bool(signal.axis) != bool(signal.labels):
        raise SpecError(f"{here}: expected 'axis' and 'labels' together: the axis and the names of its elements")
    if signal.source and not signal.source.startswith("= "):
        raise SpecError(f"{here}: source: expected nothing, or '= ' and an expression, got '{signal.source}'")
    return signal
