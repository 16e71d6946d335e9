"""Rollouts that draw several next states at every step and take the one that the ensemble agrees on most."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..program import CompiledTask
from ..spec.errors import SpecError
from .actor import Actor
from .ensemble import Ensemble
from .imagined import Imagined, empty
from .judge import pick
from .model_state import ModelState
from .predict import Predictor
from .rollout import EnsembleModel, Penalty

Array = npt.NDArray[Any]


class AgreedModel:
    """A world model whose next state is, of `resamples` draws of every elite, the one nearest to the elites' mean.

    It is the plain rival of a dynamics reward's choice, and needs none. Raises SpecError for a state with given
    signals.
    """

    def __init__(
        self, predictor: Predictor, state: ModelState, program: CompiledTask, *, resamples: int = 2, threads: int = 1
    ) -> None:
        if state.carried:
            given = state.carried[0].name
            raise SpecError(f"world model: 'agreed': expected a task that reads no given signals, got '{given}'")
        self.predictor, self.resamples = predictor, resamples
        self._pays = EnsembleModel(_still(predictor.ensemble), state, program, threads=threads)

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

        `penalty` is as in `EnsembleModel.rollout`.
        """
        rng, pays = np.random.default_rng(seed), self._pays
        state, alive = np.array(states, np.float32), np.ones(len(states), np.bool_)
        out: Imagined | None = None
        for t in range(steps):
            now = pays.rollout(state, 1, actor=actor, params=params, seed=seed + t, propagation="mean")
            seen, action = now.observations[0], now.actions[0]
            if out is None:
                out = _zeros(now, steps)
                out.final_observations[:] = seen
            after = self._next(state, action, rng)
            alive = alive & np.isfinite(after).all(1)
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
    """Arrays of as many rows, and of the same widths, in which nothing is."""
    shapes = {"observation": like.observations, "action": like.actions, "state": like.next_states,
              "channels": like.channels}
    out = empty(steps, like.observations.shape[1], **{name: array.shape[2] for name, array in shapes.items()})
    for name, array in out.arrays.items():
        array[...] = -1 if name == "member" else 0
    return out
