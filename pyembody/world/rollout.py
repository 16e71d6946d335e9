"""Imagined rollouts: a policy, an ensemble and a task's program in one call of the core."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyembody import _core

from ..program import CompiledTask
from ..spec.errors import SpecError, unknown
from .actor import Actor
from .candidates import Candidates
from .ensemble import Ensemble
from .imagined import Imagined, Precision, empty
from .model_state import ModelState, own_columns
from .packing import flatten_layers, inverse

Floats = NDArray[np.float32]
Propagation: TypeAlias = Literal["sampled", "elite", "mean", "select", "softmax"]
Penalty: TypeAlias = Literal["none", "aleatoric", "disagreement"]


class EnsembleModel:
    """A world model: rollouts of an ensemble over `state`, paid and ended by `program`; its twin is `RolloutReference`.

    Without a program the policy sees the state itself and nothing is paid. `observations` is the group that the policy
    sees, `critic` one that is shown beside it, if any. Raises SpecError for a program that asks for a signal which
    neither the state nor the carried ones have.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        state: ModelState,
        program: CompiledTask | None = None,
        *,
        observations: str = "policy",
        critic: str = "",
        threads: int = 1,
    ) -> None:
        self.state, self.threads, self.observations, self.critic = state, threads, observations, critic
        self.program = None if program is None else needed(program, observations, critic)
        self._inputs = [] if self.program is None else state.inputs(self.program)
        self._core = None if self.program is None else self.program.build()
        self.load(ensemble)

    def load(self, ensemble: Ensemble) -> None:
        """Use another ensemble from the next rollout on; those that run go on with the one they began with.

        Raises ValueError for one of another state.
        """
        if ensemble.states != self.state.width:
            raise ValueError(f"ensemble: expected {self.state.width} numbers of state, got {ensemble.states}")
        packed = pack_ensemble(ensemble, self.state)
        self._packed = (ensemble, packed)

    @property
    def ensemble(self) -> Ensemble:
        """The ensemble that the next rollout takes."""
        return self._packed[0]

    def rollout(
        self,
        states: Floats,
        steps: int,
        *,
        actor: Actor | None = None,
        actions: Floats | None = None,
        carried: Floats | None = None,
        before: Floats | None = None,
        params: Floats | None = None,
        ids: NDArray[np.uint32] | None = None,
        seed: int = 0,
        propagation: Propagation = "sampled",
        noise: bool = True,
        penalty: Penalty = "none",
        candidates: Candidates | None = None,
        precision: Precision = "float32",
        out: Imagined | None = None,
    ) -> Imagined:
        """Return what is imagined.

        Args:
            states: `[B, S]`, where rows start.
            steps: L.
            actor: who acts, or None where actions are given.
            actions: `[B, L, A]`, given ones.
            carried: `[B, K]`, the carried signals beside each other, or `[L + 1, B, K]`: where rows start and after
                each step.
            before: `[B, A]`, the actions that led to `states`, by default zeros.
            params: the program's parameters, by default its defaults.
            ids: `[B]`, the rows' random keys, by default 0 to B - 1: a row gives the same bits whatever others do.
            seed: of the random numbers.
            propagation: `sampled` draws an elite for every row and step, `elite` one for each row, `mean` takes the
                mean of the elites' means without noise; `select` and `softmax` take one of `candidates`.
            noise: whether members and actor draw around their means.
            penalty: `aleatoric` is the largest of the members' norms of standard deviations (MOPO, Yu et al. 2020),
                `disagreement` the norm of the standard deviation of their means; both evaluate all members.
            candidates: what judges the candidates of `select` and `softmax`, and ends rows that are not credible.
            precision: of all networks; `bfloat16` is faster where the processor has units for it (docs/world_models.md
                says by how much it errs).
            out: arrays of an earlier rollout to write again.

        Raises ValueError naming the array that does not fit.
        """
        ensemble, packed = self._packed
        rows = len(states)
        if (actor is None) == (actions is None):
            raise ValueError("rollout: expected an actor or actions, one of both")
        result = out or empty(steps, rows, **self._widths(ensemble))
        params = self._params(params)
        diverged = _core.rollout(
            packed,
            None if actor is None else actor.packed,
            self._core,
            self._inputs,
            self.observations,
            self.critic,
            params,
            states,
            self._carried(carried, params, rows),
            np.zeros((rows, ensemble.actions), np.float32) if before is None else before,
            actions,
            np.arange(rows, dtype=np.uint32) if ids is None else ids,
            result.arrays,
            steps,
            seed,
            propagation,
            noise,
            penalty,
            self.threads,
            None if candidates is None else candidates.packed,
            precision,
        )
        return replace(result, diverged=diverged)

    def _widths(self, ensemble: Ensemble) -> dict[str, int]:
        widths = {"observation": ensemble.states, "action": ensemble.actions, "state": ensemble.states, "channels": 0}
        if self.program is not None:
            groups = self.program.groups
            names = {"observation": self.observations, "critic": self.critic, "channels": "channels"}
            widths |= {k: groups[name].width if name in groups else 0 for k, name in names.items()}
        return widths

    def _params(self, params: Floats | None) -> Floats:
        if self.program is None:
            return np.zeros(0, np.float32)
        return self.program.defaults if params is None else params

    def _carried(self, carried: ArrayLike | None, params: Floats, rows: int) -> Floats:
        """The carried signals, and beyond them what the rollout provides by itself."""
        given = np.zeros((rows, 0), np.float32) if carried is None else np.asarray(carried, np.float32)
        expected = (rows, self.state.carried_width)
        if given.shape[-2:] != expected or given.ndim > 3:
            raise ValueError(f"carried: expected {expected}, with or without moments before it, got {given.shape}")
        given = given if given.ndim == 3 else given[None]
        if self.program is None:
            return np.ascontiguousarray(given)
        own = self.program.param_rows(rows, params)
        zeros = np.zeros((rows, 1), np.float32)
        more = [own.get(name, zeros) for name in own_columns(self.program)]
        return np.concatenate([given, *(np.broadcast_to(x, (len(given), *x.shape)) for x in more)], axis=2)


def needed(program: CompiledTask, observations: str = "policy", critic: str = "") -> CompiledTask:
    """Return a program with the groups that rollouts use. Raises SpecError for an unknown group of observations."""
    groups = program.observation_layout
    for name in (observations, *([critic] if critic else [])):
        if groups and name not in groups:
            raise unknown("world model", "group of observations", name, groups)
    names = [n for n in (observations, critic, "channels", "terminated") if n in program.groups]
    if not names:
        raise SpecError("world model: expected a program with observations, channels or terminations, got none of them")
    return program.only(names)


def pack_ensemble(ensemble: Ensemble, state: ModelState) -> _core.Ensemble:
    """Return the ensemble as the core reads it."""
    network, flat = flatten_layers(ensemble.weights, ensemble.biases, ensemble.activation)
    mean = np.concatenate([ensemble.state_mean, ensemble.action_mean], dtype=np.float32)
    std = np.concatenate([ensemble.state_std, ensemble.action_std])
    low = np.ascontiguousarray(ensemble.log_var_min, np.float32)
    high = np.ascontiguousarray(ensemble.log_var_max, np.float32)
    elites = [int(e) for e in ensemble.elites]
    return _core.Ensemble(network, flat, mean, inverse(std), low, high, elites, state.quaternions, state.truths)
