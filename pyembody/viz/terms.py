"""The report's table of reward terms: what each said and paid in the evaluation, or at the end of training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .explain import TERM_BARS, TERMS
from .page import MINUS, NOTHING, explained, figure, number, paragraph, percent, section, signed_bar, table
from .run_files import Row, names, series

LAST = 10  # iterations of training that the table is a mean of
HEAD = ("term", "raw", "weight", "reward / step", "/ s", "/ episode", "share")
PAID = ("per_step", "per_second", "per_episode")
LOGGED = {"raw": "raw_mean", **{key: key for key in (*PAID, "share")}}
"""Figures of the table, and their names in the training log."""


def terms_section(evaluation: Row | None, rows: list[Row], figures: Mapping[str, str], spec: Row) -> str:
    """Return the section about terms: of the evaluation, or else of the last iterations, with their bars."""
    evaluated = (evaluation or {}).get("terms")
    terms = evaluated or logged_terms(rows)
    picture = "" if evaluated or "terms" not in figures else figure(figures["terms"], TERM_BARS)
    title = "Reward terms" if evaluated else "Reward terms at the end of training"
    return section(title, *([paragraph(TERMS), _table(terms, spec)] if terms else []), picture)


def logged_terms(rows: list[Row]) -> dict[str, Row]:
    """Return the figures of each term in the last iterations of a training log; what a row lacks is left out."""
    tail, found = rows[-LAST:], dict[str, Row]()
    for name in names(tail, "Term"):
        means = {key: series(tail, "Term", name, logged) for key, logged in LOGGED.items()}
        found[name] = {key: float(np.nanmean(v)) for key, v in means.items() if np.isfinite(v).any()}
    return found


def _table(terms: Mapping[str, Row], spec: Row) -> str:
    channels = (spec.get("task") or {}).get("channels") or {}
    largest = max((float(t.get("share") or 0) for t in terms.values()), default=0.0) or 1.0
    owners = list(dict.fromkeys(name.partition(".")[0] for name in terms))
    rows: list[list[str]] = []
    for owner in owners:
        channel = channels.get(owner) or {}
        rows.append([explained(f"channel {owner}", _channel_line(channel))])
        for name, t in ((n, t) for n, t in terms.items() if n.partition(".")[0] == owner):
            term = name.partition(".")[2]
            rows.append(_row(term or name, t, (channel.get("terms") or {}).get(term) or {}, largest))
    return table(HEAD, rows)


def _row(name: str, figures: Row, spec: Row, largest: float) -> list[str]:
    """Return the cells of a term: what it is, its figures with their sign, a bar relative to the largest share."""
    about = " \N{EM DASH} ".join(str(spec[k]) for k in ("doc", "expr") if spec.get(k))
    plain = [number(figures.get("raw")), number(spec.get("weight"))]
    return [explained(name, about), *plain, *(_signed(figures.get(key)) for key in PAID), _share(figures, largest)]


def _signed(value: Any) -> str:
    return NOTHING if value is None else f"{_sign(float(value))}{number(abs(float(value)))}"


def _sign(value: float) -> str:
    return MINUS if value < 0 else "+" if value > 0 else ""


def _share(figures: Row, largest: float) -> str:
    if figures.get("share") is None:
        return NOTHING
    pays, share = float(figures.get("per_second") or 0), float(figures["share"])
    shown = percent(share)
    bar = signed_bar((-share if pays < 0 else share) / largest)
    return f"{'' if shown == percent(0) else _sign(pays)}{shown}{bar}"


def _channel_line(channel: Row) -> str:
    """Return a channel's weight and how far it looks ahead."""
    if not channel:
        return ""
    weight, gamma = channel.get("weight", 1.0), channel.get("gamma", 0.99)
    return f"weight {number(weight)} of its advantages; gamma {gamma:g}"
