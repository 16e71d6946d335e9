"""Rollouts of candidates from one state, on a model, recording what the cost program asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import mujoco
import numpy as np
from mujoco.batch import Batch, SimulationError
from numpy.typing import NDArray

from ..envs.model import BuiltModel
from ..spec.signal import Signal
from .cost import CostProgram
from .lookahead import Lookahead
from .samplers import Plan, Sampler

Floats = NDArray[np.float64]
STATE = int(mujoco.mjtState.mjSTATE_INTEGRATION.value)
CHUNKS = 4


@dataclass(frozen=True)
class Start:
    """Where candidates begin: positions `[nq]`, velocities `[nv]`, the control `[A]` before, gait cycles `[feet]`."""

    qpos: Floats
    qvel: Floats
    control: Floats
    gait_cycles: Floats
    time: float = 0.0


class Imagined:
    """Costs of control sequences on `built`'s model, `count` candidates at a time.

    `frequencies` `[feet]` in Hz is how fast gait cycles go on; the last state of a sequence counts `final` times.
    """

    def __init__(
        self, built: BuiltModel, cost: CostProgram, count: int, threads: int = 1, final: float = 1.0
    ) -> None:
        self.built, self.count, self.final = built, count, final
        self.dt = float(built.model.opt.timestep)
        self.batch = Batch(built.model, count, threads)
        self.batch.reset()
        self._data = mujoco.MjData(built.model)
        self._row = np.zeros(mujoco.mj_stateSize(built.model, STATE))
        self._bad = self.batch.warning
        self.use(cost)
        self.frequencies = np.zeros(len(built.foot_geoms))
        self.steps = 0
        """Simulation steps made so far, for speed figures."""

    def use(self, cost: CostProgram | Lookahead) -> None:
        """Let another program say what states cost, and record what it asks for."""
        self.cost: CostProgram | Lookahead = cost
        sources = self.built.sources
        self.fields = fields_of(self.built, cost.inputs)
        self._reads = [
            (s.name, source.field, _side_by_side(source.columns))
            for s in cost.inputs
            if (source := sources.get(s.name)) is not None
        ]

    def costs(self, start: Start, controls: Floats, sampler: Sampler | None = None, plan: Plan | None = None) -> Floats:
        """Return the mean cost `[N]` of controls `[N, T, A]`, infinite for what diverged.

        Rows are the states after each step but the last, whose derived fields are not known yet. With a `sampler` a
        candidate is dropped (infinite too) once its sum alone is more than its update would see.
        """
        self._rewind(start)
        count, horizon = controls.shape[:2]
        if isinstance(self.cost, Lookahead):
            self.cost.begin(count)
        ids = np.arange(count)
        if sampler is None or plan is None:
            sums = np.zeros(count)
            self._advance(start, controls, ids, (0, horizon), None, sums)
            return self._mean(sums, horizon)
        whole = np.full(count, np.inf)
        first = min(sampler.first, count)
        whole[:first] = 0.0
        self._advance(start, controls[:first], ids[:first], (0, horizon), None, whole[:first])
        beyond = sampler.slack * plan.temperature if sampler.slack else 0.0
        limit = float(whole[:first].max()) + beyond * self._rows(horizon)
        return self._mean(self._culled(start, controls, ids[first:], limit, whole), horizon)

    def _mean(self, sums: Floats, horizon: int) -> Floats:
        mean: Floats = sums / self._rows(horizon)
        return mean

    def _rows(self, horizon: int) -> float:
        """How many rows are summed: all states but the first, of which the last counts `final` times."""
        return horizon - 2 + self.final

    def _culled(self, start: Start, controls: Floats, ids: NDArray[np.int64], limit: float, whole: Floats) -> Floats:
        """Roll the rest in chunks; rows whose partial sum is beyond the limit stay infinite."""
        horizon = controls.shape[1]
        edges = np.unique(np.linspace(0, horizon, CHUNKS + 1).round().astype(int))
        sums, last = np.zeros(len(ids)), None
        for begin, end in pairwise(edges):
            last = self._advance(start, controls[ids], ids, (int(begin), int(end)), last, sums)
            keep = sums <= limit
            ids, sums, last = ids[keep], sums[keep], last[keep]
            if len(ids) == 0:
                return whole
        whole[ids] = sums
        return whole

    def _rewind(self, start: Start) -> None:
        data, model = self._data, self.built.model
        mujoco.mj_resetData(model, data)
        data.qpos[:], data.qvel[:], data.time = start.qpos, start.qvel, start.time
        mujoco.mj_getState(model, data, self._row, STATE)
        self.batch.state[:] = self._row

    def _advance(
        self,
        start: Start,
        controls: Floats,
        ids: NDArray[np.int64],
        steps: tuple[int, int],
        last: Floats | None,
        sums: Floats,
    ) -> Floats:
        """Go on from one step to another, add the costs of the rows known by then to `sums` `[n]`; return the last
        positions and velocities `[n, nq + nv]`.

        Derived fields describe the state before a step, so they belong to the positions of the step before. Costs are
        added one after the other, so that chunks give the same bits as a whole.
        """
        begin, end = steps
        moves = np.ascontiguousarray(controls[:, begin:end])
        full = np.zeros((len(ids), end - begin, self.built.model.nu))
        full[:, :, self.built.control.actuators] = moves
        before = self._bad[ids, :, 1].sum(1)
        try:
            got = self.batch.rollout(end - begin, full, record=("qpos", "qvel", *self.fields), ids=ids)
        except SimulationError:
            sums[:] = np.inf
            return np.zeros((len(ids), self.built.model.nq + self.built.model.nv))
        self.steps += len(ids) * (end - begin)
        diverged = self._bad[ids, :, 1].sum(1) > before
        now = np.concatenate([got["qpos"][:, -1], got["qvel"][:, -1]], axis=1)
        if last is not None:
            got = _after(last, got)
        first = begin if last is not None else begin + 1
        if end > first:  # the first step alone has no derived fields of a state after it
            signals = self._signals(start, got, controls, first, end)
            rows = self.cost(signals, ids) if isinstance(self.cost, Lookahead) else self.cost(signals)
            for k, row in enumerate(rows, first):
                sums += row if k + 1 < controls.shape[1] else self.final * row
        sums[diverged | ~np.isfinite(sums)] = np.inf
        return now

    def _signals(
        self, start: Start, got: Mapping[str, Floats], controls: Floats, begin: int, end: int
    ) -> dict[str, NDArray[np.float64]]:
        """Arrays `[T, N, lanes]` of the states after steps begin .. end - 1; views wherever columns are adjacent."""
        signals: dict[str, NDArray[np.float64]] = {}
        rows = end - begin
        shape = (rows, len(controls))
        for name, field, columns in self._reads:
            values = got[field]
            held = values[:, :rows] if field in ("qpos", "qvel") else values[:, values.shape[1] - rows :]
            signals[name] = held[:, :, columns].transpose(1, 0, 2)
        signals["ctrl"] = controls[:, begin - 1 : end - 1].transpose(1, 0, 2)
        signals["prev_ctrl"] = _previous(start, controls, begin, end).transpose(1, 0, 2)
        cycles = start.gait_cycles + np.arange(begin, end)[:, None] * (self.frequencies * self.dt)
        signals["gait_cycles"] = np.broadcast_to(cycles[:, None, :], (*shape, len(self.frequencies)))
        return signals


def _after(last: Floats, got: Mapping[str, Floats]) -> dict[str, Floats]:
    """The recorded positions and velocities with those of the step before put in front."""
    size = got["qpos"].shape[2]
    parts = {"qpos": last[:, None, :size], "qvel": last[:, None, size:]}
    return {**got, **{name: np.concatenate([part, got[name]], axis=1) for name, part in parts.items()}}


def _previous(start: Start, controls: Floats, begin: int, end: int) -> Floats:
    if begin >= 2:
        return controls[:, begin - 2 : end - 2]
    first = np.broadcast_to(start.control, (len(controls), 1, controls.shape[2]))
    return np.concatenate([first, controls[:, : end - 2]], axis=1)


def _side_by_side(columns: tuple[int, ...]) -> slice | list[int]:
    """Columns as a slice where they are adjacent, so that reading them copies nothing."""
    first, last = columns[0], columns[-1] + 1
    return slice(first, last) if tuple(range(first, last)) == columns else list(columns)


def fields_of(built: BuiltModel, inputs: tuple[Signal, ...]) -> tuple[str, ...]:
    """Return the simulator's fields, beside positions and velocities, that the signals are read from."""
    fields = [built.sources[s.name].field for s in inputs if s.name in built.sources]
    return tuple(sorted({f for f in fields if f and f not in ("qpos", "qvel")}))
