"""A term or a channel over a line or a plane of states: one batched call of the program on a grid of signals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..program import CompiledTask
from ..spec.errors import SpecError, nearest, unknown
from ..spec.signal import Signal

Array = npt.NDArray[Any]
LANE = re.compile(r"(\w+)(?:\[([^\]]*)\])?")


@dataclass(frozen=True)
class Axis:
    """One number of a signal, from `low` to `high`."""

    signal: str
    lane: int
    label: str
    low: float
    high: float


@dataclass(frozen=True)
class Slice:
    """Values [len(y), len(x)] of a term or channel; over one axis `y` is one number, which says nothing."""

    name: str
    unit: str
    x: Array
    y: Array
    values: Array
    axes: tuple[Axis, ...]


def lane_of(program: CompiledTask, text: str) -> tuple[Signal, int]:
    """Return the signal and the number in it that `name`, `name[2]` or `name[FL, 2]` means.

    Raises SpecError naming the signals that the program reads, or the labels of one.
    """
    match = LANE.fullmatch(text.strip())
    names = {s.name: s for s in program.inputs}
    if match is not None and match[1] in program.signals and match[1] not in names:
        source = program.signals[match[1]].source
        made = f" but computes it: {source[2:]}" if source.startswith("= ") else ""
        raise SpecError(f"plot: the program does not read {match[1]}{made}; it reads {', '.join(sorted(names))}")
    if match is None or match[1] not in names:
        raise unknown("plot", "signal", match[1] if match else text, names)
    signal, parts = names[match[1]], [p.strip(" '\"") for p in (match[2] or "").split(",") if p.strip()]
    sizes = [n for n in ((len(signal.labels) if signal.axis else 0), signal.width if signal.width > 1 else 0) if n]
    if len(parts) != len(sizes):
        form = f"{signal.name}[{', '.join(['label'] * bool(signal.axis) + ['component'] * (signal.width > 1))}]"
        raise SpecError(f"plot: {text}: expected one number of it: {form if sizes else signal.name}")
    lane = 0
    for part, size in zip(parts, sizes, strict=True):
        lane = lane * size + _position(part, signal, size, text)
    return signal, lane


def _position(part: str, signal: Signal, size: int, text: str) -> int:
    if part in signal.labels:
        return signal.labels.index(part)
    if part.isdigit() and int(part) < size:
        return int(part)
    hint = nearest(part, signal.labels) if signal.labels else ""
    raise SpecError(f"plot: {text}: expected 0 to {size - 1} or a label, got '{part}'{hint}")


def slice_values(
    program: CompiledTask, state: Mapping[str, Array], what: str, axes: tuple[Axis, ...], size: int = 101
) -> Slice:
    """Return the values of a term or channel over one or two numbers of the state, others as in `state` [lanes].

    Terms are raw, channels what they pay a step. The state stands still: what depends on changes sees none. Raises
    SpecError for an unknown term, and for an axis that it does not read.
    """
    group, column, unit = _column(program, what)
    read = _lanes_read(program, group, column)
    for axis in axes:
        _check_read(what, axis, program.signals[axis.signal], read)
    x, y = (np.linspace(a.low, a.high, size) for a in axes) if len(axes) == 2 else _line(axes[0], size)
    rows = len(y) * size
    signals = {name: np.tile(np.asarray(values, float).ravel(), (rows, 1)) for name, values in state.items()}
    for axis, values in zip(axes, (np.tile(x, len(y)), np.repeat(y, size)), strict=False):
        signals[axis.signal][:, axis.lane] = values
    twice = {name: np.stack([values, values]) for name, values in signals.items()}
    log = program.only([group]).evaluate_log(twice, np.repeat([[True], [False]], rows, axis=1))
    values = log.groups[group][1, :, column].reshape(len(y), size).copy()
    return Slice(what, unit, x, y, values, axes)


def _lanes_read(program: CompiledTask, group: str, column: int) -> dict[str, set[int]]:
    """The numbers of each signal that a column of a group is computed from."""
    nodes, inputs, _, stores, *_ = program.only([group]).lane_program
    todo, seen = [index for index, _, start in stores if start == column], set()
    found: dict[str, set[int]] = {}
    while todo:
        index = todo.pop()
        if index in seen:
            continue
        seen.add(index)
        op, args, _, ints, _ = nodes[index]
        todo += args
        if op == "input":
            found.setdefault(inputs[ints[0]][0], set()).update(ints[1:])
    return found


def _check_read(what: str, axis: Axis, signal: Signal, read: Mapping[str, set[int]]) -> None:
    if axis.lane in read.get(signal.name, ()):
        return
    if signal.name in read:
        missing, *lanes = (_lane_name(signal, lane) for lane in (axis.lane, *sorted(read[signal.name])))
        raise SpecError(f"plot: {what} does not read {missing}; it reads {', '.join(lanes)}")
    reads = f"it reads {', '.join(sorted(read))}" if read else "it reads no signal"
    raise SpecError(f"plot: {what} does not read {signal.name}; {reads}")


def _lane_name(signal: Signal, lane: int) -> str:
    """`name[label, component]`, as `lane_of` reads it."""
    element, component = divmod(lane, signal.width)
    parts = [signal.labels[element]] * bool(signal.axis) + [str(component)] * (signal.width > 1)
    return f"{signal.name}[{', '.join(parts)}]" if parts else signal.name


def _line(axis: Axis, size: int) -> tuple[Array, Array]:
    return np.linspace(axis.low, axis.high, size), np.zeros(1)


def _column(program: CompiledTask, what: str) -> tuple[str, int, str]:
    if what in program.channel_names:
        return "channels", program.channel_names.index(what), "1"
    full = [n for n in program.term_names if what in (n, n.split(".", 1)[1])]
    if len(full) != 1:
        raise unknown("plot", "term or channel", what, [*program.term_names, *program.channel_names])
    column = program.term_names.index(full[0])
    return "raw", column, program.term_units[column]
