"""What a policy achieves over listed seeds, beside doing nothing and doing anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .gait import SETTLE_S, STAND_S, Gait, GaitTracker
from .held import Held, hold
from .record import Policy, Progress, forget, go_on
from .signals import CONTACT_FORCE, need_signal
from .statistics import Mean, Rate, bootstrap_mean, wilson
from .tally import Tally, TermShare, run_episodes

if TYPE_CHECKING:
    from ..envs.vector import VectorEnv

Array = npt.NDArray[Any]

RANDOM_RANGE = 1.0  # random actions are uniform in [-1, 1], in the policy's units


@dataclass(frozen=True)
class Evaluation:
    """Figures of one policy; every episode counts once, each row's first after the reset of its
    seed.

    `success` and `fall_rate` are shares of episodes with Wilson intervals; `metrics` means over
    episodes of each metric's mean over the episode; `episode_length` in s; `power` mechanical, W;
    `cost_of_transport` energy over weight times distance; `terms` by name; `held` what one held
    command gave; `controls` the same figures of other policies on the same seeds.
    """

    robot: str
    task: str
    seeds: tuple[int, ...]
    episodes: int
    success: Rate
    fall_rate: Rate
    episode_length: Mean
    metrics: dict[str, Mean]
    terms: dict[str, TermShare]
    power: Mean | None = None
    cost_of_transport: Mean | None = None
    gait: Gait | None = None
    held: Held | None = None
    controls: dict[str, Evaluation] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON values: each metric under its own name, beside `success`,
        `fall_rate`, ...
        """
        own: dict[str, Any] = {
            "robot": self.robot,
            "task": self.task,
            "seeds": list(self.seeds),
            "episodes": self.episodes,
            "success": self.success.to_json(),
            "fall_rate": self.fall_rate.to_json(),
            "episode_length": self.episode_length.to_json(),
            "metric_names": list(self.metrics),
            "power": None if self.power is None else self.power.to_json(),
            "cost_of_transport": None if self.cost_of_transport is None else self.cost_of_transport.to_json(),
            "terms": {name: term.to_json() for name, term in self.terms.items()},
            "gait": None if self.gait is None else self.gait.to_json(),
            "held": None if self.held is None else self.held.to_json(),
            "controls": {name: control.to_json() for name, control in self.controls.items()},
        }
        # a metric named like one of our own keys keeps its figures under `metric.<name>`
        return own | {(f"metric.{k}" if k in own else k): v.to_json() for k, v in self.metrics.items()}


