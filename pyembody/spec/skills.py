"""Skills that a task lets a policy discover: which are drawn, and which channel pays for telling them apart."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from .robot import NonNegative, Positive

SIGNAL = "skill"
"""The signal that policy and critics read."""
ENCODER = "encoder"
"""The observation group that tells what skills are to be told apart by."""
Count = Annotated[int, Meta(ge=1)]


class Skills(Struct, frozen=True, forbid_unknown_fields=True):
    """A skill is drawn at reset and held for the episode: a unit vector of `size` numbers, or one of `size` things.

    `prior`: `sphere` draws all directions alike, `discrete` all things alike, each a centred one-hot vector. PPO pays
    `gain` times a learned reward into `channel`, which may have no terms of its own: `lsd` the way that an encoder
    of the observations `encoder`, of slope at most 1, goes along the skill; `metra` the same of one that moves by at
    most 1 a step; `diayn` how much better than chance the skill is recognised. The encoder has `hidden` units and takes
    `epochs` passes of `minibatches` steps an iteration; `slack` and `dual_rate` are METRA's.

    Papers: Park et al., Lipschitz-constrained unsupervised skill discovery (2022); Park et al., METRA: scalable
    unsupervised RL with metric-aware abstraction (2024); Eysenbach et al., Diversity is all you need (2019).
    """

    channel: str
    diversity: Literal["lsd", "metra", "diayn"] = "lsd"
    prior: Literal["sphere", "discrete"] = "sphere"
    size: Annotated[int, Meta(ge=2, le=16)] = 2
    gain: Positive = 1.0
    hidden: tuple[Count, ...] = (64, 64)
    learning_rate: Positive = 1e-3
    epochs: Count = 4
    minibatches: Count = 4
    slack: Positive = 1e-3
    dual_rate: NonNegative = 0.1
