"""Datasets: runs written to disk while they happen, and read back exactly."""

from .dataset import Dataset, Transitions, Windows
from .header import Field, Header, Shard
from .recorder import Recorder

__all__ = ["Dataset", "Field", "Header", "Recorder", "Shard", "Transitions", "Windows"]
