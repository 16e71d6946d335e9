"""Tokens to words: the longest phrases that the language knows; all else is unknown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from .tokens import Amount, Token, read_amount, tokenise
from .vocabulary import Entry, Language

Kind = Literal[
    "entry", "amount", "degree", "exact", "only", "by", "filler", "boundary", "negation", "unknown"
]
Phrases = dict[str, tuple[Kind, Entry | None, float]]


class Word(Struct, frozen=True, eq=False):
    """A phrase and what it is. Compared by identity: the same phrase may stand twice."""

    kind: Kind
    start: int
    end: int
    entry: Entry = Entry(say=())
    amount: Amount = Amount(0.0, "", 0)
    degree: float = 1.0


class Sentence(Struct, frozen=True):
    """A text with its words in order; `clauses` hold those with a meaning, `text_of` gives back
    what was said.
    """

    text: str
    words: tuple[Word, ...]

    @property
    def clauses(self) -> list[list[Word]]:
        """The meaningful words between boundaries, without empty clauses."""
        parts: list[list[Word]] = [[]]
        for word in self.words:
            if word.kind == "boundary":
                parts.append([])
            elif word.kind != "filler":
                parts[-1].append(word)
        return [p for p in parts if p]

    def text_of(self, words: Iterable[Word]) -> str:
        """Return the text of some words and between, unprintable characters replaced."""
        chosen = list(words)
        if not chosen:
            return ""
        said = self.text[min(w.start for w in chosen) : max(w.end for w in chosen)]
        return "".join(c if c.isprintable() else "\ufffd" for c in said)


def read_sentence(text: str, language: Language, phrases: Phrases | None = None) -> Sentence:
    """Return the words of a text, longest phrases first, amounts before phrases.

    `phrases` is `phrase_table(language)`, for callers that keep it.
    """
    tokens = tokenise(text)
    phrases = phrase_table(language) if phrases is None else phrases
    longest = max(len(p.split()) for p in phrases)
    words: list[Word] = []
    place = 0
    while place < len(tokens):
        word, size = _word(tokens, place, phrases, longest, language)
        words.append(word)
        place += size
    return Sentence(text, tuple(words))


def _word(
    tokens: list[Token], place: int, phrases: Phrases, longest: int, language: Language
) -> tuple[Word, int]:
    start = tokens[place].start
    amount = read_amount(tokens, place, language.english)
    if amount is not None and (amount.unit or not _counted(tokens, place, amount, phrases)):
        return Word(
            "amount", start, tokens[place + amount.size - 1].end, amount=amount
        ), amount.size
    for size in range(min(longest, len(tokens) - place), 0, -1):
        found = phrases.get(" ".join(t.text for t in tokens[place : place + size]))
        if found is not None:
            kind, entry, degree = found
            return Word(
                kind, start, tokens[place + size - 1].end, entry or Entry(say=()), degree=degree
            ), size
    return Word("unknown", start, tokens[place].end), 1


def _counted(tokens: list[Token], place: int, amount: Amount, phrases: Phrases) -> bool:
    """Whether a number without a unit begins a phrase of its own: `two feet`."""
    sizes = (amount.size, amount.size + 1)
    return any(" ".join(t.text for t in tokens[place : place + size]) in phrases for size in sizes)


def phrase_table(language: Language) -> Phrases:
    """Return every phrase of the language; a task's own words win over shared English."""
    english = language.english
    table: Phrases = {"by": ("by", None, 1.0)}
    table.update(dict.fromkeys((*english.filler, *language.filler), ("filler", None, 1.0)))
    table.update(dict.fromkeys(english.boundary, ("boundary", None, 1.0)))
    table.update(dict.fromkeys(english.negation, ("negation", None, 1.0)))
    table.update(dict.fromkeys(english.exact, ("exact", None, 1.0)))
    table.update(dict.fromkeys(english.only, ("only", None, 1.0)))
    table.update({p: ("degree", None, d) for p, d in english.degrees.items()})
    table.update({p: ("entry", e, 1.0) for e in language.words for p in e.say})
    return table
