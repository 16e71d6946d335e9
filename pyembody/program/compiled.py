"""Compiled programs: their outputs, parameters, lane form and twin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..spec.errors import SpecError, unknown
from ..spec.robot import Mirror
from ..spec.signal import Signal
from ..spec.tables import Schedule
from .carry import Carried, carry_moments, carry_state
from .groups import make_group
from .lanes import REMEMBERING, LaneNode, state_numbers
from .log import Arrays, Log, evaluate_log
from .lower import GroupRow, Store, lower
from .mirror import mirror_map
from .moments import Moments
from .named import VALUES, Named
from .outputs import Outputs
from .params import ParamInfo, set_params
from .reference import Group, ReferenceEvaluator
from .schedules import schedule_value
from .stages import StageTable
from .types import Node, Place

if TYPE_CHECKING:
    from .. import _core

MAX_INSTRUCTIONS = 4096
MAX_STATE = 4096
LaneProgram = tuple[
    list[LaneNode], list[tuple[str, int]], list[GroupRow], list[Store], NDArray[np.float32], float
]


@dataclass(frozen=True)
class Block:
    """A named part of an observation: columns `start` to `start + width`, its type, units, and
    noise half-width.
    """

    name: str
    start: int
    width: int
    kind: str
    units: tuple[str, ...]
    noise: float = 0.0

    @property
    def columns(self) -> slice:
        """The block's columns of the observation."""
        return slice(self.start, self.start + self.width)


def blocks(
    names: Sequence[str], nodes: Sequence[Node], noises: Sequence[float], units: Callable[[Node], tuple[str, ...]]
) -> tuple[Block, ...]:
    """Return values side by side in an observation."""
    found: list[Block] = []
    start = 0
    for name, node, noise in zip(names, nodes, noises, strict=True):
        found.append(Block(name, start, node.type.lanes, str(node.type), units(node), noise))
        start += node.type.lanes
    return tuple(found)


