"""Relative words made absolute: `higher`, `5 cm lower`, `a bit faster`, against what is asked for now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..behaviours import Intent
from ..edit import Edit
from .behaviour import rounded
from .lexicon import Lexicon

HEIGHT_STEP, RATE_STEP = 0.05, 0.5
"""`higher` adds 5 cm; `faster` multiplies by 1.5, `slower` divides by it."""


def last_moved(
    action: str, lexicon: Lexicon, values: Mapping[str, float], touched: Sequence[Sequence[str]]
) -> list[str]:
    """Return the addresses of the height or rate that was set last and still counts; all of one kind."""
    kinds = lexicon.behaviours.heights if action == "height" else lexicon.behaviours.rates
    for addresses in touched:
        for kind in kinds:
            found = [a for a in addresses if _kind(a) == kind and a in values and (action == "height" or values[a])]
            if found:
                return found
    return []


def moved(
    address: str, intent: Intent, degree: float, amount: float | None, values: Mapping[str, float], lexicon: Lexicon
) -> tuple[Edit, str]:
    """Return the edit of a relative word, absolute and within its range, and a note if the range cut it."""
    parameter = lexicon.behaviours.vocabulary.parameter(address)
    now = values.get(address, parameter.default)
    if intent.action == "height":
        wanted = now + intent.step * (HEIGHT_STEP * degree if amount is None else amount)
    else:
        factor = 1.0 + RATE_STEP * degree
        wanted = now * (factor if intent.step > 0 else 1.0 / factor)
    value = rounded(parameter.limited(wanted))
    note = "" if parameter.holds(wanted) else f"{address}: limited to {value:g} {parameter.unit}"
    return Edit(address, value, parameter.unit), note


def _kind(address: str) -> str:
    parts = address.split(".")
    return f"{parts[0]}.{parts[-1]}"
