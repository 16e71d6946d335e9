"""Ensembles that know: for what a task's program says of states that come from elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .ensemble import Ensemble, Floats


def changing_nothing(like: Ensemble) -> Ensemble:
    """Return an ensemble in which nothing changes: rollouts of it say what a policy sees and does in the states."""
    width, actions = like.states, like.actions
    low, zero, one = np.full(width, -40.0, np.float32), np.zeros, np.ones
    return Ensemble(
        [zero((1, width + actions, 2 * width), np.float32)], [zero((1, 1, 2 * width), np.float32)], low, low,
        zero(width, np.float32), one(width, np.float32), zero(actions, np.float32), one(actions, np.float32),
        like.activation, (0,),
    )  # fmt: skip


def before_told(ensemble: Ensemble, before: Floats | None) -> Floats | None:
    """Return actions before the first step `[B, A]` as an ensemble takes them that is told changes besides."""
    if before is None:
        return None
    none = np.zeros((len(before), ensemble.actions - before.shape[1]), np.float32)
    return np.concatenate([before, none], axis=1, dtype=np.float32)


def changing_as_told(like: Ensemble) -> Ensemble:
    """Return an ensemble that is told how the state changes: beyond the action lie the changes, `[A + S]` in all."""
    width = like.states
    given = like.actions + width
    weights = np.zeros((1, width + given, 2 * width), np.float32)
    weights[0, width + like.actions :, :width] = np.eye(width)
    zero, one = np.zeros(given, np.float32), np.ones(given, np.float32)
    return replace(changing_nothing(like), weights=[weights], action_mean=zero, action_std=one)
