"""Units: rational exponents of m, kg, s and rad, read from text and inferred by solving linear
equations.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import lru_cache

from msgspec import Struct

from ..spec.errors import SpecError, unknown

Power = int | Fraction
"""An exponent: whole numbers, which nearly all are, stay plain integers, which are much faster."""
Powers = tuple[tuple[str, Power], ...]


def _power(name: str, power: Power) -> str:
    return name if power == 1 else f"{name}^{power}"


def _plain(power: Power) -> Power:
    return power.numerator if power.denominator == 1 else power


def _collect(powers: list[tuple[str, Power]]) -> Unit:
    total: dict[str, Power] = {}
    for name, power in powers:
        total[name] = total.get(name, 0) + power
    return Unit(tuple(sorted((n, _plain(p)) for n, p in total.items() if p)))


@lru_cache(maxsize=4096)
def _product(left: Powers, right: Powers, exponent: Power) -> Unit:
    """Return left * right^exponent; an expression asks for few of them again and again."""
    return _collect([*left, *((name, power * exponent) for name, power in right)])


class Unit(Struct, frozen=True, gc=False):
    """A product of powers of m, kg, s, rad, and of unknowns (names that begin with `?`) still to be
    inferred.
    """

    powers: Powers = ()

    def __mul__(self, other: Unit) -> Unit:
        if not (self.powers and other.powers):
            return self if self.powers else other
        return _product(self.powers, other.powers, 1)

    def __truediv__(self, other: Unit) -> Unit:
        return _product(self.powers, other.powers, -1) if other.powers else self

    def __pow__(self, exponent: Power) -> Unit:
        return _product((), self.powers, exponent) if self.powers else self

    def __str__(self) -> str:
        shown = [(n, p) for n, p in self.powers if not n.startswith("?")]
        above = " ".join(_power(n, p) for n, p in shown if p > 0)
        below = "".join("/" + _power(n, -p) for n, p in shown if p < 0)
        return (above or "1") + below

    @property
    def unknowns(self) -> tuple[str, ...]:
        """Names of the unknowns in this unit."""
        return tuple(name for name, _ in self.powers if name.startswith("?"))


ONE = Unit()
M, KG, S, RAD = (Unit(((name, 1),)) for name in ("m", "kg", "s", "rad"))
NEWTON = KG * M / S**2

SYMBOLS: dict[str, tuple[Unit, float]] = {
    "1": (ONE, 1.0),
    "m": (M, 1.0),
    "kg": (KG, 1.0),
    "s": (S, 1.0),
    "rad": (RAD, 1.0),
    "N": (NEWTON, 1.0),
    "J": (NEWTON * M, 1.0),
    "W": (NEWTON * M / S, 1.0),
    "Pa": (NEWTON / M**2, 1.0),
    "Hz": (ONE / S, 1.0),
    "cm": (M, 0.01),
    "mm": (M, 0.001),
    "km": (M, 1000.0),
    "g": (KG, 0.001),
    "ms": (S, 0.001),
    "min": (S, 60.0),
    "h": (S, 3600.0),
    "deg": (RAD, math.pi / 180.0),
    "turn": (RAD, 2.0 * math.pi),
}
"""Unit symbols: the unit and how many SI units one of it is."""

_WORD = re.compile(r"[A-Za-z]{1,16}(?![A-Za-z])")
_FACTOR = re.compile(r"([A-Za-z]+|1)(?:\^(-?\d{1,2}))?")


@lru_cache(maxsize=1024)
def parse_scaled(text: str, place: str) -> tuple[Unit, float]:
    """Return the unit of a text such as `N m` or `km/h`, and how many SI units one of it is. Raises
    SpecError.
    """
    unit, scale = ONE, 1.0
    for i, part in enumerate((text.strip() or "1").split("/")):
        for factor in part.replace("*", " ").split() or [""]:
            match = _FACTOR.fullmatch(factor)
            if match is None:
                raise SpecError(f"{place}: expected a unit such as 'm/s^2' or 'N m', got '{text}'")
            if match[1] not in SYMBOLS:
                apart = _apart(match[1])
                if apart:
                    raise SpecError(f"{place}: unknown unit '{match[1]}', did you mean '{apart}'?")
                raise unknown(place, "unit", match[1], SYMBOLS)
            base, size = SYMBOLS[match[1]]
            exponent = int(match[2] or 1) * (1 if i == 0 else -1)
            unit, scale = unit * base**exponent, scale * size**exponent
    return unit, scale


def parse_unit(text: str, place: str) -> Unit:
    """Return the SI unit of a text such as `m/s`. Raises SpecError, also if it is not SI."""
    spaced = _WORD.sub(lambda word: _apart(word[0]) or word[0], text)
    unit, scale = parse_scaled(spaced, place)
    if not math.isclose(scale, 1.0, rel_tol=1e-12):
        raise SpecError(f"{place}: expected an SI unit, got '{text}' (1 {spaced} is {scale:g} {unit})")
    return unit if spaced == text else parse_scaled(text, place)[0]


def _apart(word: str) -> str:
    """A word that is no symbol as several ones, such as `N m` of `Nm`; empty if it is not made of them."""
    if word in SYMBOLS:
        return ""
    for i in range(len(word) - 1, 0, -1):
        rest = word[i:] if word[i:] in SYMBOLS else _apart(word[i:])
        if word[:i] in SYMBOLS and rest:
            return f"{word[:i]} {rest}"
    return ""


class UnitError(Exception):
    """Two units that cannot be made equal, as resolved."""

    def __init__(self, left: Unit, right: Unit) -> None:
        super().__init__(left, right)
        self.left, self.right = left, right


class UnitSolver:
    """Solves the equations between units that an expression poses.

    Exponents are rational, so units form a vector space and one elimination step per equation is
    enough: each
    equation either already holds, or fixes one unknown, or contradicts the others.
    """

    def __init__(self) -> None:
        self._known: dict[str, Unit] = {}
        self._count = 0

    def fresh(self) -> Unit:
        """Return a new unknown unit."""
        self._count += 1
        return Unit(((f"?{self._count}", 1),))

    def mark(self) -> int:
        """Return what `forget` goes back to."""
        return len(self._known)

    def forget(self, mark: int) -> None:
        """Take back what was solved since a mark."""
        while len(self._known) > mark:
            self._known.popitem()

    def resolve(self, unit: Unit) -> Unit:
        """Return `unit` with every solved unknown replaced."""
        for name, _ in unit.powers:
            if name in self._known:
                return self.resolve(self._replaced(unit))
        return unit

    def _replaced(self, unit: Unit) -> Unit:
        parts = [self._known[n] ** p if n in self._known else Unit(((n, p),)) for n, p in unit.powers]
        return _collect([power for part in parts for power in part.powers])

    def equal(self, left: Unit, right: Unit) -> None:
        """Make two units equal. Raises UnitError."""
        if left.powers == right.powers:
            return
        quotient = self.resolve(left / right)
        if not quotient.powers:
            return
        (name, power), *rest = quotient.powers  # sorted: unknowns come first
        if not name.startswith("?"):
            raise UnitError(self.resolve(left), self.resolve(right))
        self._known[name] = Unit(tuple(rest)) ** (-power if power in (1, -1) else _plain(Fraction(-1) / power))
