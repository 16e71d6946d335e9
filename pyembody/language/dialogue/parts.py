"""One part of a text (between `then`s) to edits of the stage that it is said in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise

from ...spec.errors import SpecError
from ..behaviours import Intent, IntentEdit
from ..edit import Edit
from ..words import Sentence, Word
from .behaviour import Unsupported, agreed, checked, ordered
from .lexicon import Lexicon
from .matching import Match, Span, match_intents, nearest_intents
from .relative import last_moved, moved
from .things import KIND, RELATION, Meant, meant_things

THRESHOLD = 0.74
"""Share of the words that must be understood: one unknown word of four is left out, with a note."""
THEN = "say 'then' between them to do one after the other"
DETERMINERS = ("the", "a", "an", "this", "that", "my", "your", "some")
"""Words before a noun."""


class NotUnderstoodError(Exception):
    """Carries why a text is unsupported out of the reading of its parts."""

    def __init__(self, unsupported: Unsupported) -> None:
        super().__init__(unsupported.reason)
        self.unsupported = unsupported


@dataclass(frozen=True)
class Asked:
    """What one intent sets, and the beginnings of addresses that it ends."""

    intent: str
    edits: tuple[Edit, ...]
    ends: tuple[str, ...] = ()


@dataclass
class Part:
    """A part as it is read: what it is read against, and the edits that it asks for so far."""

    words: list[Word]
    sentence: Sentence
    lexicon: Lexicon
    values: Mapping[str, float]
    touched: Sequence[Sequence[str]]
    last: tuple[str, ...] = ()
    """Things spoken of before."""
    said_before: bool = False
    before: tuple[str, ...] = ()
    """Intents of the part before, or of the turn before."""
    edits: list[Edit] = field(default_factory=list)
    cleared: list[Edit] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    """What each intent asks for, one after the other."""
    when: dict[str, str] = field(default_factory=dict)
    """Edits, by address, that are dropped if nothing below the other is asked for."""
    understood: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    expands: str = ""
    undo: bool = False
    first: str = ""
    """What must be done in a stage before."""
    split: int = -1
    """Where a stage of its own begins, though no `then` was said: what comes next needs what came before."""

    def refuse(self, reason: str, words: Sequence[Word], choices: Sequence[str] = ()) -> NotUnderstoodError:
        """Return the error that these words are not understood; `choices` instead of the nearest intents."""
        near = tuple((c, 1.0) for c in choices) or nearest_intents(self.words, self.lexicon)
        nearest = near or tuple((example, 0.0) for example in self.lexicon.language.examples[:3])
        return NotUnderstoodError(Unsupported(reason, self.sentence.text_of(words), nearest))


def read_part(part: Part) -> None:
    """Add the edits that a part asks for. Raises NotUnderstoodError."""
    content = _addressed(part)
    clears = any(part.lexicon.means(w, "no_need") for w in content) or _stops_something(part.words, part.lexicon)
    if clears:
        content = [w for w in content if not part.lexicon.means(w, "stop")]
    meant = meant_things(part.words, part.lexicon, part.last)
    named = {place: m.things for place, m in meant.items()}
    boundaries = [w.start for w in part.words if w.kind == "boundary"]
    match = match_intents(content, part.lexicon, named, boundaries)
    if not match.spans:
        match = _repeated(content, meant, part) or match
    _check(match, content, meant, part)
    before = len(part.edits)
    for place, span in enumerate(match.spans):
        if place and span.pattern.intent.before:
            part.split = span.words[0].start
            return
        _read_span(span, meant, part)
    if clears:
        terms = dict.fromkeys(e.parameter.rpartition(".")[0] for e in part.edits[before:])
        part.edits[before:] = [Edit(term, None) for term in terms if any(_under(a, term) for a in part.values)]
    if any(part.lexicon.means(w, "instead") for w in part.words) and part.touched:
        part.cleared += [Edit(a, None) for a in part.touched[0] if a in part.values]
    _agree(part)


def _repeated(content: list[Word], meant: Mapping[int, Meant], part: Part) -> Match | None:
    """`and the diagonal one too`: the last thing done, of other things."""
    free = part.lexicon.free
    others = [w for w in content if w.start not in meant and not part.lexicon.mask(w) & free]
    if others or not any(m.things for m in meant.values()):
        return None
    for name in reversed(part.before):
        for pattern in part.lexicon.patterns:
            if pattern.intent.name == name and pattern.intent.each and not pattern.intent.action:
                return Match((Span(pattern, tuple(content)),), (), 1.0)
    return None


def _addressed(part: Part) -> list[Word]:
    """Take out parameters that are called by their names, with their amounts; return the other content."""
    content = [w for w in part.words if w.kind in ("entry", "amount", "unknown", "negation")]
    rest: list[Word] = []
    place = 0
    while place < len(content):
        word = content[place]
        after = content[place + 1] if place + 1 < len(content) else None
        if word.entry.address and after is not None and after.kind == "amount":
            unit = "" if after.amount.unit == "1" else after.amount.unit
            _add(Edit(word.entry.address, after.amount.value, unit), part, [word, after])
            place += 1
        elif word.entry.address:
            raise part.refuse("expected an amount after it", [word])
        elif not part.lexicon.means(word, "nothing"):
            rest.append(word)
        place += 1
    return rest


def _add(edit: Edit, part: Part, words: Sequence[Word]) -> None:
    try:
        part.edits.append(checked(part.lexicon.language, edit))
    except SpecError as error:
        raise part.refuse(str(error), words) from None


def _stops_something(words: Sequence[Word], lexicon: Lexicon) -> bool:
    """`stop spinning` clears; `stop` and `stop, sit down` do not."""
    known = [w for w in words if w.kind != "filler"]
    return any(
        lexicon.means(word, "stop") and (after.kind == "entry" and not lexicon.means(after, "stop"))
        for word, after in pairwise(known)
    )


def _check(match: Match, content: list[Word], meant: Mapping[int, Meant], part: Part) -> None:
    negated = [w for w in content if w.kind == "negation"]
    if negated:
        raise part.refuse("says what not to do; say what to do instead", negated)
    for word in match.left:
        if word.start in meant or word.kind == "amount" or _is_named(word, part.words):
            raise part.refuse("not understood here", [word])
    if (content and not match.spans and not part.edits) or (match.left and match.score < THRESHOLD):
        odd = match.left or content
        nouns = [w for w in odd if _is_noun(w, part)]
        there = _things_there(part) if nouns else ""
        raise part.refuse(f"not understood{there}", nouns if there else odd)
    for span in match.spans:
        if span.rivals:
            names = (span.pattern.intent.name, *span.rivals)
            raise part.refuse("may mean several things", span.words, names)
    if match.left:
        part.notes.append(f"left out: {', '.join(part.sentence.text_of([w]) for w in match.left)}")


def _is_noun(word: Word, part: Part) -> bool:
    """Whether an unknown word stands where something is named: `the fish`."""
    place = part.words.index(word)
    before = part.sentence.text_of(part.words[place - 1 : place]).lower().split()
    return word.kind == "unknown" and bool(place and before) and before[-1] in DETERMINERS


def _things_there(part: Part) -> str:
    """What there is, where the words come near to an intent that is said of something; else nothing."""
    near = [name for name, _ in nearest_intents(part.words, part.lexicon)]
    if not any(p.things for p in part.lexicon.patterns if p.intent.name in near):
        return ""
    behaviours = part.lexicon.behaviours
    return f"; there are {', '.join(behaviours.names.get(t, t) for t in behaviours.things)}"


def _is_named(word: Word, words: Sequence[Word]) -> bool:
    """Whether an unknown word stands where the thing should be: `the front right fish`."""
    before = words[words.index(word) - 1].entry.thing if words.index(word) else {}
    return bool(before) and not {KIND, RELATION, "name"} & before.keys()


def _read_span(span: Span, meant: Mapping[int, Meant], part: Part) -> None:
    intent = span.pattern.intent
    things = _things(span, meant, part)
    part.understood.append(intent.name)
    before = len(part.edits)
    if intent.action == "undo":
        part.undo = True
    elif intent.expands:
        part.expands = _filled(intent.expands, things)[0]
    elif intent.action:
        _relative(span, intent, things, part)
    else:
        _absolute(span, intent, things, part)
        part.first = part.first or _missing(intent, part.values)
    ends = tuple(pattern for wanted in intent.clears for pattern in _filled(wanted, things))
    part.asked.append(Asked(intent.name, tuple(part.edits[before:]), ends))


def _missing(intent: Intent, values: Mapping[str, float]) -> str:
    """What must be done before an intent, as it is neither asked for nor over; empty if nothing."""
    for before in intent.before:
        lacks = before.unless != "" and not values.get(before.unless)
        if lacks or (before.when != "" and any(_under(address, before.when) for address in values)):
            return before.say
    return ""


def _things(span: Span, meant: Mapping[int, Meant], part: Part) -> tuple[str, ...]:
    """The things that a span is said of, in order; of one that names none, those before it."""
    wanted = span.pattern.things
    if not wanted:
        return ()
    groups = [meant[w.start] for w in span.words if w.start in meant]
    for group in groups:
        if group.fault:
            raise part.refuse(group.fault, span.words, group.choices)
    things = tuple(dict.fromkeys(t for group in groups for t in group.things))
    if not things and part.said_before:
        things = part.last
    if len(things) < wanted:
        earlier = [t for t in part.last if t not in things] if part.said_before else []
        things = (*things, *earlier) if wanted == 2 and len(things) == 1 and len(earlier) == 1 else things
    if len(things) < wanted or (len(things) > wanted and not span.pattern.intent.each):
        names = part.lexicon.behaviours.names
        choices = [names.get(t, t) for t in part.lexicon.behaviours.things][:8]
        raise part.refuse(f"expected {wanted} to be named, got {len(things)}", span.words, choices)
    part.last, part.said_before = things, True
    return things


def _absolute(span: Span, intent: Intent, things: tuple[str, ...], part: Part) -> None:
    behaviours = part.lexicon.behaviours
    for pattern in intent.clears:
        terms = dict.fromkeys(address.rpartition(".")[0] for address in part.values)
        for wanted in _filled(pattern, things):
            part.cleared += [Edit(t, None) for t in terms if wanted == "*" or _under(f"{t}.", wanted)]
    own_addresses = {address for edit in intent.edits for address in _filled(edit.parameter, things)}
    preset = behaviours.vocabulary.presets.get(intent.preset, {})
    for address, value in ((a, v) for a, v in preset.items() if a not in own_addresses):
        part.edits.append(Edit(address, value, behaviours.vocabulary.parameter(address).unit))
    for edit in intent.edits:
        value, unit = _value(edit, span, part)
        for address in (ordered(behaviours, a) for a in _filled(edit.parameter, things)):
            part.when |= {address: edit.when} if edit.when else {}
            own = unit or behaviours.vocabulary.parameter(address).unit
            amounts = [w for w in span.words if w.kind == "amount"]
            _add(Edit(address, value, "" if own == "1" else own), part, amounts or span.words)


def _under(address: str, part: str) -> bool:
    """Whether an address lies under the beginning `part`: `distance.palm-` has all of the palm's."""
    return address.startswith(part if part[-1] in ".-" else f"{part}.")


