"""What a sentence becomes: typed edits and the words behind them, or refusals that name words."""

from __future__ import annotations

from msgspec import Struct

Value = float | str


class Edit(Struct, frozen=True, forbid_unknown_fields=True):
    """One change of one exposed parameter: a number in `unit`, or the name of a choice (then `unit`
    is empty). None clears a behaviour's parameter or term.

    `exact`: of a parameter that is an interval of commands, this one value instead of all from 0 to
    it.
    """

    parameter: str
    value: Value | None
    unit: str = ""
    exact: bool = False

    def __str__(self) -> str:
        value = f"{self.value:g}" if isinstance(self.value, float | int) else self.value or "cleared"
        return f"{'exactly ' if self.exact else ''}{value} {self.unit}".rstrip()


class Understood(Struct, frozen=True):
    """The words of the sentence that set `parameter` (none: it follows from the others), and why,
    if not obvious.
    """

    parameter: str
    words: tuple[str, ...] = ()
    note: str = ""


class Refusal(Struct, frozen=True):
    """A part of the sentence that was not turned into edits, the reason, and the nearest things
    that would be.
    """

    text: str
    reason: str
    nearest: tuple[str, ...] = ()

    def __str__(self) -> str:
        hint = f"; nearest: {', '.join(repr(n) for n in self.nearest)}" if self.nearest else ""
        return f"'{self.text}': {self.reason}{hint}"


class Translation(Struct, frozen=True):
    """Edits ordered by their parameters' names, or refusals and then no edits at all."""

    text: str
    edits: tuple[Edit, ...] = ()
    understood: tuple[Understood, ...] = ()
    refused: tuple[Refusal, ...] = ()