@dataclass(frozen=True)
class CompiledProgram:
    """Outputs over signals, with parameters. `groups` are the output arrays by name, in evaluation
    order.
    """

    dt: float
    groups: dict[str, Group]
    signals: Mapping[str, Signal]
    params: dict[str, ParamInfo]
    robot_mirror: Mirror | None

    @cached_property
    def _lowered(self) -> tuple[list[LaneNode], list[str], list[GroupRow], list[Store]]:
        return lower(list(self.groups.values()), self.dt)

    def limited(self, place: str) -> Self:
        """Return this program. Raises SpecError if it is larger than the language allows."""
        nodes = self._lowered[0]
        if len(nodes) > MAX_INSTRUCTIONS:
            raise SpecError(
                f"{place}: expected at most {MAX_INSTRUCTIONS} instructions, got {len(nodes)}", "limit_instructions"
            )
        state = sum(state_numbers(node) for node in nodes if node[0] in REMEMBERING)
        if state > MAX_STATE:
            raise SpecError(
                f"{place}: expected at most {MAX_STATE} numbers of memory an environment, got {state}", "limit_state"
            )
        return self

    @cached_property
    def inputs(self) -> tuple[Signal, ...]:
        """The signals that are read, in slot order: bind one array `[N, lanes]` for each."""
        return tuple(self.signals[name] for name in self._lowered[1])

    @cached_property
    def defaults(self) -> NDArray[np.float32]:
        """The default parameter buffer, float32 `[P]`."""
        return np.array([p.value for p in self.params.values()], np.float32)

    @property
    def lane_program(self) -> LaneProgram:
        """The arguments of `_core.Program`."""
        nodes, _, groups, stores = self._lowered
        return (
            nodes,
            [(s.name, s.lanes) for s in self.inputs],
            groups,
            stores,
            self.defaults,
            self.dt,
        )

    def only(self, groups: Sequence[str]) -> Self:
        """Return the same program with no other output groups; what only they needed is not
        computed.

        Raises SpecError for an unknown group.
        """
        for name in groups:
            if name not in self.groups:
                raise unknown("only", "group", name, self.groups)
        return replace(self, groups={n: g for n, g in self.groups.items() if n in groups})

    def build(self, *, sets: bool = False) -> _core.Program:
        """Return the program of the C++ core; with `sets` one for many sets of parameters at once."""
        from .. import _core

        return _core.Program(*self.lane_program, sets)

    def evaluate_log(
        self,
        signals: Arrays,
        resets: ArrayLike | None = None,
        *,
        params: NDArray[np.float32] | None = None,
        state: _core.State | None = None,
        threads: int = 1,
    ) -> Log:
        """Return all groups for signals `[T, N, lanes]` by name, memory carried from step to step.

        Where `resets` `[T, N]` is true, the signals are those of an episode's first state: memory
        is seeded, groups with `on_reset` are written, all others are 0. Without it every row starts
        in the first step, unless a `state` goes on, which is carried further in place.
        `params` `[P, n]` are P sets of parameters like `defaults`: all are evaluated in one pass,
        which shares whatever does not depend on them, and the shapes begin with P. A log of one step
        is a batch. Parameters that are `per_env` are signals `param.NAME` `[T, N]`; those that are not
        given are what `params` (of many sets: `defaults`) says.

        Raises ValueError naming what is missing, expected and got.
        """
        chosen = self.defaults if params is None else np.ascontiguousarray(params)
        return evaluate_log(self, signals, resets, chosen, state, threads)

    def carry_state(
        self, state: _core.State, old: CompiledProgram, old_state: _core.State
    ) -> Carried:
        """Copy into `state`, this program's, what `old` remembers of expressions that both have, and
        return what was kept.

        Memories follow their expression, whatever term it stands in, and whatever the values of
        parameters are; a kernel is known by its name and constants. Seed `state` with a reset from
        the present signals first: what is new in this program begins there. Raises ValueError if a
        state has another size.
        """
        return carry_state(old, old_state, self, state)

    def outputs(self, n: int) -> Outputs:
        """Return the arrays that this program writes for `n` environments."""
        return Outputs.zeros(self.groups.values(), n)

    def reference(self, n: int) -> ReferenceEvaluator:
        """Return the NumPy twin for `n` environments."""
        own = {p.rows_name: p.index for p in self.params.values() if p.per_env}
        return ReferenceEvaluator(list(self.groups.values()), self.inputs, self.defaults, self.dt, n, own)

    def set_params(
        self,
        buffer: NDArray[np.float32],
        edits: Mapping[str, ArrayLike],
        rows: Mapping[str, NDArray[np.float32]] | None = None,
    ) -> None:
        """Write parameters into a buffer like `defaults`, all or none; a short name is legal if it
        is unique. One that is `per_env` goes into its array of `rows` too, and may be `[N]`.

        Raises SpecError for an unknown name, with the nearest one, and for a value out of range.
        """
        set_params(self.params, buffer, edits, rows or {})

    def param_rows(self, n: int, buffer: NDArray[np.float32] | None = None) -> dict[str, NDArray[np.float32]]:
        """Return the inputs `[N, 1]` of parameters that are `per_env`, filled with what the buffer (or `defaults`)
        holds; the evaluator reads them like signals.
        """
        values = self.defaults if buffer is None else buffer
        return {p.rows_name: np.full((n, 1), values[p.index], np.float32) for p in self.params.values() if p.per_env}

    def mirror(self, group: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return (index, sign) of a group: `x[..., index] * sign` is what the mirrored robot would
        give.

        Raises SpecError if a part of the group has no known mirror image.
        """
        if group not in self.groups:
            raise unknown("mirror", "group", group, self.groups)
        return mirror_map(self, self.groups[group])


@dataclass(frozen=True)
class CompiledTask(CompiledProgram):
    """The program of a task. Terms are `channel.term`; `guard_names` says what a `bad_term` index
    means, `line_names` what the columns of the group `lines` are: what a channel pays besides its terms,
    `places` where the nodes of its trees were written, by `id`.
    """

    observation_layout: dict[str, tuple[Block, ...]] = field(default_factory=dict)
    term_names: tuple[str, ...] = ()
    term_units: tuple[str, ...] = ()
    term_channel: tuple[int, ...] = ()
    channel_names: tuple[str, ...] = ()
    channel_weights: tuple[float, ...] = ()
    gammas: tuple[float, ...] = ()
    lams: tuple[float, ...] = ()
    metric_names: tuple[str, ...] = ()
    metric_units: tuple[str, ...] = ()
    termination_names: tuple[str, ...] = ()
    guard_names: tuple[str, ...] = ()
    places: Mapping[int, Place] = field(default_factory=dict)
    line_names: tuple[str, ...] = ()
    stages: StageTable | None = None
    schedules: dict[str, Schedule] = field(default_factory=dict)
    moment_params: tuple[tuple[int, int], ...] = ()
    guard: str = "terminate"
    named: Mapping[str, Named] = field(default_factory=dict)

    def showing(self, names: Sequence[str], place: str) -> Self:
        """Return the program whose only group, `VALUES`, holds signals and lets side by side, truth values as 0 or 1;
        `place` asks for them.

        Raises SpecError for an unknown name, and for a value that is more than a function of present signals.
        """
        for name in names:
            if name not in self.named:
                raise unknown(place, "signal or let", name, self.named)
            self.named[name].check_present(place, self.dt)
        group = make_group(VALUES, [self.named[name].node for name in names], "f4", on_reset=True)
        return replace(self, groups={VALUES: group})

    @property
    def termination(self) -> Node:
        """What expressions name `terminated`: the task's conditions, without guards that fired."""
        ((_, node), *_) = self.groups["terminated"].stores
        return node.args[0] if node.op == "or" and node.args[1].op == "flagged" else node

    def scheduled(self, steps: float) -> dict[str, float]:
        """Return the parameters that follow a schedule, at a number of environment steps."""
        return {name: schedule_value(schedule, steps) for name, schedule in self.schedules.items()}

    def carry_moments(self, moments: Moments, old: CompiledProgram, old_moments: Moments) -> None:
        """Copy into `moments`, this program's, the statistics that `old` has of values that both normalise."""
        carry_moments(old, old_moments, self, moments)

    def make_moments(self) -> Moments:
        """Return the running statistics of the task's `normalise`, none yet."""
        return Moments(self.moment_params)
