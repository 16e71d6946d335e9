"""The static critic: findings about a reward program, from its text and the ranges of its signals alone."""

from .bounds import Bound, signal_bounds
from .check import Options, analyse, check, check_alone, examine
from .ending import farm
from .finding import Finding, ordered, refused
from .interval import Range
from .parts import texts
from .terms import Pay, pays

__all__ = [
    "Bound",
    "Finding",
    "Options",
    "Pay",
    "Range",
    "analyse",
    "check",
    "check_alone",
    "examine",
    "farm",
    "ordered",
    "pays",
    "refused",
    "signal_bounds",
    "texts",
]
