"""Rollouts that draw several next states at every step and choose one: the most credible, or the one most agreed on.

Paper: Luo et al., Reward-consistent dynamics models are strongly generalizable for offline reinforcement learning
(2024).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ..program import CompiledTask
from ..spec.errors import SpecError
from .actor import Actor
from .ensemble import Ensemble
from .imagined import Imagined, empty
from .judge import pick
from .model import WorldModel
from .model_state import ModelState
from .predict import Predictor
from .reward import Judge
from .reward_files import load_reward
from .rollout import EnsembleModel, Penalty

Array = npt.NDArray[Any]
Choice: TypeAlias = Literal["agreed", "credible"]


class ChoosingModel:
    """A world model whose next state is `agreed`, the candidate nearest to the elites' mean, or the most `credible` to
    `judge`; a row whose chosen one is below `threshold` ends before that step (see `Imagined`).
    """

    def __init__(
        self,
        predictor: Predictor,
        state: ModelState,
        program: CompiledTask,
        judge: Judge | None = None,
        *,
        resamples: int = 2,
        threshold: float = -np.inf,
        threads: int = 1,
    ) -> None:
        """`judge` None: `agreed`."""
        self.predictor, self.judge = predictor, judge
        self.resamples, self.threshold = resamples, threshold
        self._pays = EnsembleModel(_still(predictor.ensemble), state, program, threads=threads)

    @classmethod
    def of(
        cls,
        folder: Path,
        model: WorldModel,
        state: ModelState,
        program: CompiledTask,
        choose: Choice,
        *,
        resamples: int = 2,
        threshold: float | None = None,
        threads: int = 1,
    ) -> ChoosingModel:
        """Return the one of a model's `folder`; `threshold` None is that of its dynamics reward.

        Raises SpecError for `credible` without a dynamics reward.
        """
        predictor = model.predictor(threads)
        if choose == "agreed":
            return cls(predictor, state, program, resamples=resamples, threads=threads)
        spec, reward = load_reward(folder, model.spec)
        limit = spec.threshold if threshold is None else threshold
        return cls(predictor, state, program, Judge(reward, threads), resamples=resamples, threshold=limit,
                   threads=threads)

    def rollout(
        self,
        states: Array,
        steps: int,
        actor: Actor,
        *,
        params: Array | None = None,
        seed: int = 0,
        penalty: Penalty = "none",
    ) -> Imagined:
        """Return what the actor does from `states [B, S]` on; memories of the program begin anew at every step.

        `penalty` is as in `EnsembleModel.rollout`. Raises SpecError for a program that needs carried signals.
        """
        pays, rows = self._pays, len(states)
        if pays.state.carried:
            raise SpecError("world model: expected a task without given signals, got "
                            f"'{pays.state.carried[0].name}': next states cannot be chosen")
        rng = np.random.default_rng(seed)
        state, alive = np.array(states, np.float32), np.ones(rows, np.bool_)
        out: Imagined | None = None
        for t in range(steps):
            now = pays.rollout(state, 1, actor=actor, params=params, seed=seed + t, propagation="mean")
            seen, action = now.observations[0], now.actions[0]
            if out is None:
                out = _zeros(now, steps)
                out.final_observations[:] = seen
            after, credible = self._next(state, action, rng)
            alive = alive & credible & np.isfinite(after).all(1)
            after[~alive] = state[~alive]
            paid = pays.rollout(after, 1, actions=action[:, None], params=params, propagation="mean")
            values = {"observations": seen, "actions": action, "next_states": after, "channels": paid.channels[0]}
            values |= {"terminated": paid.terminated[0], "valid": alive}
            values["penalty"] = self._penalty(state, action, penalty)
            for name, value in values.items():
                getattr(out, name)[t][alive] = value[alive]
            out.final_observations[alive] = paid.final_observations[alive]
            alive, state = alive & ~out.terminated[t], after
        assert out is not None
        return out

    def _next(self, state: Array, action: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        """The chosen next states, and which of them are credible enough."""
        candidates = self.predictor.candidates(state, action, self.resamples, rng)
        everywhere = np.ones(len(state), np.bool_)
        if self.judge is None:
            gap = (candidates - self.predictor.mean(state, action)) / self.predictor.ensemble.state_std
            return pick(candidates, (gap**2).sum(2).argmin(0)), everywhere
        rewards = self.judge.candidates(state, action, candidates)
        return pick(candidates, rewards.argmax(0)), rewards.max(0) >= self.threshold

    def _penalty(self, state: Array, action: Array, penalty: Penalty) -> Array:
        if penalty == "none":
            return np.zeros(len(state), np.float32)
        mean, log_var = self.predictor.moments(state, action)
        if penalty == "aleatoric":
            largest: Array = np.sqrt(np.exp(log_var).sum(2)).max(0)
            return largest
        spread: Array = np.sqrt(mean.var(0).sum(1))
        return spread


def _still(like: Ensemble) -> Ensemble:
    """An ensemble in which nothing changes: rollouts of it say what a program sees in the states themselves."""
    width, actions = like.states, like.actions
    low, zero, one = np.full(width, -40.0, np.float32), np.zeros, np.ones
    return Ensemble(
        [zero((1, width + actions, 2 * width), np.float32)], [zero((1, 1, 2 * width), np.float32)], low, low,
        zero(width, np.float32), one(width, np.float32), zero(actions, np.float32), one(actions, np.float32),
        like.activation, (0,),
    )  # fmt: skip


def _zeros(like: Imagined, steps: int) -> Imagined:
    shapes = {"observation": like.observations, "action": like.actions, "state": like.next_states,
              "channels": like.channels}
    out = empty(steps, like.observations.shape[1], **{name: array.shape[2] for name, array in shapes.items()})
    for array in out.arrays.values():
        array[...] = 0
    return out
