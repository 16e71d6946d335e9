"""From a task to a compiled program: every expression typed, the reward pipeline laid out, outputs
placed.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

from ..spec.check import GROUPS
from ..spec.errors import SpecError, unknown
from ..spec.robot import Mirror
from ..spec.signal import Signal
from ..spec.task import Observation, Parameter, Task
from .checker import FLOAT_MAX, Checker
from .compiled import Block, CompiledTask, blocks
from .gating import CONDITIONS, gate_bits, gated_channels, shows_gates, waiting
from .groups import make_group, scale_params, walk
from .named import Named, named_value
from .outside import Outside, learned_signal
from .params import ParamTable, find, rows_signals
from .pipeline import PipelineBuilder, any_of, false, number
from .reference import Group
from .schedules import check_schedule
from .scope import Scope, missing
from .stages import stage_table
from .staging import SHAPING, Staging
from .syntax import parse
from .texts import expressions
from .types import BOOL, SCALAR, Node, Type
from .watching import hidden_signals


def compile_task(
    task: Task, signals: Mapping[str, Signal], *, dt: float, mirror: Mirror | None = None
) -> CompiledTask:
    """Return the program of a task over the signals that a robot, scene and environment provide.

    `dt` is the control step in seconds; `mirror` the robot's left-right symmetry, for
    `CompiledTask.mirror`.
    Raises SpecError naming place, column, what was expected and the nearest legal name.
    """
    if not dt > 0:
        raise ValueError(f"dt: expected seconds above 0, got {dt}")
    return _TaskCompiler(task, signals, dt, mirror).compile()


class _TaskCompiler:
    def __init__(
        self, task: Task, signals: Mapping[str, Signal], dt: float, mirror: Mirror | None
    ) -> None:
        self.task, self.signals, self.dt, self.mirror = task, signals, dt, mirror
        self.place = str(Path(task.folder) / "task.toml") if task.folder else f"task {task.name}"
        outside = Outside(task.tables, task.learned, task.folder, self.place)
        self.scope = Scope(signals, task.let, self.place, dt, outside)
        self.params = ParamTable(self.scope.solver)
        self.scope.make_moments = self._make_moments
        self.rewards = PipelineBuilder(task, self.params, dt, self.place)
        self.terms = {(c, t): term for c, channel in task.channels.items() for t, term in channel.terms.items()}
        self.table = stage_table(task, dt, self.place)
        self.staging: Staging | None = None
        self.moments = 0
        self.guards: list[Node] = []
        self.guard_names: list[str] = []
        self.term_names: list[str] = []
        self.values: list[Node] = []
        self.trees: dict[str, ast.expr] = {}
        self.local: dict[str, dict[str, Node]] = {}
        self.named: dict[str, Named] = {}

    def compile(self) -> CompiledTask:
        self._declare()
        self._parse()
        if self.table is not None:
            self.scope.stages = self.table.names
            self.staging = Staging(self.table, self._condition)
            self.scope.now(stage=self.staging.before)
        terminations = self._terminations()
        fallen = any_of(terminations)
        self.scope.now(terminated=fallen)
        success = self._success()
        self.scope.now(success=success)
        self._terms()
        conditions = [self._check(f"channels.{c}.gate.when", "a truth value", BOOL) for c in waiting(self.task)]
        places = [f"metrics.{m}" for m in self.task.metrics]
        metrics = [self._guarded(place, self._check(place, "a scalar", SCALAR)) for place in places]
        for name in self.task.let:
            self.scope.lookup(name, f"{self.place}: let.{name}")
        observations = self._observations()
        terminated = self._terminated(fallen, observations, [*metrics, *conditions])
        pipeline = self.rewards.finish(self._terminal_conditions(terminated), self._guarded)
        named = {n: self.scope.fixed(n, self.place) for n in (*self.task.let, *self.signals)}
        self.scope.settle()
        self.named = {n: named_value(n, x, self.signals, self._units) for n, x in named.items() if x is not None}
        flags = {"terminations": terminations, "terminated": [terminated], "success": [success]}
        flags |= {CONDITIONS: conditions}
        groups = [make_group(name, nodes, "u1") for name, nodes in flags.items()]
        groups += self._stage_groups()
        numbers = {"raw": pipeline.raw, "weighted": pipeline.weighted, "channels": pipeline.channels}
        numbers |= {"lines": pipeline.lines, "metrics": metrics}
        groups += [make_group(name, nodes, "f4") for name, nodes in numbers.items()]
        met = dict(zip(waiting(self.task), conditions, strict=True))
        bits = gate_bits(self.task, pipeline.channels, self.rewards.thresholds, met)
        shown, layout = self._shown(observations, bits)
        return self._finish([g for g in [*groups, *shown] if g.width], layout, tuple(pipeline.line_names))

    def _shown(
        self, observations: dict[str, tuple[list[Node], list[float]]], bits: list[Node]
    ) -> tuple[list[Group], dict[str, tuple[Block, ...]]]:
        """Observation groups and their layouts, with the bits of gates where the task shows them."""
        groups: list[Group] = []
        layout: dict[str, tuple[Block, ...]] = {}
        for name, (nodes, noises) in observations.items():
            names = list(self.task.observations[name])
            if shows_gates(self.task, name):
                names += [f"gate_open.{c}" for c in gated_channels(self.task)]
                nodes, noises = [*nodes, *bits], [*noises, *(0.0 for _ in bits)]
            groups.append(make_group(name, nodes, "f4", on_reset=True))
            layout[name] = blocks(names, nodes, noises, self._units)
        return groups, layout

    def _finish(
        self, groups: list[Group], layout: dict[str, tuple[Block, ...]], lines: tuple[str, ...]
    ) -> CompiledTask:
        task = self.task
        channels = list(task.channels)
        nodes = walk(groups)
        moments = [n for n in nodes if n.op == "normalise"]
        if moments:
            groups = [*groups, make_group("statistics", [n.args[0] for n in moments], "f4")]
        read = {n.static["name"] for n in nodes if n.op == "signal"}
        learned = {f"learned.{n}": learned_signal(n) for n in task.learned if f"learned.{n}" in read}
        params = self.params.finish(scale_params(nodes))
        return CompiledTask(
            dt=self.dt,
            groups={g.name: g for g in groups},
            signals={**self.signals, **learned, **rows_signals(params)},
            params=params,
            robot_mirror=self.mirror,
            observation_layout=layout,
            term_names=tuple(self.term_names),
            term_channel=tuple(channels.index(name.split(".")[0]) for name in self.term_names),
            channel_names=tuple(channels),
            channel_weights=tuple(c.weight for c in task.channels.values()),
            gammas=tuple(c.gamma for c in task.channels.values()),
            lams=tuple(c.lam for c in task.channels.values()),
            metric_names=tuple(task.metrics),
            metric_units=tuple(self._units(n)[0] for g in groups if g.name == "metrics" for _, n in g.stores),
            termination_names=(*task.terminations, *(["stages"] if self._ends() else [])),
            guard_names=tuple(self.guard_names),
            places=self.scope.places,
            term_units=tuple(self._units(node)[0] for node in self.values),
            line_names=lines,
            stages=self.table,
            schedules={find(params, n).name: check_schedule(find(params, n), s) for n, s in task.schedules.items()},
            moment_params=tuple((n.args[2].static["index"], n.args[3].static["index"]) for n in moments),
            guard=task.guard,
            named=self.named,
        ).limited(self.place)

    def _units(self, node: Node) -> tuple[str, ...]:
        return tuple(str(self.scope.solver.resolve(unit)) for unit in node.type.units)

    # --- names and texts --------------------------------------------------------------------------

    def _declare(self) -> None:
        """Make the parameter buffer: weights first, then parameters of the task and of terms."""
        self.rewards.declare_weights()
        for name, value in self.task.params.items():
            path = f"params.{name}"
            place = f"{self.place}: {path}"
            self._new_name(name, place)
            self.scope.params[name] = self.params.add(name, value, place, path)
        for (channel, term_name), term in self.terms.items():
            path = f"channels.{channel}.terms.{term_name}"
            self.local[f"{path}.expr"] = {
                name: self._term_param(channel, term_name, name, value)
                for name, value in term.params.items()
            } | {"%gamma": number(self.task.channels[channel].gamma)}
        self.rewards.declare_numbers()

    def _term_param(self, channel: str, term: str, name: str, value: float | Parameter) -> Node:
        path = f"channels.{channel}.terms.{term}.params.{name}"
        place = f"{self.place}: {path}"
        self._new_name(name, place)
        if name in self.task.params:
            raise SpecError(
                f"{place}: '{name}' is also a parameter of the task; choose another one"
            )
        if name in ("weight", "clip_low", "clip_high"):
            raise SpecError(f"{place}: '{name}' is the term's own {name}; choose another one")
        return self.params.add(f"{channel}.{term}.{name}", value, place, path)

    def _new_name(self, name: str, place: str) -> None:
        self.scope.check_name(name, place)
        if name in self.task.let:
            raise SpecError(f"{place}: '{name}' is also a [let]; choose another one")

    def _parse(self) -> None:
        """Parse every text and raise one error that lists all signals that nobody provides."""
        task = self.task
        edges = self.table.edges if self.table else ()
        texts = expressions(task) | {e.path: e.text for e in edges if e.text}
        self.trees = {path: parse(text, f"{self.place}: {path}") for path, text in texts.items()}
        lacking = missing(
            self.trees, self.scope, {p: frozenset(names) for p, names in self.local.items()}
        )
        if len(lacking) == 1:
            name, (where, *_) = next(iter(lacking.items()))
            raise unknown(f"{self.place}: {where}", "signal", name, self.scope.legal())
        if lacking:
            first, where = next((name, where[0]) for name, where in lacking.items())
            raise SpecError(
                f"{self.place}: asks for {len(lacking)} signals that are not provided: {', '.join(lacking)}"
                f" ({first} in {where})"
            )

    def _check(self, path: str, wanted: str, t: Type | None) -> Node:
        """The typed tree of the text at `path`, which must be of type `t` (a scalar number or a
        truth value).
        """
        place = f"{self.place}: {path}"
        node = Checker(self.scope, place, self.local.get(path)).check(self.trees[path])
        got = node.type
        if t is None and got.kind == "bool":
            raise SpecError(f"{place}: expected {wanted}, got {got} (num(b) gives 0 or 1)")
        if t is not None and (got.kind, got.width, got.axis) != (t.kind, t.width, t.axis):
            hint = " (num(b) gives 0 or 1)" if got.kind == "bool" and t.kind == "number" else ""
            hint = " (norm, sum, mean, any, all reduce)" if got.width or got.axis else hint
            raise SpecError(f"{place}: expected {wanted}, got {got}{hint}")
        return node

    # --- outputs ----------------------------------------------------------------------------------

    def _condition(self, i: int) -> Node:
        """The condition of an edge, held as long as the row asks."""
        assert self.table is not None
        edge = self.table.edges[i]
        node = self._check(edge.path, "a truth value", BOOL)
        return Node("hold_fixed", (node,), BOOL, {"s": edge.hold_s}) if edge.hold_s else node

    def _ends(self) -> bool:
        return self.table is not None and bool(self.table.ends)

    def _terminations(self) -> list[Node]:
        nodes = [
            self._check(f"terminations.{name}", "a truth value", BOOL)
            for name in self.task.terminations
        ]
        return [*nodes, self.staging.ended()] if self.staging and self._ends() else nodes

    def _success(self) -> Node:
        if self.task.success:
            return self._check("success", "a truth value", BOOL)
        return self.staging.succeeded() if self.staging else false()

    def _guarded(self, name: str, node: Node, limit: float = FLOAT_MAX) -> Node:
        static = {"term": len(self.guard_names), "limit": limit}
        self.guard_names.append(name)
        guard = Node("guard", (node,), node.type, static)
        self.guards.append(guard)
        return guard

    def _terms(self) -> None:
        """Terms in file order; what stages pay comes after them."""
        for channel, name in self.terms:
            path = f"channels.{channel}.terms.{name}.expr"
            value = self._check(path, "a scalar", SCALAR)
            self._new_term(f"{channel}.{name}", value)
            self.rewards.add_term(channel, name, value, self._guarded)
        if self.staging is not None:
            staging = self.task.staging
            channel = staging.channel or next(iter(self.task.channels))
            if channel not in self.task.channels:
                raise unknown(f"{self.place}: staging.channel", "channel", channel, self.task.channels)
            self._stage_term(channel, "stages", self.staging.reward())
            if staging.shaping:
                gamma = self.task.channels[channel].gamma
                terminated = self.scope.lookup("terminated", self.place)
                self._stage_term(channel, SHAPING, self.staging.shaping(gamma, terminated))

    def _new_term(self, name: str, value: Node) -> None:
        self.term_names.append(name)
        self.values.append(value)

    def _stage_term(self, channel: str, name: str, value: Node) -> None:
        if name in self.task.channels[channel].terms:
            raise SpecError(f"{self.place}: channels.{channel}.terms.{name}: the stages' own term has this name")
        self._new_term(f"{channel}.{name}", value)
        self.rewards.add_event(channel, value)

    def _terminated(
        self, fallen: Node, observations: Mapping[str, tuple[list[Node], list[float]]], metrics: list[Node]
    ) -> Node:
        """Terminations, or a term, output or signal that was not finite, unless the task only pays nothing for it."""
        outputs = [n for nodes, _ in observations.values() for n in nodes] + metrics
        read = [make_group("read", [*self.rewards.out.raw, *outputs, fallen], "f4")]
        for signal in hidden_signals(read, self.guards):
            base = signal.args[0] if signal.op == "select" else signal
            self.guard_names.append(f"signal {base.static['name']}")
            self.guards.append(Node("watch", (signal,), SCALAR, {"term": len(self.guard_names) - 1}))
        bad = Node("flagged", tuple(self.guards), BOOL, {})
        return any_of([fallen]) if self.task.guard == "zero" else any_of([fallen, bad])

    def _terminal_conditions(self, terminated: Node) -> dict[str, Node]:
        if self.staging is not None:
            self.scope.now(stage=self.staging.before)
        self.scope.now(terminated=terminated)
        return {n: self._check(f"terminal.{n}.when", "a truth value", BOOL) for n in self.task.terminal}

    def _stage_groups(self) -> list[Group]:
        if self.staging is None:
            return []
        return [
            make_group("stage", [self.staging.after], "f4", on_reset=True),
            make_group("events", self.staging.conditions, "u1"),
        ]

    def _make_moments(self) -> tuple[Node, Node]:
        """The parameters of the running mean and standard deviation of one more `normalise`."""
        self.moments += 1
        mean, std = (
            self.params.add(f"normalise.{self.moments}.{name}", value, self.place)
            for name, value in (("mean", 0.0), ("std", 1.0))
        )
        return mean, std

    def _observations(self) -> dict[str, tuple[list[Node], list[float]]]:
        if self.staging is not None:
            self.scope.now(stage=self.staging.after)
        return {g: self._observation(g) for g in GROUPS if self.task.observations.get(g)}

    def _observation(self, group: str) -> tuple[list[Node], list[float]]:
        nodes: list[Node] = []
        noises: list[float] = []
        for name, given in self.task.observations[group].items():
            node = self._check(f"observations.{group}.{name}", "numbers", None)
            if any(n.op == "normalise" for n in walk([make_group(name, [node], "f4")])):
                place = f"{self.place}: observations.{group}.{name}"
                raise SpecError(f"{place}: normalise is for terms: the learner normalises observations itself")
            nodes.append(self._guarded(f"{group}.{name}", node))
            noises.append(given.noise if isinstance(given, Observation) else 0.0)
        return nodes, noises
