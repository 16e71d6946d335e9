"""A reward program by itself: text in, rewards out, on the arrays of any simulator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..spec.errors import SpecError
from ..spec.signal import Signal
from ..spec.standalone import read_standalone
from .arrays import rows_of
from .compiler import compile_task
from .operations import OPERATIONS
from .params import ParamInfo, find
from .rewards import Floats, Outputs, Rewards
from .scope import BUILTINS

if TYPE_CHECKING:
    from .. import _core


SHORTEST, LONGEST = 1e-6, 1e6
"""Control steps in seconds."""


class RewardProgram:
    """Reward terms, channels, terminations and observations over signals `[N, ...]`, evaluated in the C++ core.

    Args:
        source: a TOML file (a Path, or a string that ends in `.toml`), TOML text, or a dict of the same form.
        signals: signals that the text does not declare.
        dt: the control step in seconds, if the text does not say it.
        threads: of the evaluation; results do not depend on it.

    Raises SpecError naming place, column, what was expected and the nearest legal name.
    """

    def __init__(
        self,
        source: str | Path | Mapping[str, Any],
        *,
        signals: Mapping[str, Signal] | None = None,
        dt: float | None = None,
        threads: int = 1,
    ) -> None:
        text = read_standalone(source)
        step = text.dt if dt is None else dt
        if step is None:
            raise SpecError(f"{text.place}: dt: expected the control step in seconds, in the text or as an argument")
        if not SHORTEST <= step <= LONGEST:
            raise SpecError(f"{text.place}: dt: expected {SHORTEST:g} to {LONGEST:g} seconds, got {step}")
        table = {**(signals or {}), **text.signals}
        _check_signals(table, text.place)
        self.task, self.dt, self.threads = text.task, float(step), threads
        self.compiled = compile_task(text.task, table, dt=self.dt)
        self.signals: tuple[Signal, ...] = self.compiled.inputs
        self.term_names, self.channel_names = self.compiled.term_names, self.compiled.channel_names
        self.termination_names, self.metric_names = self.compiled.termination_names, self.compiled.metric_names
        self.guard_names, self.line_names = self.compiled.guard_names, self.compiled.line_names
        self.params: dict[str, ParamInfo] = self.compiled.params
        self.moments = self.compiled.make_moments()
        self._values: Floats = self.compiled.defaults.copy()
        self._core = self.compiled.build()
        self._state: _core.State | None = None

    # --- weights and parameters -------------------------------------------------------------------

    def set(self, edits: str | Mapping[str, float], value: float | None = None) -> None:
        """Change a weight or parameter, `set("lin_vel.weight", 2.0)`, or several, all or none, from a mapping.

        The next step uses them, everywhere where this program is bound. A short name is legal if it is unique.
        Raises SpecError for an unknown name, with the nearest one, and for a value out of range.
        """
        if isinstance(edits, str):
            if value is None:
                raise TypeError(f"set: {edits}: expected a value")
            edits = {edits: value}
        self.compiled.set_params(self._values, edits)

    def get(self, name: str) -> float:
        """Return the present value of a weight or parameter. Raises SpecError for an unknown name."""
        return float(self._values[find(self.params, name).index])

    def follow_schedules(self, steps: float) -> None:
        """Set every weight and parameter that the text schedules to its value at a number of environment steps."""
        self.compiled.set_params(self._values, self.compiled.scheduled(steps))

    def learn_moments(self, rewards: Rewards) -> None:
        """Take a step into the running statistics of `normalise`; they stay as they are without this.

        `moments.array` is all there is to save; call `moments.write` after putting it back.
        """
        self.moments.update(rewards.statistics, self._values)

    # --- evaluation -------------------------------------------------------------------------------

    @property
    def remembers(self) -> bool:
        """True if an operation knows earlier steps, so that episodes must begin with `reset`."""
        return self._core.state_slots > 0

    @property
    def state(self) -> NDArray[np.float64]:
        """What the N rows remember, a view `[slots, N]`: copy it to keep it, write into it to go on from there.

        Raises ValueError before the first `reset` or `step`.
        """
        if self._state is None:
            raise ValueError("state: expected a reset or a step first, which say how many rows there are")
        return self._state.array

    def reset(self, signals: Mapping[str, Any], mask: ArrayLike | None = None) -> dict[str, Floats]:
        """Begin episodes from the reset state's signals; return the observations `[N, O]` by group.

        `mask` `[N]` bool says which rows begin (all without it); the observations of others are 0. Nothing is paid.
        """
        bound = self._bound(signals, new=mask is None)
        return bound.reset(mask)

    def step(self, signals: Mapping[str, Any]) -> Rewards:
        """Return the rewards of one step for the signals after it, arrays `[N, ...]` by name, in fresh arrays.

        Raises ValueError or TypeError naming signal, expected and got, and ValueError for a program that remembers
        and was not reset with as many rows.
        """
        return self._bound(signals, new=not self.remembers).step()

    __call__ = step

    def bind(self, signals: Mapping[str, Any]) -> BoundProgram:
        """Return the program on these very arrays, whose numbers may change between calls: the fastest way.

        It has a state of its own and writes the same arrays at each step.
        """
        rows = rows_of(self.signals, signals)
        return self._bind(rows, self._core_state(_count(rows, signals)))

    def _bound(self, signals: Mapping[str, Any], new: bool) -> BoundProgram:
        rows = rows_of(self.signals, signals)
        n = _count(rows, signals)
        if self._state is None or self._state.n != n:
            if not new:
                had = "nothing" if self._state is None else f"{self._state.n} rows"
                raise ValueError(f"signals: expected reset(signals) of {n} rows before, as the program remembers "
                                 f"earlier steps; got {had}")
            self._state = self._core_state(n)
        return self._bind(rows, self._state)

    def _core_state(self, n: int) -> _core.State:
        from .. import _core

        return _core.State(self._core, n)

    def _bind(self, rows: list[NDArray[Any]], state: _core.State) -> BoundProgram:
        from .. import _core

        outputs = Outputs(self.compiled, state.n)
        evaluator = _core.Evaluator(
            self._core, state, rows, outputs.arrays, self._values, outputs.flags, outputs.bad_term, self.threads
        )
        return BoundProgram(evaluator, state, outputs)


class BoundProgram:
    """A reward program on fixed arrays: `step` reads what they hold now and rewrites `rewards`."""

    def __init__(self, evaluator: _core.Evaluator, state: _core.State, outputs: Outputs) -> None:
        self._evaluator, self._state, self._outputs = evaluator, state, outputs
        self._all = np.ones(state.n, np.bool_)
        self.rewards: Rewards = outputs.rewards

    @property
    def state(self) -> NDArray[np.float64]:
        """What the N rows remember, a view `[slots, N]`."""
        return self._state.array

    def reset(self, mask: ArrayLike | None = None) -> dict[str, Floats]:
        """Begin episodes of the rows of `mask` `[N]` bool (all without it); return the observations by group."""
        rows = self._all if mask is None else np.asarray(mask)
        if rows.shape != self._all.shape or rows.dtype != np.bool_:
            raise ValueError(f"mask: expected bool {self._all.shape}, got {rows.dtype} {rows.shape}")
        self._evaluator.reset(np.ascontiguousarray(rows))
        return dict(self.rewards.observations)

    def step(self) -> Rewards:
        """Evaluate all rows; return `rewards`, whose arrays are the same ones at each step."""
        self._evaluator.step()
        return self._outputs.finish()


def _count(rows: list[NDArray[Any]], given: Mapping[str, Any]) -> int:
    """The number of environments. A program that reads no signal takes it from any array."""
    if rows:
        return int(rows[0].shape[0])
    for value in given.values():
        return int(value.shape[0])
    raise ValueError("signals: expected at least one array, to know the number of rows")


def _check_signals(table: Mapping[str, Signal], place: str) -> None:
    for name in table:
        kind = "a built-in" if name in BUILTINS else "an operation" if name in OPERATIONS else ""
        if kind and not (kind == "an operation" and not OPERATIONS[name].public):
            raise SpecError(f"{place}: signals.{name}: is the name of {kind}; choose another one")


