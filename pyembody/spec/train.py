"""What a learner is told: `train.toml` of a task folder, one struct for each algorithm."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from .robot import NonNegative, Positive
from .task import Fraction

Count = Annotated[int, Meta(ge=1)]
Precision = Literal["float32", "bfloat16"]
"""Of the networks of imagined rollouts: `bfloat16` is faster where the processor has units for it."""


class Learning(Struct, frozen=True, forbid_unknown_fields=True, tag_field="algorithm", kw_only=True):
    """What every algorithm is told. `num_envs` is the number over all workers, `horizon` the steps of an iteration.

    `engine` computes the networks: the C++ core or torch; `auto` is the core where it has what is asked for.
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
    """PPO's settings, the top level of the file.

    `critics`: `separate` one network per channel, `heads` one network with an output per channel, `single` one network
    for the weighted sum of the channels, which must share gamma and lam then. `normalise` brings each critic's
    advantages to unit deviation before they are weighted and added, with a deviation of at least `std_floor` times its
    running mean; `renormalise` does the same with the sum. `reward_scale` divides rewards before anything sees them:
    `return_std` by the running deviation of a channel's discounted return, `log` by the `advantage_std` that the run
    `reward_log` had in the same iteration.

    `weight_decay` shrinks all parameters, the log deviation too, per step and unit of the learning rate (AdamW).

    `advantage`: `gae` from critics; `grpo` and `rloo` compare whole episodes of `group` environments that started in
    the same state, with channels joined in the `group_order`. `log_ratio_clip` bounds the logarithm of the policy's
    ratio before its exponential. `entropy_band` (low, high), in nats per action, costs `entropy_band_weight` times the
    squared distance from it. `memory` is the width of a GRU in front of actor and critics, 0 for none. `symmetry`, for
    tasks that declare one: `canonical` shows the policy one of two mirrored states, `loss` adds `symmetry_weight` times
    the squared difference between the actions of the two, `none` ignores it.
    """

    epochs: Count = 4
    minibatches: Count = 4
    learning_rate: Positive = 1e-3
    weight_decay: NonNegative = 0.0
    min_learning_rate: Positive = 1e-5
    max_learning_rate: Positive = 3e-3
    kl_target: NonNegative = 0.03
    clip: Positive = 0.2
    log_ratio_clip: Positive = 20.0
    entropy: NonNegative = 0.005
    entropy_band: tuple[float, float] | None = None
    entropy_band_weight: NonNegative = 0.05
    value_weight: NonNegative = 1.0
    advantage: Literal["gae", "grpo", "rloo"] = "gae"
    group: Annotated[int, Meta(ge=2)] = 8
    group_order: Literal["normalise_then_sum", "sum_then_normalise"] = "normalise_then_sum"
    normalise: bool = True
    std_floor: NonNegative = 0.1
    renormalise: bool = True
    reward_scale: Literal["none", "return_std", "log"] = "none"
    reward_log: str = ""
    critics: Literal["separate", "heads", "single"] = "separate"
    memory: Annotated[int, Meta(ge=0)] = 0
    min_std: Positive = 0.05
    max_std: Positive = 1.5
    symmetry: Literal["canonical", "loss", "none"] = "canonical"
    symmetry_weight: NonNegative = 1.0

    def __post_init__(self) -> None:
        """Raise ValueError for settings that do not go together."""
        if self.entropy_band is not None and not self.entropy_band[0] <= self.entropy_band[1]:
            raise ValueError(f"entropy_band: expected low <= high, got {list(self.entropy_band)}")
        if self.memory and self.symmetry == "loss":
            raise ValueError("symmetry: 'loss' compares single states: expected memory 0, or 'canonical' or 'none'")
        if (self.reward_scale == "log") != bool(self.reward_log):
            raise ValueError("reward_log: expected the folder of a run with reward_scale 'log', and none otherwise")


