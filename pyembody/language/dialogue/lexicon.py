"""A language made ready for many sentences: phrases, and intents as bit masks over concepts."""

from __future__ import annotations

from msgspec import Struct

from ..behaviours import Behaviours, Intent
from ..vocabulary import Language
from ..words import Phrases, Word, phrase_table
from .behaviour import behaviours_of

FREE = ("it", "instead", "no_need", "quantity")
"""Concepts that may stand beside anything; what they mean is read apart from the intents."""


class Pattern(Struct, frozen=True):
    """An intent with its needs and what may stand in its words, as bits of concepts and units."""

    intent: Intent
    needs: tuple[int, ...]
    allowed: int
    units: frozenset[str]
    things: int


class Lexicon:
    """A language of behaviours and what is worked out once from it."""

    def __init__(self, language: Language) -> None:
        """Prepare `language`; a SpecError if it has no behaviours."""
        self.language = language
        self.behaviours: Behaviours = behaviours_of(language)
        self.phrases: Phrases = phrase_table(language)
        amounts = [f"{unit}_amount" for unit in language.english.units]
        names = dict.fromkeys([*amounts, *(c for e in language.words for c in e.concepts)])
        self._bits = {name: 1 << place for place, name in enumerate(names)}
        self.free = self.bits(FREE)
        self._masks = {id(entry): self.bits(entry.concepts) for entry in language.words}
        self.patterns = tuple(self._pattern(intent) for intent in self.behaviours.intents)

    def bits(self, concepts: tuple[str, ...] | list[str]) -> int:
        """Return the bits of some concepts; of unknown ones none."""
        mask = 0
        for concept in concepts:
            mask |= self._bits.get(concept, 0)
        return mask

    def mask(self, word: Word) -> int:
        """Return the bits of what a word may mean; of an amount that of its unit."""
        if word.kind == "amount":
            return self._bits.get(f"{word.amount.unit}_amount", 0)
        return self._masks.get(id(word.entry), 0)

    def means(self, word: Word, concept: str) -> bool:
        """Return whether a word may mean a concept."""
        return concept in word.entry.concepts

    def _pattern(self, intent: Intent) -> Pattern:
        needs = tuple(self.bits(need.split()) for need in intent.needs)
        allowed = self.bits(intent.allows)
        for need in needs:
            allowed |= need
        for edit in intent.edits:
            allowed |= self.bits([*edit.by, *edit.sign])
        units = {edit.amount for edit in intent.edits if edit.amount}
        return Pattern(intent, needs, allowed, frozenset(units | self._moved(intent)), intent.things)

    def _moved(self, intent: Intent) -> set[str]:
        return {"m"} if intent.action == "height" else set()
