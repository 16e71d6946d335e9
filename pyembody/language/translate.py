"""The offline translator: a sentence in, typed edits or refusals out; no network, no model."""

from __future__ import annotations

from collections.abc import Mapping

from .apply import in_range, range_text
from .clauses import read_clause
from .edit import Edit, Refusal, Translation, Understood, Value
from .motion import read_motion
from .reading import Claim, Reading
from .refusals import refuse_words
from .vocabulary import Language
from .words import read_sentence

MAX_CHARACTERS = 400


def translate(
    text: str, language: Language, current: Mapping[str, Value] | None = None
) -> Translation:
    """Return the edits that a sentence asks for, or why not; it is understood whole or refused.

    `current` holds the values that `faster` or `a bit higher` are relative to
    (`current_values(task, language)`); what it lacks has its default.

    >>> from pyembody.language import load_language
    >>> from pyembody.spec import find_folder
    >>> language = load_language(find_folder("task", "velocity"))
    >>> [(e.parameter, e.value) for e in translate("lift your feet 10 cm", language).edits]
    [('foot_clearance', 0.1)]
    """
    if len(text) > MAX_CHARACTERS:
        reason = f"expected at most {MAX_CHARACTERS} characters, got {len(text)}"
        return Translation(_clean(text), refused=(Refusal(_clean(text), reason),))
    sentence = read_sentence(text, language)
    reading = Reading(sentence, language, current or {})
    refuse_words(reading)
    if not reading.refused:
        read_motion([read_clause(clause, reading) for clause in sentence.clauses], reading)
    chosen = {} if reading.refused else _agree(reading)
    edits = {name: _edit(claim, reading) for name, claim in sorted(chosen.items())}
    if not edits and not reading.refused:
        reading.refused.append(
            Refusal(_clean(text), "says nothing to change", language.examples[:3])
        )
    if reading.refused:
        return Translation(_clean(text), (), _known(reading), tuple(dict.fromkeys(reading.refused)))
    understood = tuple(
        _understood(name, claim, edits[name], reading) for name, claim in sorted(chosen.items())
    )
    return Translation(_clean(text), tuple(edits.values()), understood)


def _clean(text: str) -> str:
    shown = "".join(c if c.isprintable() else "\ufffd" for c in text[:MAX_CHARACTERS])
    return shown if len(text) <= MAX_CHARACTERS else f"{shown[:60]}..."


def _agree(reading: Reading) -> dict[str, Claim]:
    """One claim per parameter; two that differ are refused, a number out of range too."""
    chosen: dict[str, Claim] = {}
    for claim in reading.claims:
        first = chosen.setdefault(claim.parameter, claim)
        if first.value != claim.value:
            said = reading.sentence.text_of(first.words)
            reading.refuse(claim.words, f"contradicts '{said}' ({claim.parameter})")
        elif first is not claim:
            chosen[claim.parameter] = Claim(
                claim.parameter,
                claim.value,
                first.words + claim.words,
                first.firm or claim.firm,
                first.note or claim.note,
                first.exact or claim.exact,
            )
    for claim in chosen.values():
        _check_range(claim, reading)
    return chosen


def _check_range(claim: Claim, reading: Reading) -> None:
    parameter = reading.language.parameters[claim.parameter]
    if claim.firm and isinstance(claim.value, float) and not in_range(parameter, claim.value):
        said = [w for w in claim.words if w.kind == "amount"]
        reason = f"{claim.parameter}: {range_text(parameter)}, got {claim.value:.4g}"
        end = parameter.range[0] if claim.value < parameter.range[0] else parameter.range[1]
        reading.refuse(said, reason, [f"{abs(end):g} {parameter.unit}"])


def _edit(claim: Claim, reading: Reading) -> Edit:
    parameter = reading.language.parameters[claim.parameter]
    if isinstance(claim.value, str):
        return Edit(claim.parameter, claim.value)
    low, high = parameter.range
    limited = min(max(claim.value, low), high)
    rounded = float(f"{limited:.6g}") + 0.0  # no negative zero
    return Edit(claim.parameter, rounded, parameter.unit, claim.exact)


def _understood(name: str, claim: Claim, edit: Edit, reading: Reading) -> Understood:
    words = sorted(set(claim.words), key=lambda w: w.start)
    note = claim.note
    parameter = reading.language.parameters[name]
    if isinstance(claim.value, float) and not in_range(parameter, claim.value):
        note = f"limited to {edit.value:g} {edit.unit}".rstrip()
    return Understood(name, tuple(reading.said(w) for w in words), note)


def _known(reading: Reading) -> tuple[Understood, ...]:
    """The words of a refused sentence that mean something, by parameter."""
    said: dict[str, list[str]] = {}
    for word in reading.sentence.words:
        if word.kind == "entry":
            for name in sorted(reading.language.entry_parameters(word.entry)):
                said.setdefault(name, []).append(reading.said(word))
    return tuple(
        Understood(name, tuple(words), "not used: the sentence was refused")
        for name, words in said.items()
    )
