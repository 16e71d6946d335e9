"""Finding and running the families: every file in `families` with a function `run(settings) ->
Result` is one.
"""

from __future__ import annotations

import importlib
import pkgutil

from ..spec.errors import unknown
from . import families
from .row import Result, Settings

ALL = "all"


def list_families() -> list[str]:
    """Return the names of the families."""
    return sorted(module.name for module in pkgutil.iter_modules(families.__path__))


def run_family(name: str, settings: Settings) -> Result:
    """Measure a family, or `all` of them. Raises SpecError naming the nearest family."""
    names = list_families()
    if name == ALL:
        results = [run_family(each, settings) for each in names]
        return Result(
            [row for result in results for row in result.rows],
            [peer for result in results for peer in result.left_out],
            [note for result in results for note in result.notes],
        )
    if name not in names:
        raise unknown("bench", "family", name, [*names, ALL])
    result: Result = importlib.import_module(f"{families.__name__}.{name}").run(settings)
    return result
