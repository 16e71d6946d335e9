"""Recordings, evaluations and their statistics."""

from .evaluate import Evaluation, evaluate
from .record import Recording, record
from .statistics import Mean, Rate, bootstrap_mean, percentiles, wilson

__all__ = [
    "Evaluation",
    "Mean",
    "Rate",
    "Recording",
    "bootstrap_mean",
    "evaluate",
    "percentiles",
    "record",
    "wilson",
]
