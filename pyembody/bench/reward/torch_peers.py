"""Torch, eager and compiled, with every signal a contiguous tensor of its own: the layout that suits
it best.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from . import Floats
from .terms import TERMS, Signals


def torch_names() -> SimpleNamespace:
    """Return torch's functions under NumPy's names."""
    import torch

    def clip(x: Any, low: float, _high: None) -> Any:
        return torch.clamp(x, min=low)

    return SimpleNamespace(
        exp=torch.exp, sum=torch.sum, square=torch.square, sqrt=torch.sqrt, abs=torch.abs, clip=clip
    )


def torch_signals(signals: Signals) -> Signals:
    """Return the arrays among `signals` as contiguous tensors."""
    import torch

    return {
        name: torch.from_numpy(np.ascontiguousarray(x)) if isinstance(x, np.ndarray) else x
        for name, x in signals.items()
    }


class TorchTerms:
    """All terms stacked, weighted and summed, eagerly or as one compiled function."""

    def __init__(self, signals: Signals, weights: Floats, compiled: bool) -> None:
        import torch

        names = torch_names()
        self.signals = torch_signals(signals)
        n = len(self.signals["command"])
        self._out = (torch.zeros(n, len(TERMS)), torch.zeros(n, len(TERMS)), torch.zeros(n))
        self.raw, self.weighted, self.total = (x.numpy() for x in self._out)
        self._weights = torch.from_numpy(weights)

        def terms(s: Signals, w: Any, raw: Any, weighted: Any, total: Any) -> None:
            values = torch.stack([f(names, s) for f in TERMS.values()], 1)
            raw.copy_(values)
            weighted.copy_(values * w)
            total.copy_((values * w).sum(1))

        def into(s: Signals, w: Any, raw: Any, weighted: Any, total: Any) -> None:
            torch.stack([f(names, s) for f in TERMS.values()], 1, out=raw)
            torch.mul(raw, w, out=weighted)
            torch.sum(weighted, 1, out=total)

        self._terms = torch.compile(terms, dynamic=False) if compiled else into

    def step(self) -> None:
        """Write raw and weighted terms and their sum."""
        self._terms(self.signals, self._weights, *self._out)
