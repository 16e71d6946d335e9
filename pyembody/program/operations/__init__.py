"""The operations of the language, one module a family; each says its typing rule, its meaning and
its lowering.
"""

from . import arithmetic, leaves, library, logic, memory, reductions, rotations, vectors
from .base import OPERATIONS, Array, Frame, Operation, Parameter

__all__ = [
    "OPERATIONS",
    "Array",
    "Frame",
    "Operation",
    "Parameter",
    "arithmetic",
    "leaves",
    "library",
    "logic",
    "memory",
    "reductions",
    "rotations",
    "vectors",
]
