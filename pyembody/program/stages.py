"""Stages and reward machines as one table of edges: what a task's rows mean, and what is wrong with them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..spec.errors import SpecError, unknown
from ..spec.task import Task

MAX_STAGES = 64
MAX_EDGES = 256
SWEEPS = 10_000
FAILED = "failed"
"""The stage that a timeout without `on_fail` leads to."""


@dataclass(frozen=True)
class EdgeRow:
    """One edge: stages by number, its condition's text ("" is always true), for how long, and what it pays.

    `path` is where the task says the condition.
    """

    source: int
    target: int
    event: str
    text: str = ""
    hold_s: float = 0.0
    least_steps: int = 0
    reward: float = 0.0
    path: str = ""


@dataclass(frozen=True)
class StageTable:
    """All stages and edges of a task; `ends` are the stages that end the episode, `failed` those that fail it."""

    names: tuple[str, ...]
    edges: tuple[EdgeRow, ...]
    ends: frozenset[int]
    failed: frozenset[int]

    def values(self, gamma: float) -> tuple[float, ...]:
        """Return the value of each stage if every edge could be taken at once: the machine's own value iteration."""
        v = [0.0] * len(self.names)
        for _ in range(SWEEPS):
            new = list(v)
            for s in range(len(v)):
                paid = [e.reward + gamma * v[e.target] for e in self.edges if e.source == s and e.text]
                new[s] = max(paid, default=0.0)
            if max(abs(a - b) for a, b in zip(new, v, strict=True)) < 1e-9:
                break
            v = new
        return tuple(v)

    def relabel(self, events: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return next stage `[B, U]` and edge reward `[B, U]` from every stage, for recorded `events` `[B, E]`.

        Timeouts are left out: how long a row would have been in another stage is not recorded.
        """
        rows, count = len(events), len(self.names)
        after = np.tile(np.arange(count), (rows, 1))
        reward = np.zeros((rows, count), np.float32)
        open_rows = np.ones((rows, count), np.bool_)
        for e, edge in enumerate(self.edges):
            taken = open_rows[:, edge.source] & (events[:, e] != 0) & bool(edge.text)
            after[taken, edge.source], reward[taken, edge.source] = edge.target, edge.reward
            open_rows[taken, edge.source] = False
        return after, reward


def stage_table(task: Task, dt: float, place: str) -> StageTable | None:
    """Return the table of a task's stages or machine, None without either. Raises SpecError for incomplete ones."""
    if task.stages and task.machine:
        raise SpecError(f"{place}: expected either stages or machine, got both")
    if not task.stages and not task.machine:
        return None
    table = _of_stages(task, dt, place) if task.stages else _of_machine(task, place)
    for what, count, most in (("stages", len(table.names), MAX_STAGES), ("edges", len(table.edges), MAX_EDGES)):
        if count > most:
            raise SpecError(f"{place}: {what}: expected at most {most}, got {count}", f"limit_{what}")
    _check(table, place)
    return table


def _steps(seconds: float, dt: float) -> int:
    return math.ceil(seconds / dt - 1e-9)


def _number(names: tuple[str, ...], name: str, place: str) -> int:
    if name not in names:
        raise unknown(place, "stage", name, names)
    return names.index(name)


def _of_stages(task: Task, dt: float, place: str) -> StageTable:
    fails = any(s.timeout_s and not s.on_fail for s in task.stages)
    names = (*(s.name for s in task.stages), *([FAILED] if fails else []))
    for name in names:
        if names.count(name) > 1:
            raise SpecError(f"{place}: stages: '{name}' appears {names.count(name)} times")
    edges: list[EdgeRow] = []
    for i, stage in enumerate(task.stages):
        here = f"{place}: stages.{stage.name}"
        if stage.terminal and (stage.until or stage.timeout_s):
            raise SpecError(f"{here}: a terminal stage ends the episode; expected no until and no timeout_s")
        if stage.until:
            if i + 1 == len(task.stages):
                raise SpecError(f"{here}: until: expected a stage after this one, or terminal = true")
            least = _steps(stage.hold_s, dt)
            path = f"stages.{stage.name}.until"
            edges.append(EdgeRow(i, i + 1, stage.name, stage.until, stage.hold_s, least, stage.reward, path))
        if stage.timeout_s:
            target = _number(names, stage.on_fail or FAILED, f"{here}.on_fail")
            edges.append(EdgeRow(i, target, f"{stage.name}_timeout", least_steps=_steps(stage.timeout_s, dt)))
    failed = frozenset({names.index(FAILED)} if fails else ())
    ends = frozenset(i for i, s in enumerate(task.stages) if s.terminal) | failed
    return StageTable(names, tuple(edges), ends, failed)


def _of_machine(task: Task, place: str) -> StageTable:
    names = tuple(dict.fromkeys(n for e in task.machine for n in (e.source, e.to)))
    edges = tuple(
        EdgeRow(
            names.index(e.source), names.index(e.to), f"{e.source}_{e.to}_{i}", e.when, 0.0, 0, e.reward,
            f"machine[{i}].when",
        )
        for i, e in enumerate(task.machine)
    )
    ends = frozenset(_number(names, t, f"{place}: staging.terminal") for t in task.staging.terminal)
    return StageTable(names, edges, ends, frozenset())


def _check(table: StageTable, place: str) -> None:
    reached, todo = {0}, [0]
    while todo:
        now = todo.pop()
        fresh = {e.target for e in table.edges if e.source == now} - reached
        reached |= fresh
        todo += fresh
    for i, name in enumerate(table.names):
        if i not in reached:
            raise SpecError(f"{place}: stage '{name}': expected an edge that leads to it from '{table.names[0]}'")
        leaves = any(e.source == i for e in table.edges)
        if i in table.ends and leaves:
            raise SpecError(f"{place}: stage '{name}': it ends the episode; expected no edge that leaves it")
        if i not in table.ends and not leaves:
            raise SpecError(f"{place}: stage '{name}': expected an edge that leaves it, or terminal")
