"""NumPy, term by term, and the callables of a manager-based framework."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from . import COLUMNS, CONSTANTS, DT, Floats
from .terms import TERMS, Signals
from .torch_peers import torch_names, torch_signals


class NumpyTerms:
    """Every term as NumPy expressions over whole arrays."""

    def __init__(self, rows: Floats, weights: Floats) -> None:
        self.signals = numpy_signals(rows)
        self.weights = weights
        self.raw, self.weighted = (np.zeros((len(rows), len(TERMS)), np.float32) for _ in range(2))
        self.total = np.zeros(len(rows), np.float32)

    def step(self) -> None:
        """Write raw and weighted terms and their sum."""
        for k, term in enumerate(TERMS.values()):
            self.raw[:, k] = term(np, self.signals)
        np.multiply(self.raw, self.weights, out=self.weighted)
        np.sum(self.weighted, axis=1, out=self.total)


class CallableTerms:
    """A reward manager: a list of functions of an environment, each called in turn, torch inside.

    What such frameworks do: value = function(env) * weight * dt, added to the reward, kept for the log.
    """

    def __init__(self, rows: Floats, weights: Floats) -> None:
        import torch

        names = torch_names()
        self.signals = torch_signals(numpy_signals(rows))
        self._terms = [(partial(f, names), float(w)) for f, w in zip(TERMS.values(), weights, strict=True)]
        n = len(rows)
        self._raw, self._weighted = torch.zeros(n, len(TERMS)), torch.zeros(n, len(TERMS))
        self._total = torch.zeros(n)
        self.raw, self.weighted, self.total = self._raw.numpy(), self._weighted.numpy(), self._total.numpy()

    def step(self) -> None:
        """Write raw and weighted terms and their sum."""
        self._total.zero_()
        for k, (function, weight) in enumerate(self._terms):
            raw = function(self.signals)
            value = raw * weight
            self._total += value
            self._raw[:, k] = raw
            self._weighted[:, k] = value


def numpy_signals(rows: Floats) -> Signals:
    """Return the columns of rows [N, 100] by name, and the constants."""
    signals: dict[str, Any] = {name: rows[:, columns] for name, columns in COLUMNS.items()}
    signals |= {s.name: np.array(s.values, np.float32) for s in CONSTANTS}
    return signals | {"dt": DT}