def _value(edit: IntentEdit, span: Span, part: Part) -> tuple[float, str]:
    """The value of an intent's edit: the amount that was said, or what stands beside its concepts."""
    amounts = [w.amount for w in span.words if w.kind == "amount" and w.amount.unit == edit.amount]
    if len(amounts) > 1 and amounts[0].value != amounts[1].value:
        raise part.refuse("two amounts for one thing", [w for w in span.words if w.kind == "amount"])
    value, unit = (amounts[0].value, edit.amount) if amounts else (edit.value, "")
    for word in span.words:
        for concept, other in edit.by.items():
            value = other if not amounts and part.lexicon.means(word, concept) else value
    for concept, factor in edit.sign.items():
        if any(part.lexicon.means(w, concept) for w in span.words):
            value *= factor
    return value, unit


def _relative(span: Span, intent: Intent, things: tuple[str, ...], part: Part) -> None:
    degree = 1.0
    for word in part.words:
        degree *= word.degree if word.kind == "degree" else 1.0
    amount = next((w.amount.value for w in span.words if w.kind == "amount"), None)
    addresses = [a for e in intent.edits for a in _filled(e.parameter, things)]
    addresses = addresses or last_moved(intent.action, part.lexicon, part.values, part.touched)
    if not addresses:
        what = "height" if intent.action == "height" else "speed"
        raise part.refuse(f"than what? no {what} is asked for yet", span.words)
    for address in addresses:
        edit, note = moved(address, intent, degree, amount, part.values, part.lexicon)
        part.edits.append(edit)
        part.notes += [note] if note else []


