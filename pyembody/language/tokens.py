"""Text to tokens, and numbers with units. ASCII only: other digits are unknown words."""

from __future__ import annotations

import re

from msgspec import Struct

from .vocabulary import English

_TOKEN = re.compile(
    r"(?P<number>(?:(?<![\w.,])[-+])?(?:\d|[.,]\d)[\d.,]*(?<=\d))"
    r"|(?P<word>[a-z]+(?:'[a-z]+)?(?:/[a-z]+)*|°(?:/[a-z]+)?)"
    r"|(?P<skip>\s+|(?<=[a-z])-(?=[a-z]))"
    r"|(?P<other>.)",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)
_PLAIN = re.compile(r"[-+]?(?:\d+|\d*\.\d+|\d+,(?!\d{3}$)\d+)", re.ASCII)
"""1, 1.5, .5 or 1,5; a comma with three digits behind it may be thousands."""


class Token(Struct, frozen=True):
    """A word, number or sign in lower case, and the characters [start, end) where it stands."""

    text: str
    start: int
    end: int
    number: bool = False


class Amount(Struct, frozen=True):
    """A number in a `unit` of the language; `unit` is empty if none was said."""

    value: float
    unit: str
    size: int
    signed: bool = False


def tokenise(text: str) -> list[Token]:
    """Return the tokens of a sentence: all of it but white space and hyphens inside words."""
    plain = text.replace("\u2019", "'").replace("\u2212", "-")  # same lengths, so places stay true
    found = _TOKEN.finditer(plain)
    return [
        Token(m.group().lower(), m.start(), m.end(), m.lastgroup == "number")
        for m in found
        if m.lastgroup != "skip"
    ]


def read_amount(tokens: list[Token], place: int, english: English) -> Amount | None:
    """Return the amount that begins at token `place`, or None."""
    read = _number(tokens, place, english)
    if read is None:
        return _article(tokens, place, english)
    value, size = read
    unit, factor, more = _unit(tokens, place + size, english)
    if unit:
        return Amount(value * factor, unit, size + more, tokens[place].text[0] in "+-")
    return Amount(value, "", size)


def _number(tokens: list[Token], place: int, english: English) -> tuple[float, int] | None:
    """The value and length of a number: digits, words, `point five`, `and a half`, `half a`."""
    token = tokens[place]
    if token.number:
        if not _PLAIN.fullmatch(token.text):
            return None
        value, size = float(token.text.replace(",", ".")), 1
    else:
        part = _fraction(tokens, place, english)
        whole = part or _number_word(tokens, place, english)
        if part or whole is None:
            return part
        value, size = whole
        value, size = _decimals(tokens, place, value, size, english)
    if _text(tokens, place + size) == "and":
        part = _fraction(tokens, place + size + 1, english)
        if part is not None:
            return value + part[0], size + 1 + part[1]
    return value, size


def _number_word(tokens: list[Token], place: int, english: English) -> tuple[float, int] | None:
    if _text(tokens, place + 1) == "hundred" and _text(tokens, place) in english.numbers:
        after = place + 2 + (_text(tokens, place + 2) == "and")
        rest = _tens(tokens, after, english) or (0.0, 2 - after + place)  # the `and` is left alone
        return 100.0 * english.numbers[_text(tokens, place)] + rest[0], after - place + rest[1]
    return _tens(tokens, place, english)


def _tens(tokens: list[Token], place: int, english: English) -> tuple[float, int] | None:
    first = english.numbers.get(_text(tokens, place))
    if first is None:
        return None
    second = english.numbers.get(_text(tokens, place + 1), 0)
    if first >= 20 and 0 < second < 10:
        return float(first + second), 2
    return float(first), 1


def _decimals(
    tokens: list[Token], place: int, value: float, size: int, english: English
) -> tuple[float, int]:
    if _text(tokens, place + size) != "point":
        return value, size
    digits = ""
    end = place + size + 1
    while english.numbers.get(_text(tokens, end), 10) < 10:
        digits += str(english.numbers[_text(tokens, end)])
        end += 1
    return (value + float(f"0.{digits}"), end - place) if digits else (value, size)


def _fraction(tokens: list[Token], place: int, english: English) -> tuple[float, int] | None:
    for size in (2, 1):
        value = english.fractions.get(_joined(tokens, place, size))
        if value is not None:
            for link in ("of a", "of an", "a", "an"):  # half a metre, a quarter of a metre
                words = len(link.split())
                if _joined(tokens, place + size, words) == link:
                    return value, size + words
            return value, size
    return None


def _article(tokens: list[Token], place: int, english: English) -> Amount | None:
    """`a metre per second`: one of a unit."""
    if _text(tokens, place) not in ("a", "an"):
        return None
    unit, factor, size = _unit(tokens, place + 1, english)
    return Amount(factor, unit, 1 + size) if unit else None


def _unit(tokens: list[Token], place: int, english: English) -> tuple[str, float, int]:
    """The longest unit phrase at `place`: unit (or empty), factor, number of tokens."""
    for size in (3, 2, 1):
        said = _joined(tokens, place, size)
        for unit, phrases in english.units.items():
            if said and said in phrases:
                return unit, phrases[said], size
    return "", 1.0, 0


def _text(tokens: list[Token], place: int) -> str:
    return tokens[place].text if place < len(tokens) else ""


def _joined(tokens: list[Token], place: int, size: int) -> str:
    return (
        " ".join(t.text for t in tokens[place : place + size])
        if place + size <= len(tokens)
        else ""
    )
