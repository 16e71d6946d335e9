"""A world model that is fitted while transitions come in, as arrays that a checkpoint can hold."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from pyembody.data.dataset import Transitions
from pyembody.program import CompiledTask
from pyembody.spec import Mbpo
from pyembody.world import Actor, Ensemble, EnsembleModel, Fit, FitSettings, Imagined
from pyembody.world.model import VECTORS, adrift
from pyembody.world.task_state import TaskState

Array = npt.NDArray[Any]


class OnlineModel:
    """An ensemble over a task's state that `fit` makes anew; `arrays` are its parameters by name, live."""

    def __init__(self, config: Mbpo, task: TaskState, actions: int, seed: int) -> None:
        self.config, self.task, self.seed = config, task, seed
        self.adrift = adrift(task.fields)
        self.threads = len(os.sched_getaffinity(0))
        self.arrays = _empty(config, task.state.width, actions)
        self._imagination: EnsembleModel | None = None
        self._program: CompiledTask | None = None

    @property
    def rows(self) -> int:
        """How many transitions it was fitted to; 0: to none yet."""
        return int(self.arrays["fit"][0])

    def report(self) -> dict[str, float]:
        """Return rows and epochs of the fit, and the best member's share of the change that is left unexplained."""
        return dict(zip(("rows", "epochs", "unexplained"), self.arrays["fit"][:3].tolist(), strict=True))

    def due(self, steps: int) -> bool:
        """Whether a new fit is due after so many steps in all, of which a full replay has forgotten the first."""
        return steps >= (1.0 + self.config.growth) * float(self.arrays["fit"][3])

    def fit(self, state: Array, action: Array, successor: Array, steps: int) -> None:
        """Fit a new ensemble to transitions `[M, S]`, `[M, A]`, `[M, S]`, after so many steps in all.

        Raises SpecError for fewer than ten.
        """
        known = np.isfinite(state).all(1) & np.isfinite(successor).all(1)
        no = np.zeros(int(known.sum()), np.bool_)
        rows = Transitions(state[known], action[known], successor[known], np.zeros((len(no), 0)), no, no)
        config = self.config
        settings = FitSettings(
            members=config.members, elites=config.elites, hidden=config.model_hidden, epochs=config.model_epochs,
            seed=self.seed,
        )  # fmt: skip
        fit = Fit(rows, settings, self.adrift, self.threads)
        while not fit.done:
            fit.epoch()
        self._keep(fit.ensemble())
        self.arrays["fit"][:] = (len(state), fit.epochs, fit.errors.min(), steps)

    def _keep(self, ensemble: Ensemble) -> None:
        for name in VECTORS:
            self.arrays[name][...] = getattr(ensemble, name)
        for i, (weight, bias) in enumerate(zip(ensemble.weights, ensemble.biases, strict=True)):
            self.arrays[f"weights.{i}"][...], self.arrays[f"biases.{i}"][...] = weight, bias
        self.arrays["elites"][:] = ensemble.elites

    def ensemble(self) -> Ensemble:
        """Return the present ensemble, on the live arrays."""
        layers = range(len(self.config.model_hidden) + 1)
        weights, biases = ([self.arrays[f"{kind}.{i}"] for i in layers] for kind in ("weights", "biases"))
        vectors = {name: self.arrays[name] for name in VECTORS}
        return Ensemble(weights, biases, **vectors, activation=FitSettings().activation,
                        elites=tuple(int(e) for e in self.arrays["elites"]))

    def imagine(
        self, states: Array, carried: Array, before: Array, actor: Actor, params: Array, seed: int
    ) -> Imagined:
        """Return a rollout of the actor from `states [B, S]`, paid by the task's program with its `params`."""
        task, config = self.task, self.config
        if self._imagination is None or self._program is not task.program:
            # a text that was swapped in pays for what is imagined, too
            self._program = task.program
            self._imagination = task.model(self.ensemble(), self.threads)
        else:
            self._imagination.load(self.ensemble())
        return self._imagination.rollout(
            np.ascontiguousarray(states), config.imagined, actor=actor, carried=carried, before=before, params=params,
            seed=seed, precision=config.precision, propagation=config.propagation,
        )  # fmt: skip


def _empty(config: Mbpo, width: int, actions: int) -> dict[str, Array]:
    sizes = (width + actions, *config.model_hidden, 2 * width)
    arrays: dict[str, Array] = {
        name: np.ones(actions if name.startswith("action") else width, np.float32) for name in VECTORS
    }
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        arrays[f"weights.{i}"] = np.zeros((config.members, inputs, outputs), np.float32)
        arrays[f"biases.{i}"] = np.zeros((config.members, 1, outputs), np.float32)
    return arrays | {"elites": np.arange(config.elites), "fit": np.zeros(4)}