def _filled(pattern: str, things: tuple[str, ...]) -> list[str]:
    """The pattern with its things in it: once for all, or once for each."""
    if "{each}" in pattern:
        return [pattern.replace("{each}", thing) for thing in things]
    for slot, thing in zip(("{a}", "{b}"), things, strict=False):
        pattern = pattern.replace(slot, thing)
    return [pattern]


def _agree(part: Part) -> None:
    """Two different values of one parameter are a conflict."""
    asked = {*part.values, *(e.parameter for e in part.edits if e.value is not None)} - set(part.when)
    dropped = {address for address, other in part.when.items() if not any(_under(a, other) for a in asked)}
    part.edits = [e for e in part.edits if e.parameter not in dropped]
    try:
        chosen = agreed([*part.edits, *part.cleared], part.lexicon.language)
    except SpecError as error:
        apart = _conflicting(part)
        raise part.refuse(f"{error}; {apart}" if apart else str(error), part.words) from None
    part.edits = [chosen[name] for name in sorted(chosen)]
    part.notes += dict.fromkeys(_pulling_apart(part))


def _conflicting(part: Part) -> str:
    """Which two intents ask for different values of one parameter; empty if none do."""
    for first, second in combinations(part.asked, 2):
        wanted = {e.parameter: e.value for e in first.edits}
        if any(wanted.get(e.parameter, e.value) != e.value for e in second.edits):
            return f"'{first.intent}' and '{second.intent}' pull apart; {THEN}"
    return ""


def _pulling_apart(part: Part) -> Iterator[str]:
    """A warning for each two intents of a part of which one ends what the other asks for."""
    for first, second in combinations(part.asked, 2):
        lost = [*_ended(first, second), *_ended(second, first)]
        if lost:
            yield f"'{first.intent}' and '{second.intent}' pull apart ({lost[0]}); {THEN}"


def _ended(other: Asked, ending: Asked) -> Iterator[str]:
    """Addresses of one intent that another would have ended, had it been said before, and does not set itself."""
    own = {e.parameter.rpartition(".")[0] for e in ending.edits}
    for edit in other.edits:
        if edit.parameter.rpartition(".")[0] not in own and any(
            end == "*" or _under(edit.parameter, end) for end in ending.ends
        ):
            yield edit.parameter

