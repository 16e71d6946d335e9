"""Checks of numbers given on the command line."""

from __future__ import annotations

import math

from .failure import CommandError


def at_least(option: str, value: float, low: float) -> None:
    """Raise CommandError unless `value` is a finite number of at least `low`."""
    if not math.isfinite(value) or value < low:
        raise CommandError(f"--{option}: expected at least {low:g}, got {value:g}")


def positive(option: str, value: float) -> None:
    """Raise CommandError unless `value` is a positive finite number."""
    if not 0 < value < math.inf:
        raise CommandError(f"--{option}: expected a positive number, got {value:g}")
