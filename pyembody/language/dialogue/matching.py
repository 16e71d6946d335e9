"""Which intents a part of a sentence says: the spans of words that they cover best."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import pairwise
from operator import or_

from msgspec import Struct

from ..words import Word
from .lexicon import Lexicon, Pattern

INTENT_COST, INHERIT_COST, NEED_GAIN = 0.5, 0.3, 0.01
MAX_SPAN = 16
Named = Mapping[int, tuple[str, ...]]
Clause = tuple[int, int, frozenset[str]]
"""Begin and end of the words between two boundaries, and the intents that they alone say whole."""


class Span(Struct, frozen=True):
    """Words read as one intent; `rivals` would cover them as well."""

    pattern: Pattern
    words: tuple[Word, ...]
    rivals: tuple[str, ...] = ()


class Match(Struct, frozen=True):
    """The spans of a part, the words that none covers, and the share of words covered."""

    spans: tuple[Span, ...] = ()
    left: tuple[Word, ...] = ()
    score: float = 0.0


class _Best(Struct):
    value: float
    end: int = 0
    pattern: Pattern | None = None
    rivals: tuple[str, ...] = ()


def match_intents(words: list[Word], lexicon: Lexicon, named: Named, boundaries: Sequence[int] = ()) -> Match:
    """Return the best cover of the content words of a part; `named` are the things meant, by the start of a word,
    `boundaries` the places of `and`s and commas.

    A word covered counts 1, one that is not -1, an intent -0.5: few intents for many words. But what stands between
    boundaries and says something whole is no ornament of another intent: `turn around and lie on your back`.
    """
    masks = [lexicon.mask(w) for w in words]
    whole = 0
    for mask in masks:
        whole |= mask
    patterns = [p for p in lexicon.patterns if any(need & whole == need for need in p.needs)]
    clauses = _clauses(words, masks, boundaries, patterns)
    best = [_Best(0.0) for _ in range(len(words) + 1)]
    for start in range(len(words) - 1, -1, -1):
        skip = 0.0 if masks[start] & lexicon.free else -1.0
        best[start] = _Best(best[start + 1].value + skip, start + 1)
        for pattern in patterns:
            _extend(start, pattern, words, masks, named, best, lexicon.free, clauses)
    return _walk(words, best, lexicon)


def _clauses(words: list[Word], masks: list[int], boundaries: Sequence[int], patterns: list[Pattern]) -> list[Clause]:
    """The words between boundaries that say some intent whole; none if there is but one clause."""
    edges = sorted({bisect_left([w.start for w in words], place) for place in boundaries} | {0, len(words)})
    found = []
    for begin, end in pairwise(edges) if len(edges) > 2 else ():
        said = reduce(or_, masks[begin:end], 0)
        whole = frozenset(
            p.intent.name for p in patterns
            if any(need & said == need for need in p.needs)
            and all(_covers(p, w, m) for w, m in zip(words[begin:end], masks[begin:end], strict=True))
        )
        found += [(begin, end, whole)] if whole else []
    return found


def _extend(
    start: int, pattern: Pattern, words: list[Word], masks: list[int], named: Named, best: list[_Best], free: int,
    clauses: list[Clause],
) -> None:
    """Try a pattern on every span from `start`, which must begin with a word that it covers."""
    if not _covers(pattern, words[start], masks[start]):
        return
    seen, value = 0, 0.0
    things: set[str] = set()
    here = best[start]
    for end in range(start + 1, min(start + MAX_SPAN, len(words)) + 1):
        word, mask = words[end - 1], masks[end - 1]
        seen |= mask
        things.update(named.get(word.start, ()))
        if len(things) > pattern.things and pattern.things and not pattern.intent.each:
            return
        value += 1.0 if _covers(pattern, word, mask) else 0.0 if mask & free else -1.0
        gain = max((need.bit_count() for need in pattern.needs if need & seen == need), default=0)
        missing = max(pattern.things - len(things), 0)
        if not gain or missing > 1 or _swallows(pattern, start, end, clauses):
            continue
        total = value - INTENT_COST + NEED_GAIN * gain + best[end].value - INHERIT_COST * missing
        if total > here.value + 1e-9:
            here.value, here.end, here.pattern, here.rivals = total, end, pattern, ()
        elif total > here.value - 1e-9 and here.pattern not in (None, pattern):
            here.rivals = (*here.rivals, pattern.intent.name)


def _swallows(pattern: Pattern, start: int, end: int, clauses: list[Clause]) -> bool:
    """Whether a span takes a clause that says the intent for an ornament of it, though it says another one whole."""
    inside = [whole for first, last, whole in clauses if start <= first and last <= end]
    name, absorbs = pattern.intent.name, set(pattern.intent.absorbs)
    says = [whole for whole in inside if name in whole]
    return bool(says) and any(name not in whole and not whole & absorbs for whole in inside)


def _covers(pattern: Pattern, word: Word, mask: int) -> bool:
    if word.kind == "amount":
        return word.amount.unit in pattern.units
    return bool(mask & pattern.allowed)


def _walk(words: list[Word], best: list[_Best], lexicon: Lexicon) -> Match:
    spans: list[Span] = []
    left: list[Word] = []
    place = 0
    while place < len(words):
        step = best[place]
        here = words[place : step.end]
        if step.pattern is None:
            left += [w for w in here if not lexicon.mask(w) & lexicon.free]
        else:
            spans.append(Span(step.pattern, tuple(here), step.rivals))
            pattern = step.pattern
            left += [w for w in here if not _covers(pattern, w, lexicon.mask(w)) and not lexicon.mask(w) & lexicon.free]
        place = step.end
    content = [w for w in words if not lexicon.mask(w) & lexicon.free]
    covered = len(content) - len(left)
    return Match(tuple(spans), tuple(left), covered / len(content) if content else 0.0)


def nearest_intents(words: list[Word], lexicon: Lexicon) -> tuple[tuple[str, float], ...]:
    """Return up to three intents that a part comes near to, with the share of their needs that it names."""
    whole = 0
    for word in words:
        whole |= lexicon.mask(word)
    scored = []
    for place, pattern in enumerate(lexicon.patterns):
        share = max((need & whole).bit_count() / need.bit_count() for need in pattern.needs)
        scored.append((-share, place, pattern.intent.name))
    return tuple((name, round(-share, 3)) for share, _, name in sorted(scored)[:3] if share < 0.0)
