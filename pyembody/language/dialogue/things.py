"""Which paws or objects are meant: `front left`, `both front paws`, `the diagonal one`, `it`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from ..words import Word
from .lexicon import Lexicon

RELATION, KIND, SAME = "relation", "kind", "same"


class Meant(Struct, frozen=True):
    """The things that a group of words means, or why it means none."""

    things: tuple[str, ...] = ()
    fault: str = ""
    choices: tuple[str, ...] = ()


class _Group(Struct):
    words: list[Word]
    features: dict[str, str] = field(default_factory=dict)
    plural: bool = False

    def joins(self, new: dict[str, str]) -> bool:
        """Whether a word with these features goes on with the group."""
        if RELATION in new and set(self.features) - {KIND, RELATION}:
            return False
        if new.get(RELATION) == SAME:
            return True  # `the paw diagonal to it`
        if self.features.get(RELATION) == SAME and set(new) - {KIND}:
            return False  # `move it to the bowl`
        return not any(key in self.features for key in new)


def meant_things(words: Iterable[Word], lexicon: Lexicon, last: tuple[str, ...]) -> dict[int, Meant]:
    """Return what each word of a thing means, by the place where it starts; `last` was spoken of before."""
    found: dict[int, Meant] = {}
    for group in _groups(words):
        meant = _resolve(group, lexicon, last)
        last = meant.things or last
        found.update({word.start: meant for word in group.words})
    return found


def _groups(words: Iterable[Word]) -> list[_Group]:
    groups: list[_Group] = []
    is_open = False
    for word in words:
        features = word.entry.thing
        if features or word.entry.plural:
            if not (is_open and groups[-1].joins(features)):
                groups.append(_Group([]))
            group = groups[-1]
            group.words.append(word)
            group.features = features | group.features
            group.plural = group.plural or word.entry.plural
            is_open = True
        elif word.kind != "filler":
            is_open = False
    return [group for group in groups if group.features]


def _resolve(group: _Group, lexicon: Lexicon, last: tuple[str, ...]) -> Meant:
    behaviours = lexicon.behaviours
    features = {k: v for k, v in group.features.items() if k not in (RELATION, KIND)}
    relation = group.features.get(RELATION, "" if features or group.plural else SAME)
    if relation:
        if not last:
            return Meant(fault="which one?", choices=_names(behaviours.things, lexicon))
        flipped = behaviours.relations.get(relation, ())
        related = [_other(thing, flipped, lexicon) for thing in (last if relation == SAME else last[-1:])]
        if any(thing == "" for thing in related):
            return Meant(fault="which one?", choices=_names(behaviours.things, lexicon))
        return Meant(tuple(dict.fromkeys(_with(thing, features, lexicon) for thing in related)))
    matches = [t for t, own in behaviours.things.items() if all(own.get(k) == v for k, v in features.items())]
    if len(matches) == 1 or (matches and group.plural):
        return Meant(tuple(matches))
    return Meant(fault="which one?" if matches else "there is no such thing", choices=_names(matches, lexicon))


def _other(thing: str, flipped: Iterable[str], lexicon: Lexicon) -> str:
    """The thing that differs from `thing` in the flipped features alone; empty if there is none."""
    things = lexicon.behaviours.things
    for other, features in things.items():
        differs = {key for key in features if features[key] != things[thing].get(key)}
        if differs == set(flipped):
            return other
    return ""


def _with(thing: str, features: Mapping[str, str], lexicon: Lexicon) -> str:
    """The thing like `thing` but for what was said of it: `the opposite hind paw`."""
    things = lexicon.behaviours.things
    wanted = {**things[thing], **features}
    return next((other for other, own in things.items() if own == wanted), thing)


def _names(things: Iterable[str], lexicon: Lexicon) -> tuple[str, ...]:
    return tuple(lexicon.behaviours.names.get(thing, thing) for thing in things)[:8]
