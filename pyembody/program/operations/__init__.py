"""The operations of the language, one module a family; each says its typing rule, its meaning and
its lowering.
"""

from . import (
    arithmetic,
    distances,
    external,
    internal,
    leaves,
    library,
    logic,
    memory,
    memory_more,
    reductions,
    rotations,
    sets,
    vectors,
)
from .base import OPERATIONS, Array, Flag, Frame, Operation, Parameter

__all__ = [
    "OPERATIONS",
    "Array",
    "Flag",
    "Frame",
    "Operation",
    "Parameter",
    "arithmetic",
    "distances",
    "external",
    "internal",
    "leaves",
    "library",
    "logic",
    "memory",
    "memory_more",
    "reductions",
    "rotations",
    "sets",
    "vectors",
]