def evaluate(
    env: VectorEnv,
    policy: Policy,
    episodes: int = 200,
    seeds: Sequence[int] = (0,),
    controls: bool = True,
    *,
    held: Sequence[float] | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Return what `policy` achieves in `episodes` episodes spread evenly over `seeds`.

    Each seed resets all rows of `env` and judges the first episode of as many rows as needed, so
    that short episodes are not counted more often than long ones. With `controls`, zero and random
    actions are judged on the same seeds. With a command `held`, the velocities reached under it are
    measured in a rollout of its own. Rewards normalise as they did when the policy was trained. The
    same seeds give the same figures. Raises ValueError if
    `env` has too few rows.
    """
    counts = _split(env, episodes, seeds)
    go_on(env, policy)
    tracker = GaitTracker(env) if GaitTracker.fits(env) else None
    tally = run_episodes(env, policy, counts, "policy", tracker, progress)
    gait = None if tracker is None else tracker.finish()
    if gait is not None and _may_stand(env):
        gait = _stand(env, policy, int(seeds[0]), gait, progress)
    found = _summarise(env, tally, counts, gait)
    if held is not None:
        found = replace(found, held=hold(env, policy, int(seeds[0]), held, progress))
    if not controls:
        return found
    others = {
        name: _summarise(env, run_episodes(env, act, counts, name, None, progress), counts, None)
        for name, act in _controls(env, counts).items()
    }
    return replace(found, controls=others)


def _controls(env: VectorEnv, seeds: Iterable[int]) -> dict[str, Policy]:
    """Return policies that do nothing and anything."""
    width = int(np.prod(env.single_action_space.shape or ()))
    rng = np.random.default_rng(np.random.SeedSequence([*seeds, 1]))

    def nothing(observations: Array) -> Array:
        return np.zeros((len(observations), width), np.float32)

    def anything(observations: Array) -> Array:
        shape = (len(observations), width)
        return rng.uniform(-RANDOM_RANGE, RANDOM_RANGE, shape).astype(np.float32)

    return {"zero": nothing, "random": anything}


def _split(env: VectorEnv, episodes: int, seeds: Sequence[int]) -> dict[int, int]:
    """Return the number of episodes of each seed."""
    if not seeds or len(set(seeds)) != len(seeds):
        raise ValueError(f"seeds: expected distinct seeds, got {list(seeds)}")
    if episodes < len(seeds):
        raise ValueError(f"episodes: expected at least one a seed ({len(seeds)}), got {episodes}")
    share, rest = divmod(episodes, len(seeds))
    counts = {int(seed): share + (k < rest) for k, seed in enumerate(seeds)}
    if max(counts.values()) > env.num_envs:
        raise ValueError(
            f"env: expected num_envs of at least {max(counts.values())} for {episodes} episodes"
            f" over {len(seeds)} seeds, got {env.num_envs}"
        )
    return counts


def _summarise(env: VectorEnv, tally: Tally, counts: dict[int, int], gait: Gait | None) -> Evaluation:
    n = len(tally.steps)
    length = tally.steps * env.control_dt
    return Evaluation(
        robot=env.robot.name,
        task=env.task.name,
        seeds=tuple(counts),
        episodes=n,
        success=wilson(int(tally.success.sum()), n),
        fall_rate=wilson(int((tally.terminated & ~tally.success).sum()), n),
        episode_length=bootstrap_mean(length),
        metrics={name: bootstrap_mean(tally.metrics[:, k]) for k, name in enumerate(env.metric_names)},
        terms=tally.term_shares(env),
        power=None if tally.power is None else bootstrap_mean(tally.power),
        cost_of_transport=None if tally.transport is None else bootstrap_mean(tally.transport),
        gait=gait,
    )


def _may_stand(env: VectorEnv) -> bool:
    """Whether a zero command is among those that the task trains."""
    command = env.task.command
    return command is not None and all(lo <= 0 <= hi for lo, hi in zip(command.low, command.high, strict=True))


def _stand(env: VectorEnv, policy: Policy, seed: int, gait: Gait, progress: Progress | None) -> Gait:
    """Return `gait` with how far the robot creeps, and whether its feet stay down, at a zero
    command.
    """
    steps, settle = round(STAND_S / env.control_dt), round(SETTLE_S / env.control_dt)
    observations, _ = env.reset(seed=seed, options={"command": np.zeros(3, np.float32)})
    forget(policy)
    alive, down, judged = np.ones(env.num_envs, bool), 0, 0
    start: Array | None = None
    end = min(steps, env.max_steps - 1)
    for t in range(end):
        observations, _, terminated, truncated, _ = env.step(policy(observations))
        forget(policy, terminated | truncated)
        alive = alive & ~(np.asarray(terminated) | np.asarray(truncated))
        if t == settle:
            start = need_signal(env, "base_pos").copy()
        if t >= settle:
            loaded: Array = need_signal(env, "foot_force") > CONTACT_FORCE
            down += int(loaded[alive].all(axis=1).sum())
            judged += int(alive.sum())
        if progress is not None:
            progress("standing", (t + 1) / end)
    env.set_command(None)
    if start is None or end - 1 <= settle:
        return gait
    way = (need_signal(env, "base_pos") - start)[alive]
    moved = np.hypot(way[:, 0], way[:, 1])
    drift = bootstrap_mean(moved / ((end - 1 - settle) * env.control_dt))
    return replace(gait, drift=drift, all_feet_down=down / max(judged, 1))
