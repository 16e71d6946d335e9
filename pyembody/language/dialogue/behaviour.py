"""What is asked for: stages of parameter values; and patches, which change them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from ...spec.errors import SpecError, unknown
from ..behaviours import Behaviours
from ..edit import Edit
from ..vocabulary import Language

MAX_EDITS, MAX_STAGES = 64, 8
DIGITS = 8


class Stage(Struct, frozen=True):
    """The values that a stage asks for, by address, in the parameters' own units.

    A term counts if one of its addresses is here, with its template's weight unless `.weight` is here.
    """

    values: dict[str, float] = field(default_factory=dict)

    @property
    def terms(self) -> list[str]:
        """The terms asked for, as `template` or `template.instance`, in order of their names."""
        return sorted({address.rpartition(".")[0] for address in self.values})


class Behaviour(Struct, frozen=True):
    """One stage after the other. A stage but the last is done when all its terms are reached."""

    stages: tuple[Stage, ...] = (Stage(),)


class Patch(Struct, frozen=True):
    """Edits of the last stage, in the order of their names; or `stages`, and then all of them anew.

    `understood` tells which intents the text was read as, `notes` what was limited, left out or pulls apart, `things`
    which paws or objects it is about. `undo`: the stages are those of the turn before.
    """

    text: str
    edits: tuple[Edit, ...] = ()
    stages: tuple[Stage, ...] = ()
    understood: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    things: tuple[str, ...] = ()
    undo: bool = False


class Unsupported(Struct, frozen=True):
    """Why a text was not turned into a patch, the part of it, and the nearest intents with their scores."""

    reason: str
    span: str = ""
    nearest: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        part = f"'{self.span}': " if self.span else ""
        names = ", ".join(f"'{name}'" for name, _ in self.nearest)
        return f"{part}{self.reason}" + (f"; nearest: {names}" if names else "")


def behaviours_of(language: Language) -> Behaviours:
    """Return what a language can plan; a SpecError if its task has no templates."""
    if language.behaviours is None:
        raise SpecError(f"{language.file}: behaviours: expected a table of intents, got none")
    return language.behaviours


def checked(language: Language, edit: Edit) -> Edit:
    """Return an edit in its parameter's own unit; a SpecError tells an unknown address, unit, or range."""
    behaviours = behaviours_of(language)
    address = ordered(behaviours, edit.parameter)
    if edit.value is None:
        return Edit(_clearable(behaviours, address), None)
    parameter = behaviours.vocabulary.parameter(address)
    if not isinstance(edit.value, float | int) or not math.isfinite(edit.value):
        raise SpecError(f"{edit.parameter}: expected a finite number, got {edit.value!r}")
    factors = {parameter.unit: 1.0, **language.english.units.get(parameter.unit or "1", {})}
    if edit.unit not in factors:
        raise unknown(f"{edit.parameter} (in {parameter.unit or 'no unit'})", "unit", edit.unit, factors)
    value = edit.value * factors[edit.unit]
    if not parameter.holds(value):
        raise SpecError(f"{edit.parameter}: {parameter.range_text}, got {value:g}")
    return Edit(address, rounded(parameter.limited(value)), parameter.unit)


def ordered(behaviours: Behaviours, address: str) -> str:
    """Return the address with a pair of things in the order of its template: a distance has no direction."""
    name, _, rest = address.partition(".")
    pair, _, parameter = rest.partition(".")
    first, _, second = pair.partition("-")
    turned = f"{second}-{first}"
    templates = behaviours.vocabulary.templates
    if name in templates and turned in templates[name].instances:
        return ".".join(part for part in (name, turned, parameter) if part)
    return address


def rounded(value: float) -> float:
    """Return a value with as many digits as a description of it has; no negative zero."""
    return float(f"{value:.{DIGITS}g}") + 0.0


def apply_patch(behaviour: Behaviour, patch: Patch, language: Language) -> Behaviour:
    """Return the behaviour after a patch; the same for any order of its edits, and if it is applied twice.

    Raises SpecError for edits that disagree, exclude each other, are out of range, or are too many.
    """
    if len(patch.stages) > MAX_STAGES:
        raise SpecError(f"stages: expected at most {MAX_STAGES}, got {len(patch.stages)}")
    if patch.stages:
        return Behaviour(tuple(patched({}, _edits(s, language), language) for s in patch.stages))
    return Behaviour((patched(behaviour.stages[-1].values, patch.edits, language),))


def patched(values: Mapping[str, float], edits: Iterable[Edit], language: Language) -> Stage:
    """Return a stage of `values` with edits in it; setting one of a group of terms that exclude each
    other clears the others. Raises SpecError.
    """
    behaviours = behaviours_of(language)
    chosen = agreed(edits, language)
    groups = _exclusive(chosen, behaviours)
    cleared = [e.parameter for e in chosen.values() if e.value is None]
    kept = {
        address: value
        for address, value in values.items()
        if not any(covers(part, address) for part in cleared) and address.split(".")[0] not in groups
    }
    new = {e.parameter: float(e.value) for e in chosen.values() if isinstance(e.value, float | int)}
    return Stage(dict(sorted(_yielded(kept | new, behaviours).items())))


def _yielded(values: dict[str, float], behaviours: Behaviours) -> dict[str, float]:
    """The values without terms that fight with others: a paw that is held up does not step."""
    asked = {address.split(".")[0] for address, value in values.items() if value}
    out = {loser for loser, winner in behaviours.yields.items() if winner in asked}
    return {address: value for address, value in values.items() if address.split(".")[0] not in out}


def agreed(edits: Iterable[Edit], language: Language) -> dict[str, Edit]:
    """Return the edits by address, each in its own unit. Raises SpecError (`conflict`) if two disagree."""
    chosen: dict[str, Edit] = {}
    for edit in edits:
        ours = checked(language, edit)
        other = chosen.setdefault(ours.parameter, ours)
        if other != ours:
            raise SpecError(f"{ours.parameter}: conflict: {other} and {ours}", "conflict")
    if len(chosen) > MAX_EDITS:
        raise SpecError(f"edits: expected at most {MAX_EDITS}, got {len(chosen)}")
    return chosen


def _exclusive(chosen: Mapping[str, Edit], behaviours: Behaviours) -> set[str]:
    """The templates that the chosen ones exclude. Raises SpecError if two chosen exclude each other."""
    named = {address.split(".")[0] for address, edit in chosen.items() if edit.value is not None}
    excluded: set[str] = set()
    for members in behaviours.vocabulary.exclusive.values():
        here = [m for m in members if m in named]
        if len(here) > 1:
            raise SpecError(f"{here[0]}: conflict: it excludes {here[1]}", "conflict")
        excluded |= {m for m in members if here and m not in named}
    return excluded


def covers(part: str, address: str) -> bool:
    """Return whether an address is `part` or inside it: `foot_height`, `foot_height.FR`."""
    return part == address or address.startswith(f"{part}.")


def _clearable(behaviours: Behaviours, part: str) -> str:
    vocabulary = behaviours.vocabulary
    if part not in vocabulary.templates and part not in vocabulary.terms():
        vocabulary.parameter(part)
    return part


def _edits(stage: Stage, language: Language) -> list[Edit]:
    behaviours = behaviours_of(language)
    return [Edit(a, v, behaviours.vocabulary.parameter(a).unit) for a, v in stage.values.items()]
