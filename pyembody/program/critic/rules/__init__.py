"""Range rules, a module a family as in `operations`."""

from . import geometry, language, leaves, logic, memory, numbers, reductions
from .base import LANEWISE, REMEMBERING, RULES, Context

__all__ = [
    "LANEWISE",
    "REMEMBERING",
    "RULES",
    "Context",
    "geometry",
    "language",
    "leaves",
    "logic",
    "memory",
    "numbers",
    "reductions",
]
