"""The data of a translator: the parameters that a task exposes, and the words that set them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from ..spec.errors import SpecError, unknown
from ..spec.files import read_toml
from ..spec.load import convert
from .behaviours import Behaviours, behaviour_faults, read_behaviours
from .paths import split_path

Setting = float | str | tuple[float, ...]
ENGLISH = Path(__file__).with_name("english.toml")


class LanguageParameter(Struct, frozen=True, forbid_unknown_fields=True):
    """A parameter of a task that words may change. It has exactly one kind of goal inside the task:

    `target` a path such as `params.body_height`, set to the value; `interval` two paths, set to the
    interval from 0 to the value; `choices` named tables of path = setting (`""` clears an optional
    one). Of an interval, `exact` is what else is set when words ask for one value only, so that
    nothing but it is commanded. `range` is legal, inclusive. `typical` is meant when words name no
    amount; `side` is the sign meant when they name no direction (0: they must). `measured` is where
    an evaluation tells what came of it, such as `gait.swing_peak` or a metric's name.
    """

    doc: str
    target: str = ""
    interval: tuple[str, str] | None = None
    exact: dict[str, Setting] = field(default_factory=dict)
    choices: dict[str, dict[str, Setting]] = field(default_factory=dict)
    unit: str = ""
    range: tuple[float, float] = (0.0, 0.0)
    default: float | str = 0.0
    typical: float = 0.0
    side: Literal[-1, 0, 1] = 0
    measured: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path of the task that this parameter writes."""
        chosen = sorted({path for settings in self.choices.values() for path in settings})
        return (*(self.interval or ()), *((self.target,) if self.target else ()), *chosen)


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """Phrases that mean the same. One phrase may play several roles; the sentence decides which.

    `moves` a verb of motion along an axis, with a typical `speed` and `side`; `towards` a
    direction: axis = sign, 0 where the words tell none and `side` is meant; `manner` a factor on
    the typical speed; `attribute` and `topic` meet in a `Meaning`; `comparative` makes an attribute
    or manner relative to what is set now; `stand` all axes zero; `sets` parameter = value, as it
    is; `needs` an axis without which the phrase says nothing.

    Of behaviours: `concepts` that the phrase means, `thing` the features of a paw or object that it
    names (`plural`: of several), `address` the parameter that the phrase is the name of.
    """

    say: tuple[str, ...]
    moves: str = ""
    speed: float | None = None
    side: Literal[-1, 0, 1] = 0
    towards: dict[str, Literal[-1, 0, 1]] = field(default_factory=dict)
    manner: float | None = None
    topic: str = ""
    attribute: str = ""
    comparative: bool = False
    stand: bool = False
    sets: dict[str, float | str] = field(default_factory=dict)
    needs: str = ""
    concepts: tuple[str, ...] = ()
    thing: dict[str, str] = field(default_factory=dict)
    plural: bool = False
    address: str = ""


class Meaning(Struct, frozen=True, forbid_unknown_fields=True):
    """One of `topics` with one of `attributes` sets `parameter` to `value`; as a comparative it
    adds `step` to it.

    Without attributes: an amount said of the topic, in the parameter's unit, is the value. Topic ""
    is no topic.
    """

    parameter: str
    topics: tuple[str, ...]
    attributes: tuple[str, ...] = ("",)
    value: float | None = None
    step: float = 0.0


class English(Struct, frozen=True, forbid_unknown_fields=True):
    """What every task's language shares: small words, number words, and units as unit = {phrase =
    factor}.

    `exact` and `only` make the amount beside them the only one; without an amount, `exact` words
    are refused and `only` words say nothing.
    """

    filler: tuple[str, ...]
    boundary: tuple[str, ...]
    negation: tuple[str, ...]
    exact: tuple[str, ...]
    only: tuple[str, ...]
    degrees: dict[str, float]
    numbers: dict[str, int]
    fractions: dict[str, float]
    units: dict[str, dict[str, float]]


