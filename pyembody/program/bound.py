"""A reward program on fixed arrays: the fastest way to evaluate it step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .compiled import CompiledTask
from .offender import Offender, first_offender
from .rewards import UNTRUSTED, Floats, Rewards, RewardView

if TYPE_CHECKING:
    from .. import _core


class BoundProgram:
    """`step` reads what the arrays `inputs` hold now and rewrites `rewards`."""

    def __init__(
        self,
        program: CompiledTask,
        core: _core.Program,
        state: _core.State,
        inputs: Sequence[NDArray[Any]],
        params: Floats,
        threads: int,
    ) -> None:
        outputs = program.outputs(state.n)
        self._evaluator = outputs.evaluator(core, state, list(inputs), params, threads)
        self._view = RewardView(program, outputs.groups, outputs.flags, outputs.bad_term)
        self._program, self._state, self._inputs, self._params = program, state, inputs, params
        self._all = np.ones(state.n, np.bool_)
        self.rewards: Rewards = self._view.rewards

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
        self._view.show_stage()
        return dict(self.rewards.observations)

    def step(self) -> Rewards:
        """Evaluate all rows; return `rewards`, whose arrays are the same ones at each step."""
        self._evaluator.step()
        return self._view.finish(self.offender)

    def offender(self, row: int) -> Offender | None:
        """Return which part of which expression was not finite in a row of the last step, from the present inputs.

        None if the row was fine, or if the inputs alone do not explain it.
        """
        rewards = self.rewards
        if not rewards.flags[row] & UNTRUSTED:
            return None
        given = {s.name: rows[row : row + 1] for s, rows in zip(self._program.inputs, self._inputs, strict=True)}
        return first_offender(self._program, int(rewards.bad_term[row]), given, self._params)
