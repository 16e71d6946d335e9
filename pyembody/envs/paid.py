"""By what an environment's channels are paid: terms, and lines that are no terms."""

from __future__ import annotations

from typing import Any, get_args

from ..spec.task import Combine

JOINING = tuple(kind for kind in get_args(Combine) if kind != "sum")


def paid_names(env: Any) -> tuple[str, ...]:
    """Return the names of an environment's terms, then of what its channels pay besides: what joined terms pay
    together, floors, terminal values.
    """
    return (*env.term_names, *getattr(env, "line_names", ()))


def joined_terms(env: Any) -> tuple[bool, ...]:
    """Return for each term whether its channel is a product, geometric mean, min or Hamacher product.

    Such a term has a raw value but no pay of its own; the line `<channel>.<combination>` has the pay of all.
    """
    lines = set(getattr(env, "line_names", ()))
    channels = [name.partition(".")[0] for name in env.term_names]
    return tuple(any(f"{channel}.{kind}" in lines for kind in JOINING) for channel in channels)
