"""Rollouts that draw several next states at every step and take the one that the ensemble agrees on most."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..program import CompiledTask
from .actor import Actor
from .imagined import Imagined, empty
from .judge import pick
from .model_state import ModelState
from .predict import Predictor
from .rollout import EnsembleModel, Penalty
from .told import before_told, changing_as_told, changing_nothing

Array = npt.NDArray[Any]


class AgreedModel:
    """A world model whose next state is, of `resamples` draws of every elite, the one nearest to the elites' mean.

    It is the plain rival of a dynamics reward's choice, and needs none.
    """

    def __init__(
        self,
        predictor: Predictor,
        state: ModelState,
        program: CompiledTask,
        *,
        critic: str = "",
        resamples: int = 2,
        threads: int = 1,
    ) -> None:
        self.predictor, self.resamples = predictor, resamples
        still, told = changing_nothing(predictor.ensemble), changing_as_told(predictor.ensemble)
        self._acts = EnsembleModel(still, state, program, critic=critic, threads=threads)
        self._pays = EnsembleModel(told, state, program, critic=critic, threads=threads)

    def rollout(
        self,
        states: Array,
        steps: int,
        actor: Actor,
        *,
        carried: Array | None = None,
        before: Array | None = None,
        params: Array | None = None,
        seed: int = 0,
        penalty: Penalty = "none",
    ) -> Imagined:
        """Return what the actor does from `states [B, S]` on; memories of the program begin anew at every step.

        `carried [L + 1, B, K]`, `before` and `penalty` are as in `EnsembleModel.rollout`.
        """
        rng = np.random.default_rng(seed)
        state, alive = np.array(states, np.float32), np.ones(len(states), np.bool_)
        given = np.zeros((steps + 1, len(states), 0), np.float32) if carried is None else carried
        out: Imagined | None = None
        for t in range(steps):
            known: dict[str, Any] = {"carried": given[t : t + 2], "params": params, "propagation": "mean"}
            now = self._acts.rollout(state, 1, actor=actor, seed=seed + t, before=before, **known)
            action = now.actions[0]
            if out is None:
                out = _zeros(now, steps)
                out.final_observations[:] = now.observations[0]
                out.final_critic_observations[:] = now.critic_observations[0]
            after = self._next(state, action, rng)
            alive = alive & np.isfinite(after).all(1)
            after[~alive] = state[~alive]
            moved = np.concatenate([action, after - state], axis=1)[:, None]
            led = before_told(self._pays.ensemble, before)
            paid = self._pays.rollout(state, 1, actions=moved, before=led, **known)
            values = {name: getattr(now, name)[0] for name in ("observations", "critic_observations", "actions")}
            values |= {name: getattr(paid, name)[0] for name in ("next_states", "channels", "terminated")}
            values |= {"valid": alive, "penalty": self._penalty(state, action, penalty)}
            for name, value in values.items():
                getattr(out, name)[t][alive] = value[alive]
            for name in ("final_observations", "final_critic_observations"):
                getattr(out, name)[alive] = getattr(paid, name)[alive]
            alive, state, before = alive & ~out.terminated[t], paid.next_states[0], action
        assert out is not None
        return out

    def _next(self, state: Array, action: Array, rng: np.random.Generator) -> Array:
        candidates = self.predictor.candidates(state, action, self.resamples, rng)
        gap = (candidates - self.predictor.mean(state, action)) / self.predictor.ensemble.state_std
        return pick(candidates, (gap**2).sum(2).argmin(0))

    def _penalty(self, state: Array, action: Array, penalty: Penalty) -> Array:
        if penalty == "none":
            return np.zeros(len(state), np.float32)
        mean, log_var = self.predictor.moments(state, action)
        square: Array = np.exp(log_var).sum(2).max(0) if penalty == "aleatoric" else mean.var(0).sum(1)
        return np.sqrt(square)


def _zeros(like: Imagined, steps: int) -> Imagined:
    """Arrays of as many rows, and of the same widths, in which nothing is."""
    shapes = {"observation": like.observations, "action": like.actions, "state": like.next_states,
              "channels": like.channels, "critic": like.critic_observations}
    out = empty(steps, like.observations.shape[1], **{name: array.shape[2] for name, array in shapes.items()})
    for name, array in out.arrays.items():
        array[...] = -1 if name == "member" else 0
    return out
