"""What one iteration says about itself: a dictionary of numbers, equal on all ranks but for times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from .collect import Tally
from .losses import entropy
from .ppo import Losses

if TYPE_CHECKING:
    from .learner import Learner

Array = npt.NDArray[Any]
Metrics = dict[str, Any]


def summarise(
    learner: Any,
    tally: Tally,
    value_losses: list[float],
    explained: Array,
    seconds: dict[str, float],
) -> Metrics:
    """Return the metrics of an iteration that every algorithm has.

    `terms` and `channels` are rewards per second (an event counts what it paid); `Term` has every figure of each term
    (see `TermLog.statistics`). `episode_length` is in seconds and that of the last iteration in which an episode ended,
    `time` is in seconds of this rank. `value_losses` and `explained [K]` are those of the K critics.
    """
    env = learner.env
    sums, mean_explained = _over_ranks(learner, tally, explained)
    terms = learner.collector.terms.statistics(learner.group)
    steps = learner.group.size * learner.rollout.rewards.shape[0] * env.num_envs
    ended, length, terminated, succeeded, faults = sums.episodes
    metrics: Metrics = {
        "iteration": learner.iteration,
        "steps": learner.steps,
        "steps_per_second": steps / seconds["total"],
        "reward": float(sums.channels.sum() / steps / env.control_dt),
        "episode_length": float(length / ended * env.control_dt) if ended else learner.episode_length,
        "episodes": int(ended),
        "terminated": float(terminated / ended) if ended else 0.0,
        "success": float(succeeded / ended) if ended else 0.0,
        "faults": int(faults),
        "terms": {name: t["per_second"] for name, t in terms.items() if "per_second" in t},
        "channels": _named(env.channel_names, sums.channels / steps / env.control_dt),
        "metrics": _named(env.metric_names, sums.metrics / steps),
        "scheduled": getattr(env, "scheduled", {}),
        "value_loss": _named(learner.critic_names, value_losses),
        "explained_variance": _named(learner.critic_names, mean_explained),
    }
    inside = {"environment": tally.environment_s} | tally.inside | {"policy": tally.policy_s}
    return metrics | {"Term": terms, "time": inside | seconds}


def optimisation(learner: Learner, losses: Losses, moments: Array) -> Metrics:
    """Return PPO's side: losses, standard deviations, learning rate and what each channel weighs.

    `moments [K, 4]` of the K critics are those of `_core.normalise_advantages`; `reward_scale` is what rewards were
    divided by.
    """
    channels = learner.channels
    names = channels.names
    std, divisor = moments[:, 1], moments[:, 2]
    scaled = channels.weights * std / divisor
    floored = (std < divisor) & learner.config.normalise
    log_std = learner.networks.log_std.detach()
    divided = _named(learner.env.channel_names, learner.scale.divisor)
    return {
        "advantage_std": _named(names, std),
        "floor_active": _named(names, floored.astype(float)),
        "share": _named(names, scaled / max(float(scaled.sum()), 1e-8)),
        "policy_loss": losses.policy,
        "kl": losses.kl,
        "gradient_norm": losses.gradient_norms,
        "std": float(log_std.exp().mean()),
        "entropy": float(entropy(log_std)),
        "learning_rate": learner.learning_rate,
    } | ({"reward_scale": divided} if learner.config.reward_scale != "none" else {})


def _over_ranks(learner: Any, tally: Tally, explained: Array) -> tuple[Tally, Array]:
    """Sum the tallies of all ranks and average the explained variances, in one message."""
    parts = [
        tally.channels,
        tally.metrics,
        tally.episodes,
        explained / learner.group.size,
    ]
    sums = learner.group.sum(torch.from_numpy(np.concatenate(parts).astype(np.float64))).numpy()
    channels, metrics, episodes, mean = np.split(sums, np.cumsum([len(p) for p in parts])[:-1])
    return Tally(channels, metrics, episodes), mean


def _named(names: tuple[str, ...], values: Any) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=True)}
