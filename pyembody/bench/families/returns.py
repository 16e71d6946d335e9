"""`bench returns`: advantages per channel, with and without gates, against a hand-written loop and other libraries."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from ... import _core
from ...learn.gate_rules import GateRules, GateState
from ..returns import GAMMA, LAM, draw_case
from ..returns import Case as Rollout
from ..returns.peers import numba_gae, numpy_gae, torch_gae, torchrl_gae
from ..row import LIMIT, Result, Row, Settings, compare
from ..stepping import usable_cores
from ..timing import Case, interleave

FAMILY, UNIT = "returns", "cells/s"
CASES = ((1, 24), (4, 24), (1, 128), (4, 128))
SECONDS = 0.01
"""What one sample lasts, about."""


def run(settings: Settings) -> Result:
    """Measure all cases; every side takes the same threads."""
    threads = settings.threads or usable_cores()
    seconds = settings.seconds / (len(CASES) + 1)
    rows: list[Row] = []
    left_out: set[str] = set()
    for channels, steps in CASES:
        rollout = draw_case(channels, steps)
        found = plain_steps(rollout, threads)
        left_out |= {f"returns {n}: not installed (pip install {n})" for n, step in found.items() if step is None}
        rates = _rates(rollout, {name: step for name, step in found.items() if step is not None}, seconds, threads)
        rows += compare(FAMILY, f"K{channels}T{steps}", UNIT, rates)
    rollout = draw_case(4, 24)
    rates = _rates(rollout, gated_steps(rollout, threads), seconds, threads)
    rows += compare(FAMILY, "gates-K4T24", UNIT, rates)
    return Result(rows, sorted(left_out))


def plain_steps(rollout: Rollout, threads: int) -> dict[str, Callable[[], object] | None]:
    """Return one pass of advantages of every side; None for a peer that is not installed."""
    return {
        "ours": core_gae(rollout, threads),
        "one-thread": core_gae(rollout, 1),
        LIMIT: lambda: _core.gae_limit(*rollout.read, GAMMA, LAM, rollout.advantages, rollout.returns, threads),
        "numpy": numpy_gae(rollout),
        "numba": numba_gae(rollout, threads),
        "torch-eager": torch_gae(rollout, threads),
        "torchrl": torchrl_gae(rollout),
    }


def core_gae(rollout: Rollout, threads: int) -> Callable[[], object]:
    """Return the core's pass."""
    gamma, lam = (np.full(rollout.rewards.shape[2], x, np.float32) for x in (GAMMA, LAM))
    return lambda: _core.gae(*rollout.read, gamma, lam, rollout.advantages, rollout.returns, threads)


def gated_steps(rollout: Rollout, threads: int) -> dict[str, Callable[[], object]]:
    """Return gates and advantages in one walk, and what comes without the gates."""
    rules = cascade()
    state = GateState(rules, rollout.rewards.shape[1]).arrays()
    gamma, lam = (np.full(rollout.rewards.shape[2], x, np.float32) for x in (GAMMA, LAM))
    return {
        "ours": lambda: _core.gated_returns(
            rules.core, state, *rollout.read, gamma, lam, rollout.advantages, rollout.returns, threads=threads
        ),
        "no-gates": core_gae(rollout, threads),
    }


def cascade() -> GateRules:
    """Return gates of four channels on three levels."""
    no = (False,) * 4
    thresholds = np.array([0.5, 0.5, 0.0, 0.0], np.float32)
    aggregates = ("last", "max", "none", "none")
    return GateRules((0, 1, 2, 2), aggregates, thresholds, no, no, no, (float("inf"),) * 4, no)


def _rates(
    rollout: Rollout, steps: dict[str, Callable[[], object]], seconds: float, threads: int
) -> dict[str, list[float]]:
    samplers = {name: _sampler(step, rollout.cells, threads) for name, step in steps.items()}
    return interleave(samplers, seconds)


def _sampler(step: Callable[[], object], cells: int, threads: int) -> Callable[[], float]:
    # Alone on its thread, what other programs take does not count.
    clock = time.thread_time if threads == 1 else time.perf_counter

    def once() -> int:
        step()
        return cells

    once()
    repeats = max(1, int(SECONDS * Case(once).sample() / cells))
    return Case(lambda: sum(once() for _ in range(repeats)), clock=clock).sample
