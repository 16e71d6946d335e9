"""Velocity commands and the gait clock of N environments: signals that the environment itself provides."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..spec.signal import Signal
from ..spec.task import Clock, Command

Rows = NDArray[np.int64]


class CommandSource:
    """Draws targets and lets `command` [N, 3] float32 (m/s, m/s, rad/s) follow them, limited in slew.

    `moving` [N] is false while a command is zero (within the deadband). An episode starts at command zero.
    """

    def __init__(self, spec: Command, n: int, dt: float) -> None:
        self.spec, self.dt = spec, dt
        self.command = np.zeros((n, 3), np.float32)
        self.target = np.zeros((n, 3), np.float32)
        self.timer = np.zeros(n, np.int32)
        self.moving = np.zeros(n, np.bool_)
        self.held = np.zeros(n, np.bool_)
        self._low = np.array(spec.low, np.float32)
        self._high = np.array(spec.high, np.float32)
        self._most = np.array(spec.slew, np.float32) * np.float32(dt)
        self._step = np.zeros((n, 3), np.float32)

    @staticmethod
    def signals() -> list[Signal]:
        """The signals `command` and `moving`."""
        command = Signal("command", "vector", 3, unit="m/s, m/s, rad/s", frame="body", mirror=(1.0, -1.0, -1.0))
        return [command, Signal("moving", "bool")]

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The signals' arrays by name."""
        return {"command": self.command, "moving": self.moving}

    def hold(self, target: NDArray[np.float32] | None) -> None:
        """Hold every target at `target` ([3] or [N, 3]; still slew-limited), or release them with None."""
        self.held[:] = target is not None
        if target is not None:
            self.target[:] = target

    def reset(self, rng: np.random.Generator, rows: Rows) -> None:
        """Start new episodes in `rows`: command zero, a new target unless held."""
        self.command[rows] = 0
        self.moving[rows] = False
        self._redraw(rng, rows)

    def rows(self) -> NDArray[np.float32]:
        """Return all that says how commands go on: command, target, steps to the next one, and whether it is held
        [N, 8].
        """
        return np.column_stack([self.command, self.target, self.timer, self.held]).astype(np.float32)

    def begin(self, rows: NDArray[np.float32]) -> None:
        """Be where `rows` [N, 8] were."""
        self.command[:], self.target[:] = rows[:, :3], rows[:, 3:6]
        self.timer[:], self.held[:] = rows[:, 6], rows[:, 7] > 0
        self._tell_moving()

    def advance(self, rng: np.random.Generator) -> None:
        """Move every command one control step towards its target; draw new targets where it is time."""
        self.timer -= 1
        if (self.timer <= 0).any():
            self._redraw(rng, np.flatnonzero(self.timer <= 0))
        np.subtract(self.target, self.command, out=self._step)
        np.clip(self._step, -self._most, self._most, out=self._step)
        self.command += self._step
        self._tell_moving()

    def _tell_moving(self) -> None:
        np.greater(np.abs(self.command).max(axis=1), self.spec.deadband, out=self.moving)

    def _redraw(self, rng: np.random.Generator, rows: Rows) -> None:
        k = len(rows)
        first, last = (round(s / self.dt) for s in self.spec.resample_s)
        self.timer[rows] = rng.integers(first, last + 1, k)
        target = self._low + (self._high - self._low) * rng.random((k, 3), np.float32)
        kind = rng.random(k)
        target[np.linalg.norm(target, axis=1) < self.spec.deadband] = 0
        target[kind < self.spec.zero] = 0
        turning = (kind >= self.spec.zero) & (kind < self.spec.zero + self.spec.turn)
        target[turning, :2] = 0
        free = ~self.held[rows]
        self.target[rows[free]] = target[free]


class GaitClock:
    """The gait clock: `clock` [N, 2] float32 (sin, cos; zero while standing) and `leg_phase` [N, feet] in [0, 1)."""

    def __init__(self, spec: Clock, n: int, dt: float) -> None:
        self.spec = spec
        self.phase = np.zeros(n, np.float32)
        self.clock = np.zeros((n, 2), np.float32)
        self.leg_phase = np.zeros((n, len(spec.offsets)), np.float32)
        self._offsets = np.array(spec.offsets, np.float32)
        self._advance = np.float32(spec.frequency * dt)

    @staticmethod
    def signals(feet: tuple[str, ...]) -> list[Signal]:
        """The signals `clock` and `leg_phase`. A mirror shifts the phase by one half: sin and cos turn over."""
        clock = Signal("clock", "vector", 2, mirror=(-1.0, -1.0))
        return [clock, Signal("leg_phase", axis="feet", labels=feet)]

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The signals' arrays by name."""
        return {"clock": self.clock, "leg_phase": self.leg_phase}

    def reset(self, rows: Rows) -> None:
        """Start `rows` at phase zero, standing."""
        self.phase[rows] = 0
        self.clock[rows] = 0
        self.leg_phase[rows] = self._offsets

    def begin(self, phase: NDArray[np.float32], moving: NDArray[np.bool_]) -> None:
        """Be at phases [N]."""
        self.phase[:] = phase
        self._show(moving)

    def advance(self, moving: NDArray[np.bool_]) -> None:
        """Advance the phase where `moving`; elsewhere it rests at zero."""
        np.add(self.phase, self._advance, out=self.phase)
        np.fmod(self.phase, np.float32(1), out=self.phase)
        self.phase *= moving
        self._show(moving)

    def _show(self, moving: NDArray[np.bool_]) -> None:
        angle = self.phase * np.float32(2 * np.pi)
        np.multiply(np.sin(angle), moving, out=self.clock[:, 0])
        np.multiply(np.cos(angle), moving, out=self.clock[:, 1])
        np.add(self.phase[:, None], self._offsets, out=self.leg_phase)
        np.fmod(self.leg_phase, np.float32(1), out=self.leg_phase)
