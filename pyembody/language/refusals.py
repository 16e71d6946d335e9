"""What cannot be understood at all: unknown words, negations, numbers without a unit."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .pairs import said_of
from .reading import Reading
from .vocabulary import Language
from .words import Word

CLOSE = 0.8
"""Similarity (difflib) from which a known phrase counts as the likely meaning of an unknown word.
"""


def refuse_words(reading: Reading) -> None:
    """Refuse what is not known, what says what not to do, and numbers without a unit."""
    language = reading.language
    negated = _negated(reading.sentence.words)
    covered = {word for clause in negated for word in clause}
    for clause in negated:
        reading.refuse(
            clause, "says what not to do; say what to do instead", _opposites(clause, reading)
        )
    used = {p.unit for p in language.parameters.values()}
    units = [unit for unit in language.english.units if unit in used][:4]
    for group in _strange(w for w in reading.sentence.words if w not in covered):
        if any(w.kind == "unknown" for w in group):
            reading.refuse(
                group, "not understood", nearest_things((reading.said(w) for w in group), language)
            )
        else:
            said = reading.sentence.text_of(group)
            reading.refuse(group, "a number without a unit", [f"{said} {unit}" for unit in units])


def nearest_things(words: Iterable[str], language: Language) -> tuple[str, ...]:
    """Return up to three things to say instead: hints, close phrases, or else examples."""
    phrases = [p for entry in language.words for p in entry.say]
    found: dict[str, None] = {}
    for word in [w.lower() for w in words][:8]:
        close = (
            difflib.get_close_matches(word, phrases, n=2, cutoff=CLOSE)
            if 3 < len(word) <= 20
            else []
        )
        found.update(dict.fromkeys((*language.hints.get(word, ()), *close)))
    return tuple(found)[:3] or language.examples[:3]


def _strange(words: Iterable[Word]) -> list[list[Word]]:
    """Runs of unknown words and numbers without a unit, small words between them included."""
    runs: list[list[Word]] = []
    between: list[Word] | None = None
    for word in words:
        if word.kind == "unknown" or (word.kind == "amount" and not word.amount.unit):
            if between is None:
                runs.append([])
            runs[-1] += [*(between or []), word]
            between = []
        elif word.kind == "filler" and between is not None:
            between.append(word)
        else:
            between = None
    return runs


def _negated(words: Iterable[Word]) -> list[list[Word]]:
    """From each negation to the end of its clause."""
    found: list[list[Word]] = []
    inside = False
    for word in words:
        if word.kind == "negation" and not inside:
            found.append([])
            inside = True
        inside = inside and word.kind != "boundary"
        if inside:
            found[-1].append(word)
    return found


def _opposites(clause: list[Word], reading: Reading) -> list[str]:
    """Other things to say of what a negated clause speaks of."""
    language = reading.language
    attributes = [word.entry.attribute for word in clause if word.entry.attribute]
    for topic in (word for word in clause if word.entry.topic and attributes):
        return said_of(topic, reading, attributes)
    meant = {name for word in clause for name in language.entry_parameters(word.entry)}
    said = [word.entry for word in clause if word.kind == "entry"]
    others = [
        e.say[0] for e in language.words if e not in said and meant & language.entry_parameters(e)
    ]
    return others[:3] or list(language.examples[:3])
