"""The data of behaviours: term templates, the things they are said of, and the intents of sentences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct, field

from ..spec.errors import SpecError, unknown
from ..spec.files import read_toml
from ..spec.vocabulary import WEIGHT, Vocabulary, load_vocabulary

SHARED = Path(__file__).with_name("dialogue.toml")
Action = Literal["", "height", "rate", "undo"]


class IntentEdit(Struct, frozen=True, forbid_unknown_fields=True):
    """A parameter that an intent sets: `{each}`, `{a}`, `{b}` in it are the things that were said.

    An amount in the unit `amount` replaces `value`; `by` has other values beside a concept, `sign`
    factors on whatever the value is. It is set only while something below `when` is asked for.
    """

    parameter: str
    value: float
    amount: str = ""
    by: dict[str, float] = field(default_factory=dict)
    sign: dict[str, float] = field(default_factory=dict)
    when: str = ""


class Before(Struct, frozen=True, forbid_unknown_fields=True):
    """What is said first, in a stage of its own, unless an address has a value other than 0, or when a term counts."""

    say: str
    unless: str = ""
    when: str = ""


class Intent(Struct, frozen=True, forbid_unknown_fields=True):
    """Something that can be asked for. Each of `needs` is a set of concepts that says it; `allows`
    may stand beside them. Of intents that stand between `and`s it takes those it `absorbs` as said of itself.

    It sets `edits` and a `preset` (what is in both is as in `edits`), and clears what earlier turns set below
    `clears` (`*`: all).
    `expands` is a sentence said instead, `before` what must be done first. `action` moves the last height or
    rate by `step`, or undoes.
    """

    name: str
    needs: tuple[str, ...]
    allows: tuple[str, ...] = ()
    absorbs: tuple[str, ...] = ()
    edits: tuple[IntentEdit, ...] = ()
    preset: str = ""
    clears: tuple[str, ...] = ()
    expands: str = ""
    before: tuple[Before, ...] = ()
    action: Action = ""
    step: float = 0.0

    @property
    def things(self) -> int:
        """How many things it must be said of."""
        text = " ".join((*(e.parameter for e in self.edits), *self.clears, self.expands))
        return 2 if "{b}" in text else int("{a}" in text or "{each}" in text)

    @property
    def each(self) -> bool:
        """Whether it may be said of more things than it must be."""
        return any("{each}" in text for text in (*(e.parameter for e in self.edits), *self.clears))


class Behaviours(Struct, frozen=True, forbid_unknown_fields=True):
    """What can be planned from words: the `vocabulary` of the folder's `templates.toml` and its words.

    `say` names parameters (`template.parameter`), `names` their instances; `things` have features that
    words give, `relations` the features in which one differs from another. `heights` and `rates`
    are what `higher` and `faster` move. A template in `yields` is left out while the other asks for
    anything but 0. `planners` names the planner's settings for behaviours that ask for an address or
    term, `skills` the stages in which such a behaviour is done; the first that is asked for counts.
    """

    intents: tuple[Intent, ...]
    vocabulary: Vocabulary
    say: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    things: dict[str, dict[str, str]] = field(default_factory=dict)
    relations: dict[str, tuple[str, ...]] = field(default_factory=dict)
    yields: dict[str, str] = field(default_factory=dict)
    planners: dict[str, str] = field(default_factory=dict)
    skills: dict[str, str] = field(default_factory=dict)
    heights: tuple[str, ...] = ()
    rates: tuple[str, ...] = ()


def read_behaviours(data: dict[str, Any], file: Path) -> None:
    """Add the vocabulary beside `file`, the shared words of a dialogue and the names of all
    parameters to its data, in place.
    """
    vocabulary, shared = load_vocabulary(file.with_name("templates.toml")), read_toml(SHARED)
    behaviours = data["behaviours"]
    behaviours["vocabulary"] = vocabulary
    behaviours["intents"] = [*behaviours.get("intents", []), *shared["intents"]]
    data["words"] = [*data.get("words", []), *shared["words"], *_named(behaviours, vocabulary)]
    data["filler"] = [*data.get("filler", []), *shared["filler"]]
    english = data["english"]
    data["english"] = english | {"units": english["units"] | shared["units"]}


def _named(behaviours: dict[str, Any], vocabulary: Vocabulary) -> Iterator[dict[str, Any]]:
    """Words that are the name of one parameter."""
    for term, (name, instance) in vocabulary.terms().items():
        for parameter in vocabulary.templates[name].numbers:
            said = spoken(behaviours["say"], behaviours["names"], name, instance, parameter)
            yield {"say": [said], "address": f"{term}.{parameter}"}


def spoken(say: dict[str, str], names: dict[str, str], template: str, instance: str, parameter: str) -> str:
    """Return the name of a parameter in words, such as `height of the front left paw`."""
    plain = f"{template} {parameter}".replace("_", " ")
    if parameter == WEIGHT:
        plain = f"weight of {template}".replace("_", " ")
    words = say.get(f"{template}.{parameter}", plain)
    parts = [names.get(part, part.replace("_", " ")).lower() for part in instance.split("-") if part]
    return f"{words} of {' and '.join(parts)}" if parts else words


def behaviour_faults(behaviours: Behaviours, concepts: set[str], file: str) -> Iterator[SpecError]:
    """Yield what is wrong between intents, templates and words."""
    for skill in behaviours.skills.values():
        if skill not in behaviours.vocabulary.skills:
            yield unknown(f"{file}: behaviours.skills", "skill", skill, behaviours.vocabulary.skills)
    concepts = concepts | {f"{unit}_amount" for unit in ("m", "rad", "m/s", "rad/s", "1")}
    names = [intent.name for intent in behaviours.intents]
    for intent in behaviours.intents:
        place = f"{file}: intent '{intent.name}'"
        for other in intent.absorbs:
            if other not in names:
                yield unknown(f"{place}: absorbs", "intent", other, names)
        for concept in " ".join((*intent.needs, *intent.allows)).split():
            if concept not in concepts:
                yield unknown(place, "concept", concept, concepts)
        presets = behaviours.vocabulary.presets
        if intent.preset and intent.preset not in presets:
            yield unknown(place, "preset", intent.preset, presets)
        for edit in intent.edits:
            name, *_, parameter = edit.parameter.split(".")
            template = behaviours.vocabulary.templates.get(name)
            if template is None:
                yield unknown(place, "template", name, behaviours.vocabulary.templates)
            elif parameter not in template.numbers:
                yield unknown(f"{place}: {name}", "parameter", parameter, template.numbers)
