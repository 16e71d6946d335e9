"""Amounts find what they measure: `feet 10 cm`, `5 cm lower`, `a body height of 26 cm`."""

from __future__ import annotations

from .pairs import Pair, by_distance
from .reading import Reading
from .vocabulary import Entry
from .words import Word


def claim_amounts(clause: list[Word], pairs: list[Pair], reading: Reading) -> set[Word]:
    """Claim the amounts that measure a topic; return the words used. Amounts in a unit of motion
    are left alone.
    """
    moving = {reading.unit(axis) for axis in reading.language.axes}
    used: set[Word] = set()
    for place, word in enumerate(clause):
        by = place > 0 and clause[place - 1].kind == "by"
        if word.kind == "by" and (place + 1 == len(clause) or clause[place + 1].kind != "amount"):
            reading.refuse([word], "expected an amount after it")
        if word.kind != "amount":
            continue
        if word.amount.unit in moving:
            after = clause[place + 1].entry if place + 1 < len(clause) else Entry(say=())
            if by or (after.comparative and after.manner is not None):
                reading.refuse([word], "a change by an amount; say the new speed")
            continue
        used |= _pair_amount(clause, word, by, pairs, reading)
        used |= set() if word in used else _topic_amount(clause, word, by, reading)
    return used


def _pair_amount(
    clause: list[Word], word: Word, by: bool, pairs: list[Pair], reading: Reading
) -> set[Word]:
    """`lift your feet 10 cm` is a value; `10 cm higher`, `higher by 10 cm` are changes of it."""
    for pair in by_distance(clause, word, [p.attribute for p in pairs]):
        match = next(p for p in pairs if p.attribute is pair)
        for row in match.meanings:
            if reading.unit(row.parameter) != word.amount.unit:
                continue
            follows = clause[clause.index(word) + 1 :][:1] == [match.attribute]
            value = word.amount.value
            if by or (match.attribute.entry.comparative and follows):
                value = reading.value_now(row.parameter) + (value if row.step > 0 else -value)
            reading.claim(row.parameter, value, [*match.words, word], firm=True)
            return {word, *match.words}
    return set()


def _topic_amount(clause: list[Word], word: Word, by: bool, reading: Reading) -> set[Word]:
    """`body height of 26 cm`; a refusal if nothing near the amount is measured in its unit."""
    topics = [w for w in clause if w.entry.topic]
    for topic in by_distance(clause, word, topics):
        for row in reading.language.rows(topic.entry.topic, ""):
            if reading.unit(row.parameter) == word.amount.unit and not by:
                reading.claim(row.parameter, word.amount.value, [topic, word], firm=True)
                return {word, topic}
    parameters = reading.language.parameters
    only = [name for name, p in parameters.items() if p.unit == word.amount.unit and not p.choices]
    if len(only) == 1 and not by:  # `at 3 Hz`: nothing else is measured so
        reading.claim(only[0], word.amount.value, [word], firm=True)
    else:
        reading.refuse([word], "an amount of what?", reading.language.examples[:3])
    return {word}
