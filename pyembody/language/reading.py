"""What is gathered while a sentence is read: claims on parameters, and refusals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from .edit import Refusal, Value
from .vocabulary import Language
from .words import Sentence, Word


class Claim(Struct, frozen=True):
    """Some words say that a parameter is `value`, in its unit. `firm`: the number was said, so it
    is never limited. `exact`: no other value than it is commanded.
    """

    parameter: str
    value: Value
    words: tuple[Word, ...]
    firm: bool = False
    note: str = ""
    exact: bool = False


@dataclass
class Reading:
    """A sentence, the `current` values that it is read against, and what came of it so far."""

    sentence: Sentence
    language: Language
    current: Mapping[str, Value]
    claims: list[Claim] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    degrees: dict[Word, float] = field(default_factory=dict)
    exact: dict[Word, list[Word]] = field(default_factory=dict)
    """Amounts that are the only one, and the words that say so."""

    def claim(
        self,
        parameter: str,
        value: Value,
        words: Iterable[Word],
        firm: bool = False,
        note: str = "",
        exact: bool = False,
    ) -> None:
        """Add a claim."""
        self.claims.append(Claim(parameter, value, tuple(words), firm, note, exact))

    def refuse(self, words: Iterable[Word], reason: str, nearest: Iterable[str] = ()) -> None:
        """Add a refusal of some words."""
        self.refused.append(Refusal(self.sentence.text_of(words), reason, tuple(nearest)))

    def said(self, word: Word) -> str:
        """Return a word as it was said."""
        return self.sentence.text_of([word])

    def value_now(self, parameter: str) -> float:
        """Return the number that a parameter is now: its current value, or else its default."""
        known = self.current.get(parameter, self.language.parameters[parameter].default)
        return known if isinstance(known, float | int) else 0.0

    def unit(self, parameter: str) -> str:
        """Return the unit of a parameter."""
        return self.language.parameters[parameter].unit
