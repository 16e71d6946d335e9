"""A dialogue: what is asked for now, and the turns that led there."""

from __future__ import annotations

from msgspec import Struct

from ..vocabulary import Language
from .behaviour import Behaviour, Patch
from .lexicon import Lexicon


class Turn(Struct, frozen=True):
    """A text, its patch, and the behaviour after it."""

    text: str
    patch: Patch
    behaviour: Behaviour

    @property
    def touched(self) -> tuple[str, ...]:
        """The addresses that the turn set, in the order of the patch."""
        last = self.patch.stages[-1].values if self.patch.stages else ()
        return (*(e.parameter for e in self.patch.edits if e.value is not None), *last)


class Dialogue:
    """The turns of a conversation. Nothing is simulated here; a planner follows `behaviour`."""

    def __init__(self, lexicon: Lexicon | Language, turns: tuple[Turn, ...] = ()) -> None:
        """Begin with `turns` already said; a SpecError if the language has no behaviours."""
        self.lexicon = lexicon if isinstance(lexicon, Lexicon) else Lexicon(lexicon)
        self.turns = turns

    @property
    def language(self) -> Language:
        """The language that is spoken."""
        return self.lexicon.language

    @property
    def behaviour(self) -> Behaviour:
        """What is asked for now."""
        return self.turns[-1].behaviour if self.turns else Behaviour()

    @property
    def before(self) -> Behaviour:
        """What was asked for before the last turn."""
        return self.turns[-2].behaviour if len(self.turns) > 1 else Behaviour()

    def touched(self) -> list[tuple[str, ...]]:
        """Return the addresses set by each turn, the last turn first."""
        return [turn.touched for turn in reversed(self.turns)]

    def add(self, patch: Patch, behaviour: Behaviour) -> Turn:
        """Add a turn; one that undoes takes the last away."""
        turn = Turn(patch.text, patch, behaviour)
        self.turns = self.turns[:-1] if patch.undo else (*self.turns, turn)
        return turn
