"""Rules between the fields of one specification: lengths, ranges, names. What a schema alone cannot say."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from .check_gates import check_gates
from .check_skills import check_skills
from .errors import SpecError, unknown
from .robot import Robot
from .signal import Signal
from .skills import ENCODER
from .task import Observation, Parameter, Task

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
GROUPS = ("policy", "critic", ENCODER)
MAX_TERMS, MAX_CHANNELS, MAX_LETS = 128, 16, 64


def check_robot(robot: Robot, place: str) -> None:
    """Raise SpecError unless lists have one entry per joint or foot and names are unique."""
    n = len(robot.joints)
    if n == 0:
        raise SpecError(f"{place}: joints: expected at least one joint")
    _unique(robot.joints, f"{place}: joints")
    _unique(robot.feet, f"{place}: feet")
    _check_signals(robot.signals, place)
    for name in ("kp", "kd", "action_scale", "torque_limit", "offset"):
        value = getattr(robot.control, name)
        if isinstance(value, tuple) and value:
            _length(value, n, f"{place}: control.{name}", "joint")
    _length(robot.default_pose, n, f"{place}: default_pose", "joint")
    if robot.mirror is not None:
        _permutation(robot.mirror.joints, robot.joints, f"{place}: mirror.joints", "joint")
        _length(robot.mirror.signs, n, f"{place}: mirror.signs", "joint")
        _permutation(robot.mirror.feet, robot.feet, f"{place}: mirror.feet", "foot")


def check_task(task: Task, place: str) -> None:
    """Raise SpecError for empty or misnamed groups, too many terms, and ranges whose ends are swapped or not finite."""
    if not task.observations.get("policy"):
        raise SpecError(f"{place}: observations.policy: expected at least one observation")
    check_program(task, place)
    _check_signals(task.signals, place)
    _check_ranges(task, place)


def _check_signals(signals: Sequence[Signal], place: str) -> None:
    _unique([s.name for s in signals], f"{place}: signals")
    for signal in signals:
        units = signal.unit.count(",") + 1
        if units not in (1, signal.width):
            raise SpecError(f"{place}: signals.{signal.name}.unit: expected 1 or {signal.width} units, got {units}")
        if bool(signal.source) == bool(signal.values):
            raise SpecError(f"{place}: signals.{signal.name}: expected either 'source' or 'values'")


def check_program(task: Task, place: str) -> None:
    """Raise SpecError for what is wrong with a task's terms, names and parameters, whatever simulates it."""
    for group in task.observations:
        if group not in GROUPS:
            raise unknown(f"{place}: observations", "group", group, GROUPS)
    terms = sum(len(c.terms) for c in task.channels.values())
    for count, most, what in (
        (len(task.channels), MAX_CHANNELS, "channels"), (terms, MAX_TERMS, "terms"), (len(task.let), MAX_LETS, "let")
    ):
        if count > most:
            raise SpecError(f"{place}: {what}: expected at most {most}, got {count}", f"limit_{what}")
    if terms == 0:
        raise SpecError(f"{place}: channels: expected at least one term")
    _check_names(task, place)
    _check_parameters(task, place)
    _check_tables(task, place)
    check_gates(task, place)
    check_skills(task, place)


def _check_names(task: Task, place: str) -> None:
    names = [*task.let, *task.params, *task.channels, *task.metrics, *task.terminations, *task.terminal]
    names += [*task.tables, *task.learned, *(s.name for s in task.stages)]
    names += [n for e in task.machine for n in (e.source, e.to)]
    for channel in task.channels.values():
        names += [*channel.terms, *(p for t in channel.terms.values() for p in t.params)]
    names += [name for group in task.observations.values() for name in group]
    for name in names:
        if not NAME.fullmatch(name):
            raise SpecError(f"{place}: '{name}': expected a name of lower-case letters, digits and _, at most 64 long")


