"""From a task to a compiled program: every expression typed, the reward pipeline laid out, outputs
placed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..spec.check import GROUPS
from ..spec.errors import SpecError, unknown
from ..spec.robot import Mirror
from ..spec.signal import Signal
from ..spec.task import Observation, Parameter, Task, Term
from .checker import FLOAT_MAX, Checker
from .compiled import Block, CompiledTask
from .params import ParamTable
from .reference import Group
from .scope import Scope, missing
from .syntax import parse
from .types import BOOL, SCALAR, Node, Type
from .units import ONE, S


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
        self.scope = Scope(signals, task.let, self.place, dt)
        self.params = ParamTable(self.scope.solver)
        self.terms = {
            (c, t): term
            for c, channel in task.channels.items()
            for t, term in channel.terms.items()
        }
        self.guard_names: list[str] = []
        self.values: dict[tuple[str, str], Node] = {}
        self.trees: dict[str, ast.expr] = {}
        self.local: dict[str, dict[str, Node]] = {}

    def compile(self) -> CompiledTask:
        self._declare()
        self._parse()
        terminations = self._terminations()
        self.scope.terminated = _any(terminations)
        pipeline = self._pipeline()
        success = self._check("success", "a truth value", BOOL) if self.task.success else _false()
        metrics = [
            self._guarded(f"metrics.{m}", self._check(f"metrics.{m}", "a scalar", SCALAR))
            for m in self.task.metrics
        ]
        observations = {g: self._observation(g) for g in GROUPS if self.task.observations.get(g)}
        for name in self.task.let:
            self.scope.lookup(name, f"{self.place}: let.{name}")
        self.scope.settle()
        flags = {
            "terminations": terminations,
            "terminated": [self.scope.terminated],
            "success": [success],
        }
        groups = [_group(name, nodes, "u1") for name, nodes in flags.items()]
        groups += [
            _group(name, nodes, "f4") for name, nodes in (*pipeline.items(), ("metrics", metrics))
        ]
        layout: dict[str, tuple[Block, ...]] = {}
        for name, (nodes, noises) in observations.items():
            groups.append(_group(name, nodes, "f4", on_reset=True))
            layout[name] = self._blocks(list(self.task.observations[name]), nodes, noises)
        return self._finish([g for g in groups if g.width], layout)

    def _finish(self, groups: list[Group], layout: dict[str, tuple[Block, ...]]) -> CompiledTask:
        task = self.task
        channels = list(task.channels)
        return CompiledTask(
            dt=self.dt,
            groups={g.name: g for g in groups},
            signals=self.signals,
            params=self.params.finish(scale_params(groups)),
            robot_mirror=self.mirror,
            observation_layout=layout,
            term_names=tuple(f"{c}.{t}" for c, t in self.terms),
            term_channel=tuple(channels.index(c) for c, _ in self.terms),
            channel_names=tuple(channels),
            channel_weights=tuple(c.weight for c in task.channels.values()),
            gammas=tuple(c.gamma for c in task.channels.values()),
            lams=tuple(c.lam for c in task.channels.values()),
            metric_names=tuple(task.metrics),
            termination_names=tuple(task.terminations),
            guard_names=tuple(self.guard_names),
            places=self.scope.places,
            term_units=tuple(self._units(node)[0] for node in self.values.values()),
        )

    def _units(self, node: Node) -> tuple[str, ...]:
        return tuple(str(self.scope.solver.resolve(unit)) for unit in node.type.units)

    def _blocks(
        self, names: list[str], nodes: list[Node], noises: list[float]
    ) -> tuple[Block, ...]:
        blocks: list[Block] = []
        start = 0
        for name, node, noise in zip(names, nodes, noises, strict=True):
            t = node.type
            blocks.append(Block(name, start, t.lanes, str(t), self._units(node), noise))
            start += t.lanes
        return tuple(blocks)

    # --- names and texts --------------------------------------------------------------------------

    def _declare(self) -> None:
        """Make the parameter buffer: weights first, then parameters of the task and of terms."""
        self.weights = {
            key: self.params.add(
                f"{key[0]}.{key[1]}.weight", Parameter(term.weight, "1"), self.place
            )
            for key, term in self.terms.items()
        }
        for name, value in self.task.params.items():
            place = f"{self.place}: params.{name}"
            self._new_name(name, place)
            self.scope.params[name] = self.params.add(name, value, place)
        for (channel, term_name), term in self.terms.items():
            path = f"channels.{channel}.terms.{term_name}"
            self.local[f"{path}.expr"] = {
                name: self._term_param(channel, term_name, name, value)
                for name, value in term.params.items()
            }

    def _term_param(self, channel: str, term: str, name: str, value: float | Parameter) -> Node:
        place = f"{self.place}: channels.{channel}.terms.{term}.params.{name}"
        self._new_name(name, place)
        if name in self.task.params:
            raise SpecError(
                f"{place}: '{name}' is also a parameter of the task; choose another one"
            )
        if name == "weight":
            raise SpecError(f"{place}: 'weight' is the term's own weight; choose another one")
        return self.params.add(f"{channel}.{term}.{name}", value, place)

    def _new_name(self, name: str, place: str) -> None:
        self.scope.check_name(name, place)
        if name in self.task.let:
            raise SpecError(f"{place}: '{name}' is also a [let]; choose another one")

    def _parse(self) -> None:
        """Parse every text and raise one error that lists all signals that nobody provides."""
        task = self.task
        texts = {f"let.{n}": t for n, t in task.let.items()}
        texts |= {f"terminations.{n}": t for n, t in task.terminations.items()}
        texts |= {f"channels.{c}.terms.{t}.expr": term.expr for (c, t), term in self.terms.items()}
        texts |= {"success": task.success} if task.success else {}
        texts |= {f"metrics.{n}": t for n, t in task.metrics.items()}
        for group, table in task.observations.items():
            texts |= {f"observations.{group}.{n}": _text(o) for n, o in table.items()}
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

    def _terminations(self) -> list[Node]:
        return [
            self._check(f"terminations.{name}", "a truth value", BOOL)
            for name in self.task.terminations
        ]

    def _guarded(self, name: str, node: Node, limit: float = FLOAT_MAX) -> Node:
        static = {"term": len(self.guard_names), "limit": limit}
        self.guard_names.append(name)
        return Node("guard", (node,), node.type, static)

    def _pipeline(self) -> dict[str, list[Node]]:
        """Terms in file order: guarded raw value, weighted value, sum per channel, floor."""
        raw: list[Node] = []
        weighted: list[Node] = []
        sums: dict[str, Node] = {}
        for (channel, name), term in self.terms.items():
            value = self._check(f"channels.{channel}.terms.{name}.expr", "a scalar", SCALAR)
            self.values[channel, name] = value
            raw.append(self._guarded(f"{channel}.{name}", value, term.max_abs))
            weighted.append(_binary("mul", self._scale(channel, name, term), raw[-1]))
            sums[channel] = (
                _binary("add", sums[channel], weighted[-1]) if channel in sums else weighted[-1]
            )
        channels = [
            self._floored(name, sums.get(name, _number(0.0))) for name in self.task.channels
        ]
        return {"raw": raw, "weighted": weighted, "channels": channels}

    def _scale(self, channel: str, name: str, term: Term) -> Node:
        weight = self.weights[channel, name]
        step = Node("constant", (), Type(units=(S,)), {"values": (self.dt,)})
        return _binary("mul", weight, step) if term.scale == "rate" else weight

    def _floored(self, channel: str, total: Node) -> Node:
        floor = self.task.channels[channel].floor
        return total if floor is None else _binary("max", total, _number(floor))

    def _observation(self, group: str) -> tuple[list[Node], list[float]]:
        nodes: list[Node] = []
        noises: list[float] = []
        for name, given in self.task.observations[group].items():
            node = self._check(f"observations.{group}.{name}", "numbers", None)
            nodes.append(self._guarded(f"{group}.{name}", node))
            noises.append(given.noise if isinstance(given, Observation) else 0.0)
        return nodes, noises


def _text(given: str | Observation) -> str:
    return given.expr if isinstance(given, Observation) else given


def _number(value: float) -> Node:
    return Node("constant", (), Type(units=(ONE,)), {"values": (value,)})


def _false() -> Node:
    return Node("constant", (), BOOL, {"values": (0.0,)})


def _binary(op: str, a: Node, b: Node) -> Node:
    return Node(op, (a, b), SCALAR, {})


def _any(nodes: list[Node]) -> Node:
    total = nodes[0] if nodes else _false()
    for node in nodes[1:]:
        total = Node("or", (total, node), BOOL, {})
    return total


def _group(name: str, nodes: list[Node], dtype: str, on_reset: bool = False) -> Group:
    stores: list[tuple[int, Node]] = []
    column = 0
    for node in nodes:
        stores.append((column, node))
        column += node.type.lanes
    return Group(name, column, dtype, on_reset, tuple(stores))


def scale_params(groups: Iterable[Group]) -> set[int]:
    """Return the indices of the parameters that are the scale of a kernel and so must stay above 0."""
    scaled = (n.args[2] for group in groups for n in _walk(group) if n.op == "scaled")
    return {scale.static["index"] for scale in scaled if scale.op == "param"}


def _walk(group: Group) -> list[Node]:
    """Every node of a group once, arguments before their users."""
    seen: dict[int, Node] = {}

    def visit(node: Node) -> None:
        if id(node) not in seen:
            for arg in node.args:
                visit(arg)
            seen[id(node)] = node

    for _, node in group.stores:
        visit(node)
    return list(seen.values())