class Language(Struct, frozen=True, forbid_unknown_fields=True):
    """A task folder's `language.toml`, checked. `axes` are parameters of motion: naming one sets
    the others to 0. `behaviours`: what is planned from words, of folders with a `templates.toml`.
    """

    english: English
    parameters: dict[str, LanguageParameter] = field(default_factory=dict)
    behaviours: Behaviours | None = None
    axes: tuple[str, ...] = ()
    words: tuple[Entry, ...] = ()
    meanings: tuple[Meaning, ...] = ()
    filler: tuple[str, ...] = ()
    hints: dict[str, tuple[str, ...]] = field(default_factory=dict)
    examples: tuple[str, ...] = ()
    file: str = ""

    def rows(self, topic: str, attribute: str) -> tuple[Meaning, ...]:
        """Return the meanings of an attribute said of a topic."""
        return tuple(m for m in self.meanings if topic in m.topics and attribute in m.attributes)

    def entry_parameters(self, entry: Entry) -> set[str]:
        """Return the names of the parameters that a phrase may touch."""
        names = {*entry.sets, *entry.towards, *((entry.moves,) if entry.moves else ())}
        if entry.attribute:
            rows = (m for m in self.meanings if entry.attribute in m.attributes)
            names |= {m.parameter for m in rows if not entry.topic or entry.topic in m.topics}
        return names | (set(self.axes) if entry.stand else set())


def load_language(path: str | Path) -> Language:
    """Return the checked language of a task folder (or of its `language.toml`); a SpecError names
    file and fault.
    """
    file = Path(path)
    file = file / "language.toml" if file.is_dir() else file
    data = read_toml(file)
    data["english"] = read_toml(ENGLISH)
    data["file"] = str(file)
    if "behaviours" in data:
        read_behaviours(data, file)
    language = convert(data, Language, str(file))
    for fault in _faults(language):
        raise fault
    return language


def find_language(folder: str) -> Language | None:
    """Return the language of the task folder that a run was made from, None if it is no longer where it was."""
    try:
        return load_language(folder or "nowhere")
    except SpecError:
        return None


def _faults(language: Language) -> Iterator[SpecError]:
    yield from _parameter_faults(language)
    for place, name in _used_parameters(language):
        if name not in language.parameters:
            yield unknown(f"{language.file}: {place}", "parameter", name, language.parameters)
    if language.behaviours is not None:
        concepts = {concept for entry in language.words for concept in entry.concepts}
        yield from behaviour_faults(language.behaviours, concepts, language.file)
    owner: dict[str, tuple[str, ...]] = {}
    for entry in language.words:
        for phrase in entry.say:
            if phrase in owner or phrase != " ".join(phrase.lower().replace("-", " ").split()):
                why = (
                    "said twice"
                    if phrase in owner
                    else "expected lower-case words with single spaces"
                )
                yield SpecError(f"{language.file}: words: '{phrase}': {why}")
            owner[phrase] = entry.say


def _parameter_faults(language: Language) -> Iterator[SpecError]:
    writer: dict[str, str] = {}
    for name, p in language.parameters.items():
        place = f"{language.file}: parameters.{name}"
        if bool(p.target) + (p.interval is not None) + bool(p.choices) != 1:
            yield SpecError(f"{place}: expected exactly one of target, interval, choices")
        if not p.choices and not p.range[0] < p.range[1]:
            yield SpecError(f"{place}.range: expected low < high, got {list(p.range)}")
        if p.choices and p.default not in p.choices:
            yield unknown(f"{place}.default", "choice", str(p.default), p.choices)
        if p.exact and not p.interval:
            yield SpecError(f"{place}.exact: expected only beside an interval")
        for path in (*p.paths, *p.exact):
            yield from _path_faults(place, path)
        for path in p.paths:
            if writer.setdefault(path, name) != name:
                yield SpecError(f"{place}: '{path}' is already written by {writer[path]}")


def _path_faults(place: str, path: str) -> Iterator[SpecError]:
    try:
        split_path(path)
    except SpecError as error:
        yield SpecError(f"{place}: {error}")


def _used_parameters(language: Language) -> Iterator[tuple[str, str]]:
    yield from (("axes", name) for name in language.axes)
    yield from ((f"meanings of {m.attributes[0]}", m.parameter) for m in language.meanings)
    for entry in language.words:
        names = {*entry.sets, *entry.towards, entry.moves, entry.needs} - {""}
        yield from ((f"words '{entry.say[0]}'", name) for name in sorted(names))
