"""Fitting an ensemble to transitions: Gaussian likelihood, a bootstrap a member, stopped by a hold-out."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from .. import _core
from ..data.dataset import Transitions
from ..spec.errors import SpecError
from .ensemble import Ensemble
from .layout import Layout

Array = npt.NDArray[Any]
Count = Annotated[int, Meta(ge=1)]
DECAY = (2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4)
"""Weight decay of each layer, first to last, spread over however many layers there are."""
BOUND_WEIGHT, LOG_VAR_MIN, LOG_VAR_MAX = 0.01, -10.0, 0.5
LEAST_STD = 1e-6
BLIND = 1e30
"""The deviation of a lane that the networks must not see: divided by it, every number is 0."""


class FitSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How an ensemble is fitted; the defaults are published ones (Janner et al. 2019).

    `holdout` rows at most, and a fifth of all, judge the members; fitting stops after `patience` epochs in which no
    member gained a share of `gain`, or after `epochs`.
    """

    members: Count = 7
    elites: Count = 5
    hidden: tuple[Count, ...] = (200, 200, 200, 200)
    activation: Literal["silu", "relu", "elu", "tanh"] = "silu"
    learning_rate: float = 1e-3
    batch: Count = 256
    holdout: Count = 1000
    patience: Count = 5
    gain: float = 0.01
    epochs: Count = 200
    bootstrap: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to: mean loss of the members, and their squared errors on the hold-out, in units of the
    changes' own variances.
    """

    number: int
    loss: float
    errors: tuple[float, ...]
    stale: int


Report = Callable[[Epoch], None]


class Fit:
    """An ensemble being fitted to `rows`. `epoch` after `epoch` until `done`; `ensemble` is the best so far.

    `adrift [S]` bool are lanes that the networks do not see (see `Field.adrift`). Results do not depend on the number
    of threads. Raises SpecError for too few rows, and for numbers among them that are not finite.
    """

    def __init__(self, rows: Transitions, settings: FitSettings, adrift: Array | None = None, threads: int = 0) -> None:
        if len(rows) < 10:
            raise SpecError(f"rows: expected at least 10 transitions, got {len(rows)}")
        if settings.elites > settings.members:
            raise SpecError(f"elites: expected at most the {settings.members} members, got {settings.elites}")
        check_finite(rows)
        self.settings, self.width = settings, rows.state.shape[1]
        order = np.random.default_rng([settings.seed, 0]).permutation(len(rows))
        held = min(settings.holdout, len(rows) // 5)
        self.held, self.train = order[:held], order[held:]
        self._normalise(rows, adrift)
        sizes = (self.inputs.shape[1], *settings.hidden, 2 * self.width)
        self.layout = Layout(settings.members, sizes, settings.activation, 2 * self.width)
        self._start()
        threads = threads or len(os.sched_getaffinity(0))
        end = self.layout.size - 2 * self.width
        self._gradient = _core.RegressionGradient(self.layout.described, self.layout.size, "gaussian", end, threads)
        self._network = _core.Mlp(self.layout.described, self.layout.size, threads)

    def _normalise(self, rows: Transitions, adrift: Array | None) -> None:
        state, action = rows.state[self.train], rows.action[self.train]
        change = rows.successor - rows.state
        self.state_mean, self.state_std = moments(state)
        self.action_mean, self.action_std = moments(action)
        self.change_mean, self.change_std = moments(change[self.train])
        if adrift is not None:
            self.state_mean[adrift], self.state_std[adrift] = 0.0, BLIND
        parts = ((rows.state - self.state_mean) / self.state_std, (rows.action - self.action_mean) / self.action_std)
        self.inputs = np.concatenate(parts, axis=1, dtype=np.float32)
        self.targets = np.ascontiguousarray((change - self.change_mean) / self.change_std, np.float32)[:, None]

    def _start(self) -> None:
        """Weights that are normal, cut at two deviations of 1 / (2 sqrt(in)), and zero biases."""
        rng = np.random.default_rng([self.settings.seed, 1])
        self.flat = np.zeros(self.layout.size, np.float32)
        weights, _ = self.layout.views(self.flat)
        for weight in weights:
            draws = np.clip(rng.standard_normal(weight.shape, dtype=np.float32), -2, 2)
            weight[...] = draws / (2 * math.sqrt(weight.shape[1]))
        bounds = self.layout.extras(self.flat)
        bounds[: self.width], bounds[self.width :] = LOG_VAR_MIN, LOG_VAR_MAX
        self.mean, self.square = np.zeros_like(self.flat), np.zeros_like(self.flat)
        self.best = self.flat.copy()
        self.message = np.zeros(self.layout.size + self.layout.groups, np.float32)
        self.losses = self.message[self.layout.size :]
        self._slopes = self.message[: self.layout.size]
        self._decayed = self._decays()
        self.steps = self.epochs = self.stale = 0
        self.errors = self.now = np.full(self.layout.groups, np.inf)
        self.history: list[Epoch] = []

    def _decays(self) -> list[tuple[Array, Array, np.float32]]:
        """Each layer's slopes, weights and decay."""
        places = np.linspace(0, len(DECAY) - 1, len(self.layout.places))
        decays = np.interp(places, np.arange(len(DECAY)), DECAY).astype(np.float32)
        slopes, weights = self.layout.views(self._slopes)[0], self.layout.views(self.flat)[0]
        return list(zip(slopes, weights, decays, strict=True))

    @property
    def done(self) -> bool:
        """Whether there is nothing more to gain, or all epochs are over."""
        return self.stale >= self.settings.patience or self.epochs >= self.settings.epochs

    def epoch(self) -> Epoch:
        """Go once through the data, each member through its own sample of it, and judge the members.

        Raises SpecError naming step and members where a loss or gradient is no number; that step moves nothing.
        """
        order = self._order()
        losses = np.zeros(self.layout.groups)
        count = order.shape[1]
        for first in range(0, count, self.settings.batch):
            index = np.ascontiguousarray(order[:, first : first + self.settings.batch])
            self._step(index)
            losses += self.losses * (index.shape[1] / count)
        self.epochs += 1
        self._judge()
        done = Epoch(self.epochs, float(losses.mean()), tuple(self.now.tolist()), self.stale)
        self.history.append(done)
        return done

    def _order(self) -> Array:
        """Rows `[E, n]` in each member's own order; a bootstrap is drawn once, shuffled in every epoch."""
        members, n = self.layout.groups, len(self.train)
        fixed = np.random.default_rng([self.settings.seed, 2])
        drawn = fixed.integers(0, n, (members, n)) if self.settings.bootstrap else np.tile(np.arange(n), (members, 1))
        shuffled = np.random.default_rng([self.settings.seed, 3, self.epochs]).permuted(drawn, axis=1)
        order: Array = self.train[shuffled]
        return order

    def _step(self, index: Array) -> None:
        # half of the published loss throughout, as the core counts it: Adam moves alike
        self._gradient.run(self.flat, self.inputs, self.targets, index, self.message, 1.0, 0.5 * BOUND_WEIGHT)
        # a member that is no number would reach all others through the bounds, which they share
        if not np.isfinite(self.message).all():
            raise SpecError(f"epoch {self.epochs + 1}, step {self.steps + 1}: {self._lost()}; lower learning_rate")
        for slope, weight, decay in self._decayed:
            slope += decay * weight
        self.steps += 1
        _core.adam_step(self.flat, self._slopes, self.mean, self.square, self.settings.learning_rate, self.steps)

    def _lost(self) -> str:
        """Say whose loss or gradient is not finite."""
        own = self._slopes[: self.layout.groups * self.layout.stride].reshape(self.layout.groups, -1)
        members = np.flatnonzero(~(np.isfinite(self.losses) & np.isfinite(own).all(1)))
        names = ", ".join(f"member {m}" for m in members) or "the bounds of the variances"
        return f"not finite: loss or gradient of {names}"

    def _judge(self) -> None:
        """Keep the members that gained, with the bounds of the variances as they are."""
        self.now = self._held_errors()
        gained = (self.errors - self.now) > self.settings.gain * self.errors
        gained |= np.isinf(self.errors)
        self.errors = np.where(gained, self.now, self.errors)
        groups = self.layout.groups
        mine, kept = (x[: groups * self.layout.stride].reshape(groups, -1) for x in (self.flat, self.best))
        kept[gained] = mine[gained]
        if gained.any():
            self.layout.extras(self.best)[:] = self.layout.extras(self.flat)
        self.stale = 0 if gained.any() else self.stale + 1

    def _held_errors(self) -> Array:
        self._network.load(self.flat)
        out = np.empty((len(self.held), self.layout.groups * 2 * self.width), np.float32)
        self._network.forward(np.ascontiguousarray(self.inputs[self.held]), out)
        mean = out.reshape(len(self.held), self.layout.groups, 2 * self.width)[:, :, : self.width]
        errors: Array = np.square(mean - self.targets[self.held], dtype=np.float64).mean(axis=(0, 2))
        return errors

    def ensemble(self) -> Ensemble:
        """Return the best members, in the units of the states themselves."""
        return self._unscaled(self.best, self.errors)

    def present(self) -> Ensemble:
        """Return the members as they are now, in the units of the states themselves."""
        return self._unscaled(self.flat, self.now)

    def _unscaled(self, flat: Array, errors: Array) -> Ensemble:
        weights, biases = ([np.array(x) for x in part] for part in self.layout.views(flat))
        std = self.change_std
        # mean = m + std * network; the log variance and its bounds move by log std^2
        shift = 2 * np.log(std)
        weights[-1][:, :, : self.width] *= std
        biases[-1][:, :, : self.width] = biases[-1][:, :, : self.width] * std + self.change_mean
        biases[-1][:, :, self.width :] += shift
        low, high = self.layout.extras(flat).reshape(2, -1)
        order = np.argsort(errors, kind="stable")[: self.settings.elites]
        return Ensemble(
            weights, biases, low + shift, high + shift, self.state_mean, self.state_std, self.action_mean,
            self.action_std, self.settings.activation, tuple(int(e) for e in order),
        )


def check_finite(rows: Transitions) -> None:
    """Raise SpecError naming the first number of states, actions or successors that is not finite."""
    for name in ("state", "action", "successor"):
        values = getattr(rows, name)
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            row, lane = bad[0].tolist()
            raise SpecError(f"rows: {name}[{row}, {lane}]: expected a finite number, got {values[row, lane]}")


def moments(rows: Array) -> tuple[Array, Array]:
    """Return means and deviations `[F]` float32 of rows `[M, F]`; a lane that never moves has deviation 1."""
    mean, std = rows.mean(0, dtype=np.float64), rows.std(0, dtype=np.float64)
    return mean.astype(np.float32), np.where(std < LEAST_STD, 1.0, std).astype(np.float32)
