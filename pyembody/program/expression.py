"""One expression by itself: for tests, notebooks and looking at logs."""

from __future__ import annotations

from collections.abc import Mapping

from ..spec.signal import Signal
from ..spec.task import Parameter
from .checker import Checker
from .compiled import CompiledProgram
from .groups import scale_params, walk
from .params import ParamTable, rows_signals
from .reference import Group
from .scope import Scope
from .syntax import parse


def compile_expression(
    text: str,
    signals: Mapping[str, Signal],
    *,
    dt: float = 0.02,
    params: Mapping[str, float | Parameter] | None = None,
    let: Mapping[str, str] | None = None,
) -> CompiledProgram:
    """Return the program of one expression: its group `value` `[N, lanes]`, uint8 for truth values,
    also on reset.

    Raises SpecError naming the column, what was expected and the nearest legal name.
    """
    scope = Scope(signals, let or {}, "expression", dt)
    table = ParamTable(scope.solver)
    for name, value in (params or {}).items():
        scope.check_name(name, f"params.{name}")
        scope.params[name] = table.add(name, value, f"params.{name}")
    node = Checker(scope, "expression").check(parse(text, "expression"))
    scope.settle()
    group = Group(
        "value", node.type.lanes, "u1" if node.type.kind == "bool" else "f4", True, ((0, node),)
    )
    infos = table.finish(scale_params(walk([group])))
    program = CompiledProgram(dt, {"value": group}, {**signals, **rows_signals(infos)}, infos, None)
    return program.limited("expression")
