"""What skills are paid, defined in plain NumPy: the twin of `skill_encoder.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Layers = Sequence[tuple[Array, Array]]
"""Weights `[in, out]` and biases `[out]`."""


def encode(rows: Array, layers: Layers, bounded: bool) -> Array:
    """Return phi `[B, Z]` of `rows [B, E]`: ELU between layers; `bounded` divides each matrix by its spectral norm.

    ELU's slope is at most 1, so that of a bounded network is too: |phi(x) - phi(y)| <= |x - y|.
    """
    hidden = rows.astype(np.float64)
    for i, (weight, bias) in enumerate(layers):
        scale = np.linalg.norm(weight, 2) if bounded else 1.0
        hidden = hidden @ (weight / scale) + bias
        if i < len(layers) - 1:
            hidden = np.where(hidden > 0, hidden, np.expm1(np.minimum(hidden, 0)))
    return hidden


def displacement(phi: Array, phi_after: Array, skill: Array) -> Array:
    """LSD and METRA: (phi(s') - phi(s)) . z, `[B]`, of `phi`, `phi_after` and `skill` `[B, Z]`."""
    paid: Array = ((phi_after - phi) * skill).sum(axis=1)
    return paid


def discrimination(logits: Array, skill: Array) -> Array:
    """DIAYN: log q(z | s') - log p(z), `[B]`, of `logits [B, Z]` at s' and one-hot `skill [B, Z]`; p is uniform."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_q = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    chosen: Array = log_q[np.arange(len(logits)), skill.argmax(axis=1)] + np.log(logits.shape[1])
    return chosen


def metra_loss(phi: Array, phi_after: Array, skill: Array, kappa: float, slack: float) -> float:
    """What METRA's encoder makes small: -mean((phi' - phi) . z + kappa min(slack, 1 - |phi' - phi|^2))."""
    square = np.square(phi_after - phi).sum(axis=1)
    return -float((displacement(phi, phi_after, skill) + kappa * np.minimum(slack, 1 - square)).mean())
