"""What a learner is told: `train.toml` of a task folder."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from .robot import NonNegative, Positive

Count = Annotated[int, Meta(ge=1)]


class Train(Struct, frozen=True, forbid_unknown_fields=True):
    """PPO's settings. `num_envs` is the number over all workers; `critic` names the networks of the channels:

    `grouped` one network per channel, `shared` one network with an output per channel. `engine` computes them: the
    C++ core or torch; `auto` is the core.
    """

    num_envs: Count = 256
    horizon: Count = 24
    iterations: Count = 220
    epochs: Count = 4
    minibatches: Count = 4
    learning_rate: Positive = 1e-3
    min_learning_rate: Positive = 1e-5
    max_learning_rate: Positive = 3e-3
    kl_target: NonNegative = 0.03
    clip: Positive = 0.2
    entropy: NonNegative = 0.005
    value_weight: NonNegative = 1.0
    max_grad_norm: Positive = 1.0
    std_floor: NonNegative = 0.1
    actor_hidden: tuple[Count, ...] = (128, 128)
    critic_hidden: tuple[Count, ...] = (128, 128)
    critic: Literal["grouped", "shared"] = "grouped"
    activation: Literal["elu", "relu", "tanh", "silu"] = "elu"
    initial_std: Positive = 0.8
    min_std: Positive = 0.05
    max_std: Positive = 1.5
    observation_clip: Positive = 10.0
    checkpoint_every: Count = 50
    workers: Annotated[int, Meta(ge=0, le=256)] = 0
    engine: Literal["auto", "core", "torch"] = "auto"