class Sac(Learning, frozen=True, tag="sac", kw_only=True):
    """SAC's settings, the table `[sac]` of the file: an iteration is `horizon` steps of all environments, then
    `updates` gradient steps on `minibatch` rows each of the newest `replay` transitions; none before `warmup` steps.

    Actions are squashed into `action_range` (in the robot's own units, at most its limit) around zero; the temperature
    follows the policy's entropy to `entropy` nats for each action component in (-1, 1). Targets are sums of `steps`
    rewards and the value after them, with `gamma` in place of each channel's own if there is one: one action shows in
    a critic that looks less far. Target networks move by `polyak` a step, the actor every `actor_every` steps. Over the
    last share `settle` of the iterations the rates of actor and critics fall in a line to a tenth.

    Nothing is paid after a termination, which is the best there is while living costs more than it pays. With `death`
    a terminated state is worth what earning that many standard deviations less than the mean step for ever is, in
    every channel: for tasks whose terminations are failures.
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
    death: NonNegative | None = None
    gamma: Fraction | None = None
    settle: Fraction = 0.0
    layer_norm: bool = True
    initial_std: Positive = 0.3
    max_grad_norm: Positive = 10.0
    workers: Annotated[int, Meta(ge=0, le=256)] = 1


class Mbpo(Sac, frozen=True, tag="mbpo", kw_only=True):
    """SAC that learns from a world model besides, the table `[mbpo]` of the file; the rest is SAC's.

    An ensemble of `members` networks of `model_hidden` units, of which the `elites` best are drawn from, is fitted
    anew, for at most `model_epochs`, whenever the number of steps has grown by a share of `growth` since. Of the rows
    of the gradient steps a share of `real` is from the replay (1: no model is fitted); the others are imagined:
    rollouts of `imagined` steps that begin in states of the replay, acted by the present policy, their networks in
    `precision`. The next state is drawn from one elite or, with `propagation = "mean"`, the elites' mean: noise that is
    only the model's own costs where pay is not linear. A state of the model is made of `signals`, which may be signals
    and `[let]`s of the task, by default those that its program reads.

    Paper: Janner et al., When to trust your model: model-based policy optimization (2019).
    """

    imagined: Count = 5
    real: Fraction = 0.05
    growth: Positive = 0.25
    members: Count = 5
    elites: Count = 3
    model_hidden: tuple[Count, ...] = (200, 200, 200)
    model_epochs: Count = 100
    propagation: Literal["sampled", "mean"] = "sampled"
    precision: Precision = "float32"
    signals: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError for settings that do not go together."""
        if self.elites > self.members:
            raise ValueError(f"elites: expected at most the {self.members} members, got {self.elites}")


class Offline(Sac, frozen=True, tag="offline", kw_only=True):
    """SAC that learns from a dataset and its world model alone, the table `[offline]` of the file over that of `[sac]`.

    A share `real` of the rows of the gradient steps is from the `dataset`, the others are imagined by the `model` of
    that folder, as MBPO's are: rollouts of `imagined` steps from states of the dataset. `choose` says which next state
    comes: `sampled` that of a random elite, or of `resamples` draws of each `agreed` the one nearest to the elites'
    mean, `credible` the one that the model's dynamics reward likes best; a row whose best is below `threshold` (None:
    what a twentieth of the data is below) ends before that step. `penalty_weight` times an imagined step's uncertainty,
    relative to that of the data, is taken from every channel in units of its rewards' deviation.

    An iteration also steps `num_envs` environments `horizon` times, to show how the policy does; it learns nothing from
    that.

    Papers: Yu et al., MOPO: model-based offline policy optimization (2020); Luo et al., Reward-consistent dynamics
    models are strongly generalizable for offline reinforcement learning (2024).
    """

    dataset: str
    model: str
    imagined: Count = 5
    real: Fraction = 0.05
    penalty: Literal["aleatoric", "disagreement"] = "aleatoric"
    penalty_weight: NonNegative = 0.0
    choose: Literal["sampled", "agreed", "credible"] = "sampled"
    resamples: Count = 2
    threshold: float | None = None
    precision: Precision = "float32"
    warmup: Annotated[int, Meta(ge=0)] = 0
    num_envs: Count = 16
    horizon: Count = 16
    iterations: Count = 20
    updates: Count = 256
