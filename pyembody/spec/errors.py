"""The one error for anything wrong in a file or a sentence that a person wrote."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

LONGEST_WORD = 400
LONGEST = 3000
"""Characters of a word and of a whole error; texts of others may hold names of any length."""


class SpecError(ValueError):
    """A specification that cannot be used: says where, what was expected, and the nearest legal name.

    `code` is set for limits of the language: one word each, such as `limit_nodes`.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(shortened(message))
        self.code = code


def shortened(message: str) -> str:
    """Return a message with very long words cut, and its middle left out if it is very long."""
    message = re.sub(rf"(\S{{{LONGEST_WORD}}})\S+", r"\1...", message)
    cut = len(message) > LONGEST
    return f"{message[: LONGEST - 500]} ... {message[-500:]}" if cut else message


def nearest(name: str, legal: Iterable[str]) -> str:
    """Return `, did you mean 'x'?` with the legal name closest to `name`, or the legal names if none is close."""
    names = sorted(set(legal))
    small = {n.lower(): n for n in names}
    close = difflib.get_close_matches(name.lower(), small, n=1, cutoff=0.55)
    if close:
        return f", did you mean '{small[close[0]]}'?"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f" (known: {shown})" if names else ""


def unknown(place: str, kind: str, name: str, legal: Iterable[str]) -> SpecError:
    """Return the error for a name that is not known: `place: unknown kind 'name', did you mean ...?`."""
    return SpecError(f"{place}: unknown {kind} '{name}'{nearest(name, legal)}")
