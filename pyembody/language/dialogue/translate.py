"""The offline translator of a dialogue: a text in, a patch out, or why there is none; no network, no model."""

from __future__ import annotations

from ...spec.errors import SpecError
from ..words import Sentence, Word, read_sentence
from .behaviour import MAX_STAGES, Patch, Stage, Unsupported, apply_patch, patched
from .lexicon import Lexicon
from .parts import NotUnderstoodError, Part, read_part
from .state import Dialogue, Turn

MAX_CHARACTERS = 4000


def translate(text: str, state: Dialogue) -> Patch | Unsupported:
    """Return the patch that a text asks for in a dialogue, or why it is not understood; `state` stays as it is.

    The text is understood whole or not at all. Words that relate to what is asked for now (`higher`,
    `the other one`) become absolute values, so that the patch means the same however often it is applied.
    """
    if len(text) > MAX_CHARACTERS:
        return Unsupported(f"expected at most {MAX_CHARACTERS} characters, got {len(text)}", text[:60])
    sentence = read_sentence(text, state.language, state.lexicon.phrases)
    try:
        _refuse_questions(sentence, state.lexicon)
        patch = _read(text, sentence, state)
        apply_patch(state.behaviour, patch, state.language)
    except NotUnderstoodError as error:
        return error.unsupported
    except SpecError as error:
        return Unsupported(str(error), text[:60])
    return patch


def say(text: str, state: Dialogue) -> Turn | Unsupported:
    """Translate a text and take its turn in the dialogue; one that is not understood changes nothing."""
    patch = translate(text, state)
    if isinstance(patch, Unsupported):
        return patch
    return state.add(patch, apply_patch(state.behaviour, patch, state.language))


def _refuse_questions(sentence: Sentence, lexicon: Lexicon) -> None:
    first = next((w for w in sentence.words if w.kind != "boundary"), None)
    if first is not None and lexicon.means(first, "question"):
        raise NotUnderstoodError(Unsupported("a question, not something to do", sentence.text_of(sentence.words)))


def _read(text: str, sentence: Sentence, state: Dialogue) -> Patch:
    parts = _parts(sentence, state.lexicon)
    if not parts:
        raise NotUnderstoodError(Unsupported("says nothing to do", text[:60], _examples(state)))
    read, stages = _read_parts(sentence, parts, state)
    if read[-1].expands or read[-1].undo:
        return _alone(text, read[-1], parts, state)
    if len(stages) > MAX_STAGES:
        raise NotUnderstoodError(Unsupported(f"expected at most {MAX_STAGES} stages, got {len(stages)}", text[:60]))
    understood = tuple(u for part in read for u in part.understood)
    notes = tuple(n for part in read for n in part.notes)
    things = tuple(dict.fromkeys(t for part in read if part.said_before for t in part.last))
    if len(stages) > 1 or _is_anew(parts[0]):
        return Patch(text, (), tuple(stages), understood, notes, things)
    if not read[-1].edits and not understood:
        raise NotUnderstoodError(Unsupported("says nothing to do", text[:60], _examples(state)))
    return Patch(text, tuple(read[-1].edits), (), understood, notes, things)


def _read_parts(sentence: Sentence, parts: list[list[Word]], state: Dialogue) -> tuple[list[Part], list[Stage]]:
    """The parts as they are read, and their stages; what a part needs done first goes into stages before it."""
    values = dict(state.behaviour.stages[-1].values)
    last, said_before = last_things(state), False
    intents = state.turns[-1].patch.understood if state.turns else ()
    waiting = [(sentence, words) for words in reversed(parts)]
    stages: list[Stage] = []
    read: list[Part] = []
    while waiting and len(read) < 4 * MAX_STAGES:
        here, words = waiting.pop()
        values = {} if _is_anew(words) else values
        part = Part(words, here, state.lexicon, values, state.touched(), last, said_before, intents)
        read_part(part)
        if part.split >= 0:
            cut = next(k for k, word in enumerate(words) if word.start >= part.split)
            waiting += [(here, words[cut:]), (here, words[:cut])]
            continue
        if part.first:
            before = read_sentence(part.first, state.language, state.lexicon.phrases)
            waiting += [(here, words), (before, list(before.words))]
            read.append(_note(part))
            continue
        read.append(part)
        if part.expands or part.undo:
            break
        stages.append(patched(values, part.edits, state.language))
        values, last, said_before = dict(stages[-1].values), part.last, part.said_before
        intents = tuple(part.understood) or intents
    return read, stages


def _note(part: Part) -> Part:
    """A part of which only the note is kept that something else is done first."""
    return Part([], part.sentence, part.lexicon, part.values, (), notes=[f"first: {part.first}"])


def _parts(sentence: Sentence, lexicon: Lexicon) -> list[list[Word]]:
    """The words between `then`s, without empty parts."""
    parts: list[list[Word]] = [[]]
    for word in sentence.words:
        if lexicon.means(word, "then"):
            parts.append([])
        else:
            parts[-1].append(word)
    return [p for p in parts if any(w.kind not in ("filler", "boundary") for w in p)]


def _is_anew(words: list[Word]) -> bool:
    """Whether a part begins with `only` and a parameter's name, as descriptions do."""
    known = [w for w in words if w.kind not in ("filler", "boundary")]
    named = len(known) > 1 and (known[1].entry.address != "" or "nothing" in known[1].entry.concepts)
    return named and known[0].kind == "only"


def _alone(text: str, part: Part, parts: list[list[Word]], state: Dialogue) -> Patch:
    """What undoes, or is said in other words, must be all that is said."""
    if len(parts) > 1 or part.edits or len(part.understood) > 1:
        raise part.refuse("must be said alone", part.words)
    if part.undo:
        if not state.turns:
            raise part.refuse("there is nothing to undo", part.words, state.language.examples[:3])
        return Patch(text, (), state.before.stages, tuple(part.understood), (), undo=True)
    other = translate(part.expands, state)
    if isinstance(other, Unsupported):
        raise NotUnderstoodError(other)
    notes = (*other.notes, f"read as: {part.expands}")
    return Patch(text, other.edits, other.stages, tuple(part.understood), notes, other.things)


def last_things(state: Dialogue) -> tuple[str, ...]:
    """Return the things that the last turn which named any was about."""
    things = state.lexicon.behaviours.things
    for addresses in state.touched():
        found = dict.fromkeys(t for a in addresses for t in _things_in(a) if t in things)
        if found:
            return tuple(found)
    return ()


def _things_in(address: str) -> list[str]:
    return [thing for part in address.split(".")[1:-1] for thing in part.split("-")]


def _examples(state: Dialogue) -> tuple[tuple[str, float], ...]:
    return tuple((example, 0.0) for example in state.language.examples[:3])
