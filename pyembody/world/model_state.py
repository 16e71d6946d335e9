"""What a model predicts: a state made of signals, and where a program finds its own in a rollout's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ..program import CompiledTask
from ..spec.errors import unknown
from ..spec.signal import Signal

ACTION, TRUNCATED = "action", "truncated"


@dataclass(frozen=True)
class ModelState:
    """A state is the concatenation of `predicted` signals; `carried` ones are given and stay as they are."""

    predicted: tuple[Signal, ...]
    carried: tuple[Signal, ...] = ()

    @property
    def width(self) -> int:
        """Numbers of a state S."""
        return sum(s.lanes for s in self.predicted)

    @property
    def carried_width(self) -> int:
        """Numbers of the carried signals K."""
        return sum(s.lanes for s in self.carried)

    @cached_property
    def columns(self) -> dict[str, slice]:
        """The columns of each predicted signal."""
        return columns_of(self.predicted)

    @property
    def quaternions(self) -> list[int]:
        """First columns of unit quaternions."""
        return [self.columns[s.name].start + 4 * i for s in self.predicted if s.kind == "quat" for i in range(s.count)]

    @property
    def truths(self) -> list[int]:
        """Columns of truth values."""
        return [c for s in self.predicted if s.kind == "bool" for c in range(*self.columns[s.name].indices(self.width))]

    def inputs(self, program: CompiledTask) -> list[tuple[str, int]]:
        """Return where each signal of a program is read from: `state`, `action` or `carried`, and its first column.

        Beyond the carried signals lie the program's own parameters (`own_columns`). Raises SpecError for a signal that
        the model does not have, naming the nearest one.
        """
        places = {ACTION: ("action", 0)}
        places |= {name: ("state", columns.start) for name, columns in self.columns.items()}
        places |= {name: ("carried", columns.start) for name, columns in columns_of(self.carried).items()}
        own = own_columns(program)
        places |= {name: ("carried", self.carried_width + i) for i, name in enumerate(own)}
        for signal in program.inputs:
            if signal.name not in places:
                raise unknown("world model", "signal", signal.name, [*self.columns, *(s.name for s in self.carried)])
        return [places[s.name] for s in program.inputs]


def columns_of(signals: Sequence[Signal]) -> dict[str, slice]:
    """Return the columns of signals that lie side by side."""
    columns, at = {}, 0
    for signal in signals:
        columns[signal.name] = slice(at, at + signal.lanes)
        at += signal.lanes
    return columns


def own_columns(program: CompiledTask) -> list[str]:
    """Return the inputs that a rollout provides by itself: parameters that rows may differ in, and `truncated`, as
    nothing but the horizon ends an imagined row early.
    """
    return [*program.param_rows(0), TRUNCATED]
