"""What a learner is told: `train.toml` of a task folder, one struct for each algorithm."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from .robot import NonNegative, Positive
from .task import Fraction

Count = Annotated[int, Meta(ge=1)]


class Learning(Struct, frozen=True, forbid_unknown_fields=True, tag_field="algorithm", kw_only=True):
    """What every algorithm is told. `num_envs` is the number over all workers, `horizon` the steps of an iteration.

    `engine` computes the networks: the C++ core or torch; `auto` is the core.
    """

    num_envs: Count = 256
    horizon: Count = 24
    iterations: Count = 220
    actor_hidden: tuple[Count, ...] = (128, 128)
    critic_hidden: tuple[Count, ...] = (128, 128)
    activation: Literal["elu", "relu", "tanh", "silu"] = "elu"
    initial_std: Positive = 0.8
    max_grad_norm: Positive = 1.0
    observation_clip: Positive = 10.0
    checkpoint_every: Count = 50
    workers: Annotated[int, Meta(ge=0, le=256)] = 0
    engine: Literal["auto", "core", "torch"] = "auto"


class Train(Learning, frozen=True, tag="ppo", kw_only=True):
    """PPO's settings, the top level of the file. `critic` names the networks of the channels: `grouped` one network per
    channel, `shared` one network with an output per channel.
    """

    epochs: Count = 4
    minibatches: Count = 4
    learning_rate: Positive = 1e-3
    min_learning_rate: Positive = 1e-5
    max_learning_rate: Positive = 3e-3
    kl_target: NonNegative = 0.03
    clip: Positive = 0.2
    entropy: NonNegative = 0.005
    value_weight: NonNegative = 1.0
    std_floor: NonNegative = 0.1
    critic: Literal["grouped", "shared"] = "grouped"
    min_std: Positive = 0.05
    max_std: Positive = 1.5


class Sac(Learning, frozen=True, tag="sac", kw_only=True):
    """SAC's settings, the table `[sac]` of the file: an iteration is `horizon` steps of all environments, then
    `updates` gradient steps on `minibatch` rows each of the newest `replay` transitions; none before `warmup` steps.

    Actions are squashed into `action_range` (in the robot's own units, at most its limit) around zero; the temperature
    follows the policy's entropy to `entropy` nats for each action component in (-1, 1). Targets are sums of `steps`
    rewards and the value after them; target networks move by `polyak` a step, the actor every `actor_every` steps.
    """

    num_envs: Count = 16
    horizon: Count = 16
    updates: Count = 64
    minibatch: Count = 256
    replay: Count = 200_000
    warmup: Count = 1024
    steps: Count = 3
    actor_rate: Positive = 1e-3
    critic_rate: Positive = 1e-3
    temperature_rate: Positive = 1e-3
    temperature: Positive = 0.1
    entropy: float = -1.0
    polyak: Fraction = 0.01
    actor_every: Count = 1
    action_range: Positive = 1.0
    layer_norm: bool = True
    initial_std: Positive = 0.3
    max_grad_norm: Positive = 10.0
    workers: Annotated[int, Meta(ge=0, le=256)] = 1
