"""Short texts of a reward program and of what it returned, for a prompt or a log line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from .arrays import MOST, form

if TYPE_CHECKING:
    from .reward_program import RewardProgram
    from .rewards import Rewards

ARRAYS = ("channels", "raw", "weighted", "lines", "terminations", "metrics", "events")
"""Of the arrays of `Rewards`, those that have a column a name."""


def describe_program(program: RewardProgram) -> str:
    """Return name, control step, terms, channels and the signals that a program reads with their shapes."""
    parts = {
        "terms": program.term_names,
        "channels": program.channel_names,
        "terminations": program.termination_names,
        "reads": [f"{s.name} {form(s)}" for s in program.signals],
    }
    told = "; ".join(f"{what} {_few(names)}" for what, names in parts.items() if names)
    return f"<RewardProgram '{program.task.name}', dt {program.dt:g} s: {told}>"


def describe_rewards(rewards: Rewards) -> str:
    """Return the shapes of what was returned, the mean total and how many rows ended."""
    total = rewards.total
    shapes = {name: getattr(rewards, name).shape for name in ARRAYS}
    shapes |= {f"observations['{name}']": a.shape for name, a in rewards.observations.items()}
    told = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items() if shape[-1])
    mean = f" mean {np.mean(total, dtype=float):.4g}" if total.size else ""
    ended = f"terminated {int(rewards.terminated.sum())} of {total.size}"
    return f"<Rewards: total {list(total.shape)}{mean}, {told}, {ended}>"


def _few(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(shown[:MOST]) + (f" and {len(shown) - MOST} more" if len(shown) > MOST else "")
