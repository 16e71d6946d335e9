"""One clause: attributes, amounts and degrees become claims; what is left is about motion."""

from __future__ import annotations

from itertools import pairwise

from .measures import claim_amounts
from .pairs import claim_pair, find_pairs, of_motion, outdone, said_of
from .reading import Reading
from .words import Word


def read_clause(clause: list[Word], reading: Reading) -> list[Word]:
    """Add the claims and refusals of a clause to `reading`; return its words about motion."""
    _sides(clause, reading)
    reading.degrees.update(_degrees(clause, reading))
    _exact(clause, reading)
    found = find_pairs(clause, reading)
    pairs = [pair for pair in found if not outdone(pair, found, reading.degrees)]
    measured = claim_amounts(clause, pairs, reading)
    for pair in pairs:
        if pair.attribute not in measured:
            claim_pair(pair, reading)
    for word in clause:
        for parameter, value in word.entry.sets.items():
            reading.claim(parameter, value, [word])
    used = measured | {w for pair in found for w in pair.words}
    return _left_over(clause, used, reading)


def _sides(clause: list[Word], reading: Reading) -> None:
    """`left foot`: one side cannot be set apart, and must not be read as a direction."""
    for first, second in pairwise(clause):
        topic = second.entry
        if first.entry.towards and topic.topic and not topic.moves and not topic.attribute:
            reading.refuse([first, second], "a direction cannot be said of it")


def _degrees(clause: list[Word], reading: Reading) -> dict[Word, float]:
    """The factor on each word that a degree (`a bit`, `very`) is said of: the next word, or else
    the one before.
    """
    factors: dict[Word, float] = {}
    graded = [w for w in clause if w.entry.attribute or w.entry.manner is not None]
    for place, word in enumerate(clause):
        if word.kind != "degree":
            continue
        after = [w for w in clause[place + 1 :] if w.kind != "degree"][:1]
        before = [w for w in clause[:place] if w in graded][-1:]
        target = [w for w in after if w in graded] or before
        if target:
            factors[target[0]] = factors.get(target[0], 1.0) * word.degree
        else:
            reading.refuse([word], "how much of what?")
    return factors


def _exact(clause: list[Word], reading: Reading) -> None:
    """The amount that `exactly` or `only` is said of: the next one, or else the one before."""
    for place, word in enumerate(clause):
        if word.kind not in ("exact", "only"):
            continue
        amounts = [w for w in clause[place + 1 :] if w.kind == "amount"][:1]
        amounts = amounts or [w for w in clause[:place] if w.kind == "amount"][-1:]
        for amount in amounts:
            reading.exact.setdefault(amount, []).append(word)
        if not amounts and word.kind == "exact":
            reading.refuse([word], "of which amount?", reading.language.hints.get("exactly", ()))


def _left_over(clause: list[Word], used: set[Word], reading: Reading) -> list[Word]:
    """Words about motion that no pair or amount took. A verb that was a topic (`step high`) moves
    only if it must.
    """
    moving = {reading.unit(axis) for axis in reading.language.axes}
    free = [w for w in clause if w not in used or (w.entry.moves and w.entry.attribute)]
    aimed = any(
        w.entry.towards or w.amount.unit in moving for w in free if w.kind in ("entry", "amount")
    )
    left: list[Word] = []
    for word in clause:
        entry = word.entry
        if word in free:
            if word.kind == "amount" or of_motion(entry):
                left.append(word)
            elif entry.topic:
                reading.refuse([word], "what about it?", said_of(word, reading))
        elif entry.moves and aimed:
            left.append(word)
    return left
