"""The one error for anything wrong in a file or a sentence that a person wrote."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SpecError(ValueError):
    """A specification that cannot be used: says where, what was expected, and the nearest legal name.

    `code` is set for limits of the language: one word each, such as `limit_nodes`.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


def nearest(name: str, legal: Iterable[str]) -> str:
    """Return `, did you mean 'x'?` with the legal name closest to `name`, or the legal names if none is close."""
    names = sorted(set(legal))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.55)
    if close:
        return f", did you mean '{close[0]}'?"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f" (known: {shown})" if names else ""


def unknown(place: str, kind: str, name: str, legal: Iterable[str]) -> SpecError:
    """Return the error for a name that is not known: `place: unknown kind 'name', did you mean ...?`."""
    return SpecError(f"{place}: unknown {kind} '{name}'{nearest(name, legal)}")
