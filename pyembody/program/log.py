"""A whole log or rollout in one call: `[T, N]` rows, memory carried from step to step, for one set of
parameters or for many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..spec.signal import Signal
from .arrays import check_given, form
from .outputs import KINDS, empty_lines

if TYPE_CHECKING:
    from .. import _core
    from .compiled import CompiledProgram

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Log:
    """What a program gives for a log: `groups` by name, `flags` and `bad_term` as of an evaluator.

    Shapes are `[T, N, width]` and `[T, N]`. For P sets of parameters groups are `[P, T, N, width]`,
    flags those of any set, and there is no `bad_term`.
    """

    groups: dict[str, NDArray[Any]]
    flags: NDArray[np.uint32]
    bad_term: NDArray[np.int32] | None


def evaluate_log(
    program: CompiledProgram,
    signals: Arrays,
    resets: ArrayLike | None,
    params: NDArray[np.float32],
    state: _core.State | None,
    threads: int,
) -> Log:
    """Return the groups of a log; see `CompiledProgram.evaluate_log`."""
    from .. import _core

    held = params if params.ndim == 1 else program.defaults
    own = {p.rows_name: held[p.index] for p in program.params.values() if p.per_env}
    inputs = log_inputs(program.inputs, signals, own)
    mask = log_resets(inputs, resets, state is not None)
    sets = params.ndim == 2
    shape = (len(params), *mask.shape) if sets else mask.shape
    groups = {g.name: empty_lines((*shape, g.width), KINDS[g.dtype]) for g in program.groups.values()}
    flags = np.zeros(mask.shape, np.uint32)
    bad_term = None if sets else np.full(shape, -1, np.int32)
    core = program.build(sets=sets)
    outputs: list[NDArray[Any]] = list(groups.values())
    _core.evaluate_log(core, state, inputs, outputs, params, mask, flags, bad_term, threads)
    return Log(groups, flags, bad_term)


def log_inputs(signals: Sequence[Signal], given: Arrays, own: Mapping[str, float]) -> list[NDArray[Any]]:
    """Return the arrays `[T, N, lanes]` of signals in order; `[T, N]` is legal for one lane, `[T, N, elements,
    components]` for signals over an axis. What only `own` has is one number everywhere.

    Raises ValueError naming the signal that is missing or of another shape than the first one.
    """
    arrays = {s.name: _log_rows(s, np.asarray(given[s.name])) for s in signals if s.name in given}
    steps = next((a.shape[:2] for a in arrays.values() if a.ndim == 3), None)
    for signal in signals:
        if signal.name not in arrays:
            if signal.name not in own or steps is None:
                check_given([s for s in signals if s.name not in own], given, "T, N")
                raise ValueError("signals: expected at least one array, to know the shape of the log")
            arrays[signal.name] = np.full((*steps, 1), own[signal.name], np.float32)
        array = arrays[signal.name]
        if array.ndim != 3 or array.shape != (*(steps or ()), signal.lanes):
            known = form(signal, "T, N" if steps is None else f"{steps[0]}, {steps[1]}")
            got = list(np.shape(given.get(signal.name, array)))
            raise ValueError(f"signals: {signal.name}: expected {known}, got {got}")
    return [arrays[s.name] for s in signals]


def _log_rows(signal: Signal, array: NDArray[Any]) -> NDArray[Any]:
    """The array as `[T, N, lanes]`, if its shape is one of the legal ones."""
    if array.ndim == 2 and signal.lanes == 1:
        return array[..., None]
    if signal.axis and array.shape[2:] == (signal.count, signal.width):
        return array.reshape(*array.shape[:2], signal.lanes)
    return array


def log_resets(
    inputs: Sequence[NDArray[Any]], resets: ArrayLike | None, goes_on: bool
) -> NDArray[np.bool_]:
    """Return where episodes start `[T, N]`: as given, else in the first step of all rows, unless a
    state goes on. Raises ValueError for another shape.
    """
    if resets is not None:
        given = np.ascontiguousarray(resets, np.bool_)
        expected = [*(inputs[0].shape[:2] if inputs else "TN")]
        if given.ndim != 2 or (inputs and list(given.shape) != expected):
            raise ValueError(f"resets: expected [{expected[0]}, {expected[1]}], got {list(given.shape)}")
        return given
    if not inputs:
        raise ValueError("resets: expected [T, N] for a program that reads no signals, got None")
    mask = np.zeros(inputs[0].shape[:2], np.bool_)
    mask[:1] = not goes_on
    return mask
