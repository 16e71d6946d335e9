"""A reward program by itself: text in, rewards out, on the arrays of any simulator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..spec.signal import Signal
from ..spec.standalone import read_standalone
from .arrays import as_numpy, check_given, rows_of
from .bound import BoundProgram
from .carry import Carried
from .compiler import compile_task
from .describe import describe_program
from .offender import Offender, first_offender
from .params import ParamInfo, find
from .rewards import Floats, Rewards, RewardView
from .scope import check_word

if TYPE_CHECKING:
    from .. import _core


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
        step = text.step(dt)
        table = {**(signals or {}), **text.signals}
        for name in table:
            check_word(name, f"{text.place}: signals.{name}")
        self.task, self.dt, self.threads = text.task, step, threads
        self.compiled = compile_task(text.task, table, dt=self.dt)
        own = self.compiled.param_rows(0)
        self.signals: tuple[Signal, ...] = tuple(s for s in self.compiled.inputs if s.name not in own)
        self.term_names, self.channel_names = self.compiled.term_names, self.compiled.channel_names
        self.termination_names, self.metric_names = self.compiled.termination_names, self.compiled.metric_names
        self.guard_names, self.line_names = self.compiled.guard_names, self.compiled.line_names
        self.params: dict[str, ParamInfo] = self.compiled.params
        self.moments = self.compiled.make_moments()
        self._values: Floats = self.compiled.defaults.copy()
        self._core = self.compiled.build()
        self._rows: dict[int, dict[str, Floats]] = {}
        self._state: _core.State | None = None

    def __repr__(self) -> str:
        """Return terms, channels, and the signals that are read."""
        return describe_program(self)

    # --- weights and parameters -------------------------------------------------------------------

    def set(self, edits: str | Mapping[str, ArrayLike], value: ArrayLike | None = None) -> None:
        """Change a weight or parameter, `set("lin_vel.weight", 2.0)`, or several, all or none, from a mapping.

        The next step uses them, everywhere where this program is bound. A short name is legal if it is unique. A
        parameter that is `per_env` may be an array `[N]`: a value for each row of all batches of N.
        Raises SpecError for an unknown name, with the nearest one, and for a value out of range.
        """
        if isinstance(edits, str):
            if value is None:
                raise TypeError(f"set: {edits}: expected a value")
            edits = {edits: value}
        self.compiled.set_params(self._values, edits)
        for n in {*self._rows, *(np.size(v) for v in edits.values() if np.ndim(v))}:
            fitting = {name: v for name, v in edits.items() if np.ndim(v) == 0 or np.size(v) == n}
            self.compiled.set_params(self._values, fitting, self._param_rows(n))

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

        It has a state of its own and writes the same arrays at each step. Nothing is converted: integers are refused.
        """
        inputs = self._inputs(signals)
        return self._bind(inputs, self._core_state(_count(inputs, signals)))

    def evaluate_log(self, signals: Mapping[str, ArrayLike], resets: ArrayLike | None = None) -> Rewards:
        """Return the rewards of a whole log in one call: signals `[T, N, ...]` by name, shapes `[T, N, ...]` out.

        Where `resets` `[T, N]` is true an episode starts: the signals are those of its first state, and nothing is
        paid. Without it every row starts in the first step. The present weights and parameters are used; `reset` and
        `step` know nothing of the log. Raises ValueError naming the signal that is missing or of another shape.
        """
        program = self.compiled
        check_given(self.signals, signals, "T, N")
        arrays = {s.name: as_numpy(s, signals[s.name], True) for s in program.inputs if s.name in signals}
        shape = next((a.shape[:2] for a in arrays.values() if a.ndim > 1), (0, 0))
        for name, rows in self._param_rows(shape[1]).items():
            arrays.setdefault(name, np.tile(rows, (shape[0], 1, 1)))
        log = program.evaluate_log(arrays, resets, params=self._values, threads=self.threads)
        assert log.bad_term is not None
        bad = log.bad_term

        def offender(*at: int) -> Offender | None:
            row = {name: array[at].reshape(1, -1) for name, array in arrays.items()}
            return first_offender(program, int(bad[at]), row, self._values)

        return RewardView(program, log.groups, log.flags, bad).finish(offender)

    def take_over(self, old: RewardProgram, signals: Mapping[str, Any]) -> Carried:
        """Go on where another program is: memories of expressions that both have are its, others begin from the present
        signals; weights and parameters of one name keep the value they have there. Returns which memories went on.

        Raises ValueError if `old` was never reset or has other rows, SpecError for a parameter out of range here.
        """
        if old._state is None:
            raise ValueError("old: expected a program that was reset or stepped, got one that has no rows yet")
        kept = [name for name in self.params if name in old.params]
        self.set({name: old.get(name) for name in kept})
        self.reset(signals)
        assert self._state is not None
        carried = self.compiled.carry_state(self._state, old.compiled, old._state)
        self.compiled.carry_moments(self.moments, old.compiled, old.moments)
        self.moments.write(self._values)
        for name, rows in old._param_rows(old._state.n).items():
            if name in self._param_rows(old._state.n):
                self._rows[old._state.n][name][:] = rows
        return carried

    def _bound(self, signals: Mapping[str, Any], new: bool) -> BoundProgram:
        rows = self._inputs(signals, convert=True)
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

    def _bind(self, inputs: list[NDArray[Any]], state: _core.State) -> BoundProgram:
        return BoundProgram(self.compiled, self._core, state, inputs, self._values, self.threads)

    def _inputs(self, signals: Mapping[str, Any], convert: bool = False) -> list[NDArray[Any]]:
        """The arrays of all inputs in order: signals, and parameters that have a value for each row."""
        rows = rows_of(self.signals, signals, convert)
        if len(self.signals) == len(self.compiled.inputs):
            return rows
        given = dict(zip((s.name for s in self.signals), rows, strict=True)) | self._param_rows(_count(rows, signals))
        return [given[s.name] for s in self.compiled.inputs]

    def _param_rows(self, n: int) -> dict[str, Floats]:
        if n not in self._rows:
            self._rows[n] = self.compiled.param_rows(n, self._values)
        return self._rows[n]


def _count(rows: list[NDArray[Any]], given: Mapping[str, Any]) -> int:
    """The number of environments. A program that reads no signal takes it from any array."""
    if rows:
        return int(rows[0].shape[0])
    for value in given.values():
        return int(value.shape[0])
    raise ValueError("signals: expected at least one array, to know the number of rows")
