"""What environments themselves give a task, going on without a simulation: commands and the gait clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .commands import CommandSource, GaitClock

if TYPE_CHECKING:
    from .vector import VectorEnv

Floats = NDArray[np.float32]
GIVEN = ("command", "moving", "clock", "leg_phase")
"""The signals that go on by the task's own rule."""


class Given:
    """Rows `[N, G]` that say how commands and clocks go on, and how they do, by the code of environments."""

    def __init__(self, env: VectorEnv) -> None:
        self._task, self._dt = env.task, float(env.control_dt)
        self._commands, self._clock = env._commands, env._clock

    @property
    def names(self) -> tuple[str, ...]:
        """The signals that `staying` wants."""
        given = self._commands is not None, self._clock is not None
        return tuple(name for name, is_there in zip(("command", "leg_phase"), given, strict=True) if is_there)

    def look(self, count: int) -> Floats:
        """Return the rows of the `count` environments as they are now."""
        parts = [np.zeros((count, 0), np.float32)]
        parts += [] if self._commands is None else [self._commands.rows()]
        parts += [] if self._clock is None else [self._clock.phase[:, None]]
        return np.concatenate(parts, axis=1)

    def staying(self, count: int, signals: Mapping[str, Floats]) -> Floats:
        """Return rows of which only the signals `[count, lanes]` are known: commands stay, the clock goes on."""
        parts = [np.zeros((count, 0), np.float32)]
        if self._commands is not None:
            command = signals["command"]
            parts += [command, command, np.ones((count, 2), np.float32)]
        if self._clock is not None:
            first = np.float32(self._clock.spec.offsets[0])
            parts.append(np.mod(signals["leg_phase"][:, :1] - first, np.float32(1)))
        return np.concatenate(parts, axis=1)

    def unroll(self, rows: Floats, steps: int, names: Sequence[str], rng: np.random.Generator) -> Floats:
        """Return the named signals side by side `[steps + 1, N, K]`: those of `rows`, then those after each step."""
        count, spec = len(rows), self._task
        commands = None if spec.command is None else CommandSource(spec.command, count, self._dt)
        clock = None if spec.clock is None else GaitClock(spec.clock, count, self._dt)
        arrays: dict[str, NDArray[Any]] = {}
        if commands is not None:
            commands.begin(rows[:, :8])
            arrays |= {"command": commands.command, "moving": commands.moving[:, None]}
            if clock is not None:
                clock.begin(rows[:, 8], commands.moving)
                arrays |= {"clock": clock.clock, "leg_phase": clock.leg_phase}
        moments = []
        for step in range(steps + 1):
            if step and commands is not None:
                commands.advance(rng)
                if clock is not None:
                    clock.advance(commands.moving)
            shown = [np.zeros((count, 0), np.float32), *(arrays[name] for name in names)]
            moments.append(np.concatenate(shown, axis=1, dtype=np.float32))
        return np.stack(moments)
