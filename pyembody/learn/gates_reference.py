"""Gated accumulation in plain Python loops: the definition that the core's `gate_rewards` is compared with.

Gated Reward Accumulation (arXiv 2508.10548): rewards of lower levels count only in episodes whose higher levels reached
their thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .gate_rules import MET, OPEN, GateRules, GateState

Floats = NDArray[np.float32]
Array = NDArray[Any]


@dataclass
class Episodes:
    """Ended episodes `[K]`, in the order of (step, env): what they measured, paid as a lump, and opened `[K, C]`."""

    env: list[int] = field(default_factory=list)
    step: list[int] = field(default_factory=list)
    length: list[int] = field(default_factory=list)
    measure: list[list[float]] = field(default_factory=list)
    lump: list[list[float]] = field(default_factory=list)
    open: list[list[bool]] = field(default_factory=list)


def gate_rewards(
    rules: GateRules,
    state: GateState,
    rewards: Floats,
    terminated: Array,
    truncated: Array,
    valid: Array | None = None,
    conditions: Array | None = None,
) -> tuple[Floats, Array, Episodes]:
    """Return gated rewards and gate rows `[T, N, C]` and the ended episodes; `state` moves on.

    `rewards [T, N, C]`; `terminated`, `truncated`, `valid [T, N]`; `conditions [T, N, C]`: whether the condition that a
    waiting channel waits for holds in that step. Rows that are not valid belong to no episode and pay 0.
    """
    gated, gate = np.zeros_like(rewards), np.zeros(rewards.shape, np.uint8)
    ended = (terminated != 0) | (truncated != 0)
    episodes = Episodes()
    for n in range(rewards.shape[1]):
        _walk(rules, state, n, rewards, ended, valid, conditions, gated, gate, episodes)
    if valid is not None:
        gate[valid == 0] = 0
    order = sorted(range(len(episodes.env)), key=lambda k: (episodes.step[k], episodes.env[k]))
    for column in vars(episodes).values():
        column[:] = [column[k] for k in order]
    return gated, gate, episodes


def _walk(
    rules: GateRules, state: GateState, n: int, rewards: Floats, ended: Array, valid: Array | None,
    conditions: Array | None, gated: Floats, gate: Array, episodes: Episodes,
) -> None:
    """One environment, upwards in time."""
    steps, channels = len(rewards), rewards.shape[2]
    waiting: list[tuple[int, int]] = []  # cells whose pay the end of the episode decides
    first = 0  # of this episode's rows in this buffer
    for t in range(steps):
        if valid is not None and not valid[t, n]:
            continue
        state.length[n] += 1
        for c in range(channels):
            _measure(rules, state, n, c, rewards[t, n, c], conditions is not None and bool(conditions[t, n, c]))
        cascade = _cascade(rules, state, n)
        for c in range(channels):
            paid, p = _split(rules, state, n, c, rewards[t, n, c])
            if rules.running:
                state.latch[n, c] |= OPEN if cascade[c] else 0
                gate[t, n, c] = (state.latch[n, c] & OPEN) != 0
                gated[t, n, c] = p if paid is None and gate[t, n, c] else paid if paid is not None else 0
            elif paid is not None:
                gated[t, n, c] = paid
            elif rules.place == "terminal":
                state.held[n, c] += p
            else:
                gated[t, n, c] = p
                waiting.append((t, c))
        if ended[t, n]:
            _close(rules, state, n, t, first, cascade, waiting, gated, gate, episodes)
            waiting, first = [], t + 1
    if not rules.running:
        _unfinished(rules, state, n, first, waiting, gated, gate)


def _measure(rules: GateRules, state: GateState, n: int, c: int, r: np.float32, condition: bool) -> None:
    agg = rules.agg[c]
    if agg == "last":
        state.measure[n, c] = r
    elif agg == "sum":
        state.measure[n, c] += r
    elif agg == "max" and r > state.measure[n, c]:
        state.measure[n, c] = r
    if rules.waits[c] and condition:
        state.latch[n, c] |= MET


def _split(rules: GateRules, state: GateState, n: int, c: int, r: np.float32) -> tuple[np.float32 | None, float]:
    """What is paid now whatever the gate says (None: the gate decides), and else the positive part."""
    if not rules.mask[c] and not r > 0:
        return r, 0.0
    p = float(r)
    if np.isfinite(rules.cap[c]):
        before = state.positive[n, c]
        state.positive[n, c] += p
        cap = float(rules.cap[c])
        p = min(state.positive[n, c], cap) - min(before, cap)
    if not rules.gated[c]:
        return np.float32(p), 0.0
    return None, p


def _cascade(rules: GateRules, state: GateState, n: int) -> list[bool]:
    """Whether each channel may pay by the present measures."""
    closed = [
        rules.level[j]
        for j in range(len(rules.level))
        if rules.agg[j] != "none" and not _reached(rules, state.measure[n, j], n, j)
    ]
    lowest = min(closed, default=None)
    return [
        (lowest is None or rules.level[c] <= lowest)
        and (not rules.waits[c] or bool(state.latch[n, c] & MET))
        for c in range(len(rules.level))
    ]


def _reached(rules: GateRules, measure: float, n: int, c: int) -> bool:
    threshold = float(rules.threshold[n, c] if rules.threshold.ndim == 2 else rules.threshold[c])
    return bool(measure > threshold if rules.strict[c] else measure >= threshold)


def _close(
    rules: GateRules, state: GateState, n: int, t: int, first: int, cascade: list[bool],
    waiting: list[tuple[int, int]], gated: Floats, gate: Array, episodes: Episodes,
) -> None:
    """The episode ends at step t: pay or withhold what waited, and forget it."""
    length = int(state.length[n])
    lump = [0.0] * len(cascade)
    opened = [bool(state.latch[n, c] & OPEN) if rules.running else x for c, x in enumerate(cascade)]
    if not rules.running:
        for s, c in waiting:
            gated[s, n, c] = _shared(rules, c, gated[s, n, c], length) if opened[c] else 0
        for c, is_open in enumerate(opened):
            gate[first : t + 1, n, c] = is_open
            if is_open and state.held[n, c] != 0:
                lump[c] = state.held[n, c] / length if rules.mean[c] else state.held[n, c]
                gated[t, n, c] = np.float32(float(gated[t, n, c]) + lump[c])
    episodes.env.append(n)
    episodes.step.append(t)
    episodes.length.append(length)
    episodes.measure.append(state.measure[n].tolist())
    episodes.lump.append(lump)
    episodes.open.append(opened)
    state.forget(rules, n)


def _unfinished(
    rules: GateRules, state: GateState, n: int, first: int, waiting: list[tuple[int, int]], gated: Floats, gate: Array
) -> None:
    """The buffer ends before the episode does: hold, forget or pay. What is held is summed from the last step back."""
    length, held = max(int(state.length[n]), 1), np.zeros(gate.shape[2])
    for s, c in reversed(waiting):
        held[c] += gated[s, n, c]
        gated[s, n, c] = _shared(rules, c, gated[s, n, c], length) if rules.pending == "open" else 0
    for c in range(len(held)):
        gate[first:, n, c] = not rules.gated[c]
        if rules.pending == "hold":
            state.held[n, c] += held[c]
            continue
        if rules.pending == "open" and state.held[n, c] != 0:
            lump = state.held[n, c] / length if rules.mean[c] else state.held[n, c]
            gated[-1, n, c] = np.float32(float(gated[-1, n, c]) + lump)
        state.held[n, c] = 0


def _shared(rules: GateRules, c: int, p: np.float32, length: int) -> np.float32:
    return p / np.float32(length) if rules.mean[c] else p
