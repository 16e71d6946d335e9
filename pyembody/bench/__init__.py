"""Benchmarks: one file a family in `families`, each measured against a limit or a peer in the same
interleaved run.
"""

from .row import Result, Row, Settings, listening
from .run import list_families, run_family

__all__ = ["Result", "Row", "Settings", "list_families", "listening", "run_family"]