def _check_parameters(task: Task, place: str) -> None:
    tables = {"params": task.params}
    for channel, c in task.channels.items():
        for term, t in c.terms.items():
            here = f"channels.{channel}.terms.{term}"
            tables[f"{here}.params"] = t.params
            _finite([t.weight, t.max_abs], f"{place}: {here}")
    for table, params in tables.items():
        for name, p in params.items():
            here = f"{place}: {table}.{name}"
            if not isinstance(p, Parameter):
                _finite([p], here)
                continue
            low, high = -math.inf if p.low is None else p.low, math.inf if p.high is None else p.high
            if not low <= p.value <= high:
                raise SpecError(f"{here}: expected a value in [{low}, {high}], got {p.value}")
    for group, observations in task.observations.items():
        for name, o in observations.items():
            if isinstance(o, Observation) and not math.isfinite(o.noise):
                raise SpecError(f"{place}: observations.{group}.{name}.noise: expected a finite number, got {o.noise}")


def _check_tables(task: Task, place: str) -> None:
    for channel, c in task.channels.items():
        here = f"{place}: channels.{channel}"
        _finite([c.gain, *([] if c.floor is None else [c.floor])], here)
        for term, t in c.terms.items():
            if t.clip is not None:
                _finite(t.clip, f"{here}.terms.{term}.clip")
                if t.clip[0] > t.clip[1]:
                    raise SpecError(f"{here}.terms.{term}.clip: expected low <= high, got {t.clip[0]} > {t.clip[1]}")
    for name, terminal in task.terminal.items():
        _finite([terminal.value], f"{place}: terminal.{name}")
        if terminal.channel and terminal.channel not in task.channels:
            raise unknown(f"{place}: terminal.{name}.channel", "channel", terminal.channel, task.channels)
    for name, s in task.schedules.items():
        _finite([s.first, s.last, s.start, s.end], f"{place}: schedules.{name}")
        if s.kind == "exp" and not s.first * s.last > 0:
            ends = f"{s.first} and {s.last}"
            raise SpecError(f"{place}: schedules.{name}: exp: expected from and to of one sign, got {ends}")
        if s.kind not in ("const", "step") and s.end <= s.start:
            raise SpecError(f"{place}: schedules.{name}: expected start < end, got {s.start} and {s.end}")
    for name, table in task.tables.items():
        _finite(table.values, f"{place}: tables.{name}")
    for name, learned in task.learned.items():
        _finite([learned.low, learned.high, learned.max_age], f"{place}: learned.{name}")
        if learned.low > learned.high:
            raise SpecError(f"{place}: learned.{name}: expected low <= high, got {learned.low} > {learned.high}")


def _check_ranges(task: Task, place: str) -> None:
    ranges: dict[str, tuple[float, float] | tuple[int, int] | None] = {"delay_steps": task.delay_steps}
    if task.command is not None:
        ranges["command.resample_s"] = task.command.resample_s
        for i, ends in enumerate(zip(task.command.low, task.command.high, strict=True)):
            ranges[f"command.low/high[{i}]"] = ends
    if task.push is not None:
        ranges["push.interval_s"] = task.push.interval_s
    for name in ("friction", "base_mass", "mass_scale", "kp_scale", "kd_scale", "joint_friction"):
        ranges[f"randomize.{name}"] = getattr(task.randomize, name)
    for name, ends in task.reset.scene.items():
        ranges[f"reset.scene.{name}"] = ends
    for name, pair in ranges.items():
        if pair is None:
            continue
        _finite(pair, f"{place}: {name}")
        if pair[0] > pair[1]:
            raise SpecError(f"{place}: {name}: expected low <= high, got {pair[0]} > {pair[1]}")


def _finite(values: Iterable[float], place: str) -> None:
    for value in values:
        if not math.isfinite(value):
            raise SpecError(f"{place}: expected finite numbers, got {value}")


def _unique(names: Sequence[str], place: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise SpecError(f"{place}: '{name}' appears {names.count(name)} times")


def _length(values: Sequence[object], n: int, place: str, what: str) -> None:
    if len(values) != n:
        raise SpecError(f"{place}: expected {n} entries, one per {what}, got {len(values)}")


def _permutation(values: Sequence[str], names: Sequence[str], place: str, what: str) -> None:
    for value in values:
        if value not in names:
            raise unknown(place, what, value, names)
    if sorted(values) != sorted(names):
        raise SpecError(f"{place}: expected every {what} exactly once")
