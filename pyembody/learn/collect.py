"""Collection: T steps of all environments into the rollout, with one policy call a step."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .buffers import Rollout
from .gates import Gates
from .normaliser import ObservationNormaliser
from .ppo import NotFiniteError
from .skills import SkillChannel
from .symmetry import MirrorMap
from .terms import TermLog

Array = npt.NDArray[Any]


@dataclass
class Tally:
    """Sums over the steps of one iteration: of channels `[C]`, metrics `[M]`, and of episodes."""

    channels: Array
    metrics: Array
    episodes: Array = field(default_factory=lambda: np.zeros(5))
    """Ended episodes, the sum of their lengths in steps, how many terminated, how many succeeded; then faults: values
    that were not finite and simulations that diverged."""
    environment_s: float = 0.0
    policy_s: float = 0.0
    inside: dict[str, float] = field(default_factory=dict)
    """Where the environment's seconds went (physics, program), from environments that count them in `seconds`."""


class Collector:
    """Steps an environment with the stochastic policy. `lengths [N]` counts the steps of running episodes, `terms` is
    what its terms said and paid.
    """

    def __init__(
        self,
        env: Any,
        rollout: Rollout,
        mirror: MirrorMap | None,
        gates: Gates | None = None,
        skills: SkillChannel | None = None,
    ) -> None:
        """`mirror` None: the policy sees what is there."""
        self.env, self.rollout, self.mirror, self.gates, self.skills = env, rollout, mirror, gates, skills
        self.lengths = np.zeros(env.num_envs, np.int64)
        self.terms = TermLog(env, rollout.horizon)
        self._actions = np.zeros((env.num_envs, rollout.actions.shape[2]), np.float32)

    def collect(
        self, engine: Any, normaliser: ObservationNormaliser, generator: torch.Generator
    ) -> Tally:
        """Fill the rollout from the environment's present state and return what happened; `_choose` acts with `engine`.

        Raises NotFiniteError naming the reward channel or observation that is not finite.
        """
        env, rollout = self.env, self.rollout
        tally = Tally(np.zeros(len(env.channel_names)), np.zeros(len(env.metric_names)))
        rollout.clear()
        self.terms.start()
        engine.begin()
        torch.randn(rollout.noise.shape, generator=generator, out=rollout.noise)
        before, faults = dict(getattr(env, "seconds", {})), _fault_count(env)
        for t in range(rollout.horizon):
            start = time.perf_counter()
            with torch.inference_mode():
                self._act(t, engine, normaliser)
            acted = time.perf_counter()
            _, _, terminated, truncated, info = env.step(self._actions)
            stepped = time.perf_counter()
            self._keep(t, terminated, truncated, info, tally)
            engine.forget(terminated | truncated)
            tally.environment_s += stepped - acted
            tally.policy_s += acted - start + time.perf_counter() - stepped
        self._observe(rollout.horizon)
        self._check_finite()
        tally.inside = {name: env.seconds[name] - past for name, past in before.items()}
        tally.episodes[4] += _fault_count(env) - faults
        return tally

    def _observe(self, t: int) -> Array | None:
        """Store the present observations as step t; return which rows are mirrored."""
        env, rollout = self.env, self.rollout
        flags: Array | None = self.mirror.flag(env.observations) if self.mirror is not None else None
        rollout.policy.store(t, env.observations, flags)
        if rollout.critic is not rollout.policy:
            rollout.critic.store(t, env.critic_observations, flags)
        return flags

    def _act(self, t: int, engine: Any, normaliser: ObservationNormaliser) -> None:
        rollout, mirror = self.rollout, self.mirror
        flags = self._observe(t)
        if self.skills is not None:
            self.skills.begin_step(t)
        rows = normaliser(torch.from_numpy(rollout.policy.raw[t]), out=rollout.policy.normalised[t])
        self._actions[:] = self._choose(t, engine, rows).numpy()
        if flags is not None and mirror is not None:
            self._actions[flags] = self._actions[flags][:, mirror.action_index] * mirror.action_sign

    def _choose(self, t: int, engine: Any, rows: Tensor) -> Tensor:
        """Fill the rollout's actions of step t for normalised rows `[N, O]`; return what the environment is given."""
        rollout, std = self.rollout, engine.networks.log_std.detach().exp()
        rollout.mean[t] = engine.mean(rows)
        return torch.addcmul(rollout.mean[t], rollout.noise[t], std, out=rollout.actions[t])

    def _keep(
        self, t: int, terminated: Array, truncated: Array, info: dict[str, Any], tally: Tally
    ) -> None:
        rollout = self.rollout
        rollout.rewards[t] = info["channels"]
        rollout.terminated[t], rollout.truncated[t] = terminated, truncated
        if self.gates is not None:
            self.gates.keep(t)
        tally.channels += info["channels"].sum(0, dtype=np.float64)
        tally.metrics += info["metrics"].sum(0, dtype=np.float64)
        self.lengths += 1
        ended = terminated | truncated
        if self.skills is not None:
            self.skills.end_step(t, ended)
        self.terms.keep(t, ended)
        if ended.any():
            success = info["success"][ended].sum()
            tally.episodes[:4] += (ended.sum(), self.lengths[ended].sum(), terminated.sum(), success)
            self.lengths[ended] = 0
            self._keep_finals(truncated & ~terminated)

    def _keep_finals(self, rows: Array) -> None:
        env, rollout = self.env, self.rollout
        if not rows.any():
            return
        finals = env.final_observations[rows]
        flags = self.mirror.flag(finals) if self.mirror is not None else None
        rollout.policy.store_finals(finals, flags)
        if rollout.critic is not rollout.policy:
            rollout.critic.store_finals(env.final_critic_observations[rows], flags)

    def _check_finite(self) -> None:
        rollout = self.rollout
        for c, name in enumerate(self.env.channel_names):
            if not np.isfinite(rollout.rewards[..., c]).all():
                raise NotFiniteError(
                    f"not finite: rewards of channel '{name}'; the parameters were left as they were"
                )
        for name, views in (("policy", rollout.policy), ("critic", rollout.critic)):
            finite = np.isfinite(views.raw).all(axis=(0, 1))
            if not finite.all():
                columns = np.flatnonzero(~finite).tolist()
                raise NotFiniteError(f"not finite: {name} observations, columns {columns}")


def _fault_count(env: Any) -> int:
    """Faults so far, of an environment that counts them."""
    return sum(getattr(env, "faults", {}).values())
