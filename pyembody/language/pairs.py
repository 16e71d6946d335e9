"""Attributes meet the topics that they are said of: `feet` and `higher`, `back` and `level`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from .reading import Reading
from .vocabulary import Entry, Meaning
from .words import Word


class Pair(Struct, frozen=True, eq=False):
    """An attribute, the topic that it is said of (None: of nothing), and what they mean."""

    attribute: Word
    topic: Word | None
    meanings: tuple[Meaning, ...]

    @property
    def words(self) -> tuple[Word, ...]:
        """The words of the pair."""
        return (self.attribute,) if self.topic is None else (self.attribute, self.topic)


def find_pairs(clause: list[Word], reading: Reading) -> list[Pair]:
    """Return each attribute of the clause with its nearest topic; one said of nothing is refused.

    Beside a direction, manner is of the motion, not of a verb's steps: `step left quickly`.
    """
    topics = [w for w in clause if w.entry.topic and not w.entry.attribute]
    aimed = any(w.entry.towards and not w.entry.attribute for w in clause)
    pairs: list[Pair] = []
    for word in (w for w in clause if w.entry.attribute):
        rows = reading.language.rows
        attribute, own = word.entry.attribute, word.entry.topic
        manner = aimed and word.entry.manner is not None
        near = [t for t in by_distance(clause, word, topics) if not (manner and t.entry.moves)]
        topic = next((t for t in near if not own and rows(t.entry.topic, attribute)), None)
        meanings = rows(topic.entry.topic if topic else own, attribute)
        if meanings:
            pairs.append(Pair(word, topic, meanings))
        elif not of_motion(word.entry):
            reading.refuse([word], "said of what?", _about(word, reading))
    return pairs


def outdone(pair: Pair, pairs: list[Pair], degrees: Mapping[Word, float]) -> bool:
    """`lift your feet higher` is `feet higher`: a comparative or a degree of the same topic outdoes
    the plain word.
    """
    if _precise(pair, degrees):
        return False
    rivals = [p for p in pairs if p.topic is pair.topic and _precise(p, degrees)]
    meant = {row.parameter for row in pair.meanings}
    return any(meant & {row.parameter for row in rival.meanings} for rival in rivals)


def _precise(pair: Pair, degrees: Mapping[Word, float]) -> bool:
    return pair.attribute.entry.comparative or pair.attribute in degrees


def claim_pair(pair: Pair, reading: Reading) -> None:
    """Claim what a pair means, as strong as its degree: from the default, or from the value now."""
    degree = reading.degrees.get(pair.attribute, 1.0)
    for row in pair.meanings:
        if pair.attribute.entry.comparative or row.value is None:
            value = reading.value_now(row.parameter) + degree * row.step
        else:
            base = reading.language.parameters[row.parameter].default
            value = float(base) + degree * (row.value - float(base))
        reading.claim(row.parameter, value, pair.words)


def _about(word: Word, reading: Reading) -> list[str]:
    """`body higher`, `feet higher`: the topics that the attribute can be said of."""
    rows = [m for m in reading.language.meanings if word.entry.attribute in m.attributes]
    topics = [e for e in reading.language.words if e.topic and not e.attribute]
    names = [e.say[0] for e in topics if any(e.topic in m.topics for m in rows)]
    return [f"{name} {reading.said(word)}" for name in names[:3]]


def of_motion(entry: Entry) -> bool:
    """Return whether a phrase has a role in motion."""
    roles = (entry.moves, entry.towards, entry.manner is not None, entry.stand, entry.needs)
    return any(roles)


def by_distance(clause: list[Word], word: Word, others: Iterable[Word]) -> list[Word]:
    """Return words of a clause, the nearest to `word` first."""
    return sorted(others, key=lambda other: abs(clause.index(other) - clause.index(word)))


def said_of(topic: Word, reading: Reading, but: Iterable[str] = ()) -> list[str]:
    """Return up to three things that can be said of a topic, such as `back level`.

    Attributes in `but`, and those that mean the same of the topic, are left out.
    """

    def effects(attribute: str) -> set[tuple[str, float | None]]:
        rows = reading.language.rows(topic.entry.topic, attribute) if attribute else ()
        return {(row.parameter, row.value) for row in rows}

    known = {effect for attribute in but for effect in effects(attribute)}
    found: list[str] = []
    for entry in reading.language.words:
        new = effects(entry.attribute) - known
        if new and not entry.topic and not entry.moves and not entry.comparative:
            found.append(f"{reading.said(topic)} {entry.say[0]}")
            known |= new
    return found[:3]
