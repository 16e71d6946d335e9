"""Carrying what a program remembers over to another one: a changed program takes over between two
steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .groups import walk

if TYPE_CHECKING:
    from .. import _core
    from .compiled import CompiledProgram
    from .moments import Moments


@dataclass(frozen=True)
class Carried:
    """Memories by what they remember, as `rate(joint_vel)`: those that went on, those that only the
    new program has, those that only the old one had.
    """

    kept: tuple[str, ...]
    seeded: tuple[str, ...]
    dropped: tuple[str, ...]


@dataclass(frozen=True)
class _Memory:
    label: str
    slot: int
    slots: int


def carry_state(
    old: CompiledProgram, old_state: _core.State, new: CompiledProgram, new_state: _core.State
) -> Carried:
    """Copy the state of every memory that both programs have; see `CompiledProgram.carry_state`."""
    numbers: dict[tuple[object, ...], int] = {}
    before, after = _memories(old, numbers), _memories(new, numbers)
    for what, state, program in (("old", old_state, before), ("new", new_state, after)):
        expected = sum(memory.slots for memory in program.values())
        if len(state.array) != expected:
            raise ValueError(
                f"{what}_state: expected {expected} slots of its program, got {len(state.array)}"
            )
    if old_state.n != new_state.n:
        raise ValueError(f"new_state: expected {old_state.n} environments, got {new_state.n}")
    kept = [key for key in after if key in before]
    for key in kept:
        source, target = before[key], after[key]
        rows = old_state.array[source.slot : source.slot + source.slots]
        new_state.array[target.slot : target.slot + target.slots] = rows
    return Carried(
        tuple(after[key].label for key in kept),
        tuple(memory.label for key, memory in after.items() if key not in before),
        tuple(memory.label for key, memory in before.items() if key not in after),
    )


def carry_moments(old: CompiledProgram, before: Moments, new: CompiledProgram, after: Moments) -> None:
    """Copy the running statistics of every value that both programs normalise."""
    numbers: dict[tuple[object, ...], int] = {}
    known = {key: i for i, key in enumerate(_normalised(old, numbers))}
    for i, key in enumerate(_normalised(new, numbers)):
        if key in known:
            after.array[:, i] = before.array[:, known[key]]


def _normalised(program: CompiledProgram, numbers: dict[tuple[object, ...], int]) -> list[int]:
    """What a program normalises, by number."""
    keys, _ = _numbered(program, numbers)
    _, _, groups, stores, *_ = program.lane_program
    return [keys[node] for node, group, _ in stores if groups[group][0] == "statistics"]


def _memories(program: CompiledProgram, numbers: dict[tuple[object, ...], int]) -> dict[int, _Memory]:
    """Every memory of a program by the number of what it computes."""
    nodes = program.lane_program[0]
    keys, read = _numbered(program, numbers)
    return {
        keys[node]: _Memory(f"{nodes[node][0]}({', '.join(sorted(read[node]))})", slot, slots)
        for node, slot, slots in program.build().state_nodes
    }


def _numbered(
    program: CompiledProgram, numbers: dict[tuple[object, ...], int]
) -> tuple[list[int], list[frozenset[str]]]:
    """The number of what each node computes, and the names that it reads: expressions over the same signals and
    parameters have one number in all programs that share `numbers`, which takes in what is new.
    """
    nodes, inputs, params = program.lane_program[0], program.inputs, list(program.params)
    kernels = _kernel_names(program)
    keys: list[int] = []
    read: list[frozenset[str]] = []
    for op, args, lanes, ints, floats in nodes:
        names: tuple[str, ...] = ()
        same: Sequence[int | str] = ints
        if op == "input":
            names, same = (inputs[ints[0]].name,), ints[1:]
        elif op == "param":
            names, same = tuple(params[i] for i in ints), ()
        elif op == "kernel":  # its address is another one after every compilation
            same = (kernels[ints[0]],)
        parts = (op, *names, "|", *(keys[a] for a in args), "|", lanes, *same, "|", *map(repr, floats), program.dt)
        keys.append(numbers.setdefault(parts, len(numbers)))
        read.append(frozenset(names).union(*(read[a] for a in args)))
    return keys, read


def _kernel_names(program: CompiledProgram) -> dict[int, str]:
    """The names of a program's kernels by address."""
    kernels = (node.static["name"] for node in walk(program.groups.values()) if node.op == "kernel")
    return {kernel.address: kernel.name for kernel in kernels}
