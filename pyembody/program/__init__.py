"""The expression language: text to typed tree, to a lane program for the C++ core, and its NumPy
twin.
"""

from .carry import Carried
from .compiled import Block, CompiledProgram, CompiledTask
from .compiler import compile_task
from .expression import compile_expression
from .kernels import kernel
from .log import Log
from .moments import Moments
from .operations import OPERATIONS
from .params import ParamInfo
from .reference import Group, ReferenceEvaluator

__all__ = [
    "OPERATIONS",
    "Block",
    "Carried",
    "CompiledProgram",
    "CompiledTask",
    "Group",
    "Log",
    "Moments",
    "ParamInfo",
    "ReferenceEvaluator",
    "compile_expression",
    "compile_task",
    "kernel",
]
