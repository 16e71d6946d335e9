"""The gates of a task while it trains: between collection and returns, with what they remember and say."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from pyembody import _core
from pyembody.program.gating import CONDITIONS, gated_channels, start_threshold, threshold_name, waiting
from pyembody.spec import Adaptive, Channel, Gate, Task

from . import checkpoint
from .buffers import Rollout
from .channels import Channels
from .distributed import Group
from .gate_rules import OPEN, GateRules, GateState

Array = npt.NDArray[Any]
SUMS = ("ended", "open", "opened", "steps", "lump", "paid", "raw")
"""Per channel of an iteration: ended episodes, open ones, gates that opened in sight and the sum of the steps that
took, what was paid as a lump, what was paid, and what would have been without gates."""


def make_gates(task: Task, env: Any, horizon: int) -> Gates | None:
    """Return the gates of a task, None if nothing gates any of its channels."""
    return Gates(task, env, horizon) if gated_channels(task) else None


class Gates:
    """Gates the rewards of every rollout. A checkpoint holds `shared` of all ranks and `own` of each."""

    def __init__(self, task: Task, env: Any, horizon: int) -> None:
        self._task, self._env = task, env
        channels = [task.channels[name] for name in env.channel_names]
        self._gates = [c.gate or Gate() for c in channels]
        self._threshold = np.array([_start(c) for c in channels], np.float32)
        self.state = GateState(self.rules(), env.num_envs)
        shape = (horizon, env.num_envs, len(channels))
        self.open = np.zeros(shape, np.uint8)
        self._waiting = [env.channel_names.index(name) for name in waiting(task)]
        self._conditions = np.zeros(shape, np.uint8) if self._waiting else None
        self._sums = np.zeros((len(SUMS), len(channels)))
        self._adaptive = {i: g.threshold for i, g in enumerate(self._gates) if isinstance(g.threshold, Adaptive)}
        self._measures = {i: np.full(a.window, np.nan) for i, a in self._adaptive.items()}
        self._seen = np.zeros(len(channels), np.int64)

    def rules(self) -> GateRules:
        """Return the rules by the present thresholds."""
        gates = self._gates
        return GateRules(
            level=tuple(g.level for g in gates),
            agg=tuple("none" if g.threshold is None else g.agg for g in gates),
            threshold=self._thresholds(),
            strict=tuple(g.compare == ">" for g in gates),
            mask=tuple(g.negative == "mask" for g in gates),
            mean=tuple(g.pay == "mean" for g in gates),
            cap=tuple(np.inf if g.cap is None else g.cap for g in gates),
            waits=tuple(bool(g.when) for g in gates),
            scope=self._task.gates.scope,
            place=self._task.gates.place,
            pending=self._task.gates.pending,
        )

    def keep(self, t: int) -> None:
        """Store what channels wait for as the environments' program computed it in step t."""
        if self._conditions is not None:
            self._conditions[t][:, self._waiting] = self._env.outputs[CONDITIONS]

    def apply(self, rollout: Rollout) -> None:
        """Gate the rewards `[T, N, C]` in place."""
        raw = rollout.rewards.sum((0, 1), dtype=np.float64)
        before = self.state.latch & OPEN, self.state.length.copy()
        episodes = _core.gate_rewards(
            self.rules().core, self.state.arrays(), rollout.rewards, rollout.terminated, rollout.truncated,
            rollout.rewards, self.open, None, self._conditions,
        )
        opened = None
        if self._task.gates.scope == "running":
            opened = _openings(self.open, rollout.terminated | rollout.truncated, *before)
        self._count(episodes, raw, rollout.rewards.sum((0, 1), dtype=np.float64), opened)

    def returns(self, rollout: Rollout, channels: Channels) -> None:
        """Fill advantages and returns of gated rewards in one walk; the rewards stay. Not for running gates."""
        raw = rollout.rewards.sum((0, 1), dtype=np.float64)
        episodes = _core.gated_returns(
            self.rules().core, self.state.arrays(), rollout.rewards, rollout.values[:-1].numpy(), rollout.next_values,
            rollout.terminated, rollout.truncated, channels.gamma, channels.lam, rollout.advantages, rollout.returns,
            None, self._conditions, channels.episodic,
        )
        self._count(episodes, raw, raw - episodes["withheld"])

    def forget(self) -> None:
        """Begin new episodes everywhere: the environments were reset."""
        self.state.forget(self.rules(), slice(None))

    def bootstrap(self, rollout: Rollout) -> None:
        """Count what follows a truncation only where the gate is open; a critic of all channels together knows none."""
        cut = rollout.bootstrapped
        if rollout.next_values.shape == self.open.shape:
            rollout.next_values[cut] *= self.open[cut]

    def adapt(self, group: Group) -> None:
        """Raise adaptive thresholds towards the quantile of the last episodes, equally on all ranks."""
        if not self._adaptive:
            return
        present = self._thresholds()
        wanted = torch.tensor([self._wanted(i, float(present[i])) for i in self._adaptive], dtype=torch.float64)
        for i, value in zip(self._adaptive, (group.sum(wanted) / group.size).tolist(), strict=True):
            self._set(i, max(value, float(present[i])))

    def report(self, group: Group, names: tuple[str, ...], dt: float) -> dict[str, dict[str, float]]:
        """Return per gated channel what the last iteration says of it, over all ranks.

        `open`: share of episodes; `withheld`: reward a second that was not paid (yet); `held_share`: how much of what
        was paid came as a lump at the end; `time_to_open` in seconds; of gating channels the `threshold`.
        """
        sums = dict(zip(SUMS, group.sum(torch.from_numpy(self._sums.copy())).numpy(), strict=True))
        rules = self.rules()
        seconds = self.open.shape[0] * self.open.shape[1] * group.size * dt
        out: dict[str, dict[str, float]] = {}
        for i, name in enumerate(names):
            if rules.agg[i] != "none":
                out[name] = {"threshold": float(rules.threshold[i])}
            if rules.gated[i]:
                out[name] = out.get(name, {}) | {
                    "open": _ratio(sums["open"][i], sums["ended"][i]),
                    "withheld": float(sums["raw"][i] - sums["paid"][i]) / seconds,
                    "held_share": _ratio(sums["lump"][i], sums["paid"][i]),
                    "time_to_open": _ratio(sums["steps"][i], sums["opened"][i]) * dt,
                }
        return out

    def shared(self) -> dict[str, Array]:
        """Return the thresholds `[C]` in force, by the name that an evaluation finds them by."""
        self._threshold[:] = self._thresholds()
        return {checkpoint.THRESHOLDS: self._threshold}

    def own(self) -> dict[str, Array]:
        """Return what this rank's gates remember, live, by name."""
        arrays = {f"gates.{name}": array for name, array in self.state.arrays().items()}
        return arrays | {"gates.seen": self._seen} | {f"gates.measures.{i}": m for i, m in self._measures.items()}

    def _thresholds(self) -> npt.NDArray[np.float32]:
        """Those of the environments' program, where schedules and edits write them, if it has any."""
        program = getattr(self._env, "program", None)
        threshold = self._threshold.copy()
        for i, name in enumerate(self._env.channel_names):
            info = program.params.get(threshold_name(name)) if program is not None else None
            if info is not None:
                threshold[i] = self._env.params[info.index]
        return threshold

    def _set(self, channel: int, value: float) -> None:
        self._threshold[channel] = value
        if hasattr(self._env, "set_params"):
            self._env.set_params({threshold_name(self._env.channel_names[channel]): value})

    def _wanted(self, channel: int, present: float) -> float:
        adaptive, measures = self._adaptive[channel], self._measures[channel]
        if self._seen[channel] < adaptive.window:
            return present
        known = measures[np.isfinite(measures)]
        value = float(np.quantile(known, adaptive.quantile)) if known.size else present
        return min(max(value, adaptive.first), adaptive.last)

    def _remember(self, measures: Array) -> None:
        for i, kept in self._measures.items():
            for value in measures[:, i]:
                kept[self._seen[i] % len(kept)] = value
                self._seen[i] += 1

    def _count(
        self, episodes: dict[str, Array], raw: Array, paid: Array, opened: tuple[Array, Array] | None = None
    ) -> None:
        """Keep what the iteration says; `opened` are the gates that opened and their steps, by default at the ends."""
        ends = episodes["open"].sum(0), (episodes["open"] * episodes["length"][:, None]).sum(0)
        ended = np.full(len(paid), len(episodes["length"]))
        self._sums[:] = np.array([ended, ends[0], *(opened or ends), episodes["lump"].sum(0), paid, raw])
        self._remember(episodes["measure"])


def _openings(gate: Array, ended: Array, latch: Array, length: Array) -> tuple[Array, Array]:
    """How many running gates opened, and the sum of their episodes' steps until then, per channel."""
    opened, steps = np.zeros(gate.shape[2]), np.zeros(gate.shape[2])
    for t in range(len(gate)):
        length = length + 1
        new = gate[t] > latch
        opened += new.sum(0)
        steps += (new * length[:, None]).sum(0)
        latch, length = np.where(ended[t][:, None], 0, gate[t]), np.where(ended[t], 0, length)
    return opened, steps


def _start(channel: Channel) -> float:
    return start_threshold(channel.gate) or 0.0


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
