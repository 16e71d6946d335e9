"""Reward-term dictionaries of manager-based frameworks (Isaac Lab, mjlab) as the text of a reward program."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..spec.check import NAME
from ..spec.errors import nearest

ENTITIES = ("asset_cfg", "sensor_cfg")
RENAMED = {"std": "width"}
"""Parameters whose names are operations of the language."""
AXES = {"joints": "joint_names", "bodies": "body_names"}


@dataclass(frozen=True)
class Conversion:
    """`text` is a program for `pyembody.RewardProgram`; `refused` says why of each term that is not in it."""

    text: str
    refused: dict[str, str]


class RefusedError(ValueError):
    """A term that has no program."""


def convert_terms(
    terms: Mapping[str, Any],
    *,
    dt: float,
    joints: Sequence[str] = (),
    bodies: Sequence[str] = (),
    actions: int = 0,
    name: str = "rewards",
) -> Conversion:
    """Return the program of reward terms, each an object or dict with `func`, `weight` and `params`.

    Args:
        terms: by name; None is a term that is switched off. `func` is a function or its name.
        dt: the control step in seconds, by which weights are multiplied, as those frameworks do.
        joints: all joints in the order of the signals' columns; `joint_names` of a term's `asset_cfg` or
            `sensor_cfg` are regular expressions over them.
        bodies: all bodies, likewise.
        actions: numbers of an action, by default one a joint.
        name: of the program.
    """
    declared: dict[str, str] = {}
    parts, refused = [], {}
    axes = {"joints": tuple(joints), "bodies": tuple(bodies)}
    for term, config in terms.items():
        if config is None:
            continue
        try:
            text, signals = _term(term, config, axes, actions or len(joints))
        except RefusedError as error:
            refused[term] = str(error)
            continue
        parts.append(text)
        declared |= signals
    head = [f"name = {_quoted(name)}", f"dt = {dt!r}", "", "[signals]"]
    tables = [f"{signal} = {table}" for signal, table in declared.items()]
    return Conversion("\n".join([*head, *tables, *parts]) + "\n", refused)


def _term(name: str, config: Any, axes: dict[str, tuple[str, ...]], actions: int) -> tuple[str, dict[str, str]]:
    """One term's table, and the signals that it reads."""
    if not NAME.fullmatch(name):
        raise RefusedError(f"expected a name of lower-case letters, digits and _, got '{name}'")
    func, weight = _get(config, "func"), _number("weight", _get(config, "weight"))
    params = dict(_get(config, "params", {}) or {})
    function = func if isinstance(func, str) else getattr(func, "__name__", type(func).__name__)
    function = re.split(r"[.:]", function)[-1]
    known = _table()["functions"]
    if function not in known:
        raise RefusedError(f"unknown function '{function}'{nearest(function, known)}")
    entry = known[function]
    expr, command = _chosen(entry["expr"], params, axes)
    numbers = _numbers(function, entry, params)
    lines = ["", f"[channels.task.terms.{name}]", f"expr = {_quoted(expr)}", f"weight = {weight!r}"]
    if numbers:
        pairs = ", ".join(f"{key} = {value!r}" for key, value in numbers.items())
        lines.append(f"params = {{ {pairs} }}")
    return "\n".join(lines), _signals(expr, command, axes, actions)


def _chosen(expr: str, params: dict[str, Any], axes: dict[str, tuple[str, ...]]) -> tuple[str, str]:
    """The expression with command, joints and bodies written in, and the command's name; takes their parameters."""
    command = str(params.pop("command_name", ""))
    command = command if "{command}" in expr else ""
    if "{command}" in expr and not NAME.fullmatch(command):
        raise RefusedError(f"command_name: expected the name of a signal, got '{command}'")
    entities = [params.pop(key) for key in ENTITIES if key in params]
    chosen = {"command": command}
    for axis, attribute in AXES.items():
        patterns = [p for p in (_get(e, attribute, None) for e in entities) if p is not None]
        if patterns and not axes[axis]:
            raise RefusedError(f"{attribute}: {patterns[0]} needs all names: pass {axis}=(...) to convert_terms")
        chosen[axis] = _labels(attribute, patterns[0], axes[axis]) if patterns else ""
    for axis, labels in axes.items():
        if f"{{{axis}}}" in expr and not labels:
            raise RefusedError(f"needs the names of all {axis}: pass {axis}=(...) to convert_terms")
    return re.sub(r"\{(\w+)\}", lambda match: chosen[match[1]], expr), command


def _labels(attribute: str, patterns: str | Iterable[str], labels: Sequence[str]) -> str:
    """A subscript that chooses the labels that a regular expression (or one of several) matches."""
    patterns = [patterns] if isinstance(patterns, str) else list(patterns)
    try:
        found = [label for label in labels if any(re.fullmatch(p, label) for p in patterns)]
    except re.error as error:
        raise RefusedError(f"{attribute}: expected a regular expression, got {patterns}: {error}") from None
    if not found:
        raise RefusedError(f"{attribute}: {patterns} matches none of {', '.join(labels)}")
    return f"[{_quoted(found)}]"


def _numbers(function: str, entry: dict[str, Any], params: dict[str, Any]) -> dict[str, float]:
    """The numeric parameters of a term, defaults filled in."""
    defaults, required = entry.get("params", {}), entry.get("required", [])
    legal = [*defaults, *required]
    for key in params:
        if key not in legal:
            raise RefusedError(f"{function}: unknown parameter '{key}'{nearest(key, legal)}")
    for key in required:
        if key not in params:
            raise RefusedError(f"{function}: expected the parameter '{key}'")
    return {RENAMED.get(key, key): _number(key, params.get(key, defaults.get(key))) for key in legal}


def _signals(expr: str, command: str, axes: dict[str, tuple[str, ...]], actions: int) -> dict[str, str]:
    """The declarations of the signals that an expression reads."""
    declared = {}
    if command:
        declared[command] = '{ kind = "vector", width = 3, unit = "m/s, m/s, rad/s" }'
    for signal, fields in _table()["signals"].items():
        if re.search(rf"\b{signal}\b", expr):
            fields = dict(fields)
            if fields.get("axis"):
                fields["labels"] = list(axes[fields["axis"]])
            if signal == "action":
                fields["width"] = actions
            declared[signal] = "{ " + ", ".join(f"{k} = {_quoted(v)}" for k, v in fields.items()) + " }"
    return declared


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RefusedError(f"{key}: expected a finite number, got {value!r}")
    return float(value)


def _quoted(value: Any) -> str:
    """A string, number or list of them in TOML, which writes them as JSON does."""
    return json.dumps(value, ensure_ascii=False)


_MISSING = object()


def _get(config: Any, key: str, default: Any = _MISSING) -> Any:
    value = config.get(key, default) if isinstance(config, Mapping) else getattr(config, key, default)
    if value is _MISSING:
        raise RefusedError(f"expected '{key}'")
    return value


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def known_functions() -> dict[str, tuple[str, ...]]:
    """Return the reward functions that can be converted, each with the parameters that it must be given."""
    return {name: tuple(entry.get("required", [])) for name, entry in _table()["functions"].items()}
