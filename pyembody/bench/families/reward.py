"""`bench reward`: reward programs against a hand-fused C++ loop, NumPy, numba, torch and the callables
of manager-based frameworks; compiling, one row, guards, and many sets of parameters.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from ..reward import DT, bind_rows, compile_reward, draw_rows, legged_weights, load_reward
from ..reward.guards import without_guards
from ..reward.limit import HandFused
from ..reward.numba_peer import NumbaTerms
from ..reward.numpy_peers import CallableTerms, NumpyTerms, numpy_signals
from ..reward.sets import ParameterSets
from ..reward.torch_peers import TorchTerms
from ..row import LIMIT, Result, Row, Settings, compare
from ..timing import Case, interleave
from ..torch_threads import use_threads

FAMILY, ROWS, PROGRAMS = "reward", "rows/s", "programs/s"
ROWS_A_SAMPLE = 1 << 16
"""Small batches are evaluated as often as makes this many rows, so that no clock is too coarse."""
ROW_BYTES = 4 * (100 + 12 + 12 + 1)
"""Read and written for a row of the twelve terms."""
SETS = 64

Step = Callable[[], None]


def run(settings: Settings) -> Result:
    """Measure all cases on one thread, or on as many as asked for, all sides on equally many."""
    threads = settings.threads or 1
    rows: list[Row] = []
    seconds = "of its own time" if threads == 1 else "of the wall"
    notes = [
        f"reward: {threads} thread(s) and seconds {seconds} on all sides; all write raw and weighted terms and "
        "their sum"
    ]
    with use_threads(threads):
        for n in settings.rows:
            twelve, note = _twelve(n, settings, threads)
            rows += [*twelve, *_forty(n, settings, threads)]
            notes.append(note)
        rows += _single(settings)
        rows += _sets(max(settings.rows), settings, threads)
    left_out = [] if _compiles(settings) else ["reward torch-compile: needs a C++ compiler, and `compiled` peers"]
    return Result(rows, left_out, notes)


def _compiles(settings: Settings) -> bool:
    return settings.compiled and shutil.which("g++") is not None


def _clock(threads: int) -> Callable[[], float]:
    """One thread's own time does not count what other programs do meanwhile."""
    return time.thread_time if threads == 1 else time.perf_counter


def _sampler(step: Step, n: int, threads: int) -> Callable[[], float]:
    repeats = max(1, ROWS_A_SAMPLE // n)

    def work() -> int:
        for _ in range(repeats):
            step()
        return repeats * n

    return Case(work, clock=_clock(threads)).sample


def _twelve(n: int, settings: Settings, threads: int) -> tuple[list[Row], str]:
    """The legged reward beside every peer, and what share of the memory's bandwidth that is."""
    program, data, weights = load_reward("legged"), draw_rows(n), legged_weights()
    signals = numpy_signals(data)
    steps: dict[str, Step] = {
        "ours": bind_rows(program, data, threads).step,
        LIMIT: HandFused(data, weights, threads).step,
        "numpy": NumpyTerms(data, weights).step,
        "numba": NumbaTerms(data, weights, threads).step,
        "torch-eager": TorchTerms(signals, weights, compiled=False).step,
        "callables": CallableTerms(data, weights).step,
    }
    if _compiles(settings):
        steps["torch-compile"] = TorchTerms(signals, weights, compiled=True).step
    copied = np.empty_like(data)
    samplers = {name: _sampler(step, n, threads) for name, step in steps.items()}
    samplers["copy"] = _sampler(lambda: np.copyto(copied, data), n, threads)
    rates = interleave(samplers, settings.seconds)
    copy = median(rates.pop("copy")) * 2 * data.shape[1] * data.itemsize
    moved = median(rates["ours"]) * ROW_BYTES
    note = f"reward 12-term/{n}: {moved / 1e9:.1f} GB/s, {moved / copy:.2f} of what copying the rows moves"
    return compare(FAMILY, f"12-term/{n}", ROWS, rates), note


def _forty(n: int, settings: Settings, threads: int) -> list[Row]:
    """Forty terms with and without their guards."""
    program, data = load_reward("forty"), draw_rows(n)
    steps = {
        "ours": bind_rows(program, data, threads).step,
        "no-guards": bind_rows(program, data, threads, without_guards(program)).step,
    }
    rates = interleave({name: _sampler(step, n, threads) for name, step in steps.items()}, settings.seconds / 4)
    return compare(FAMILY, f"40-term/{n}", ROWS, rates)


def _single(settings: Settings) -> list[Row]:
    """Compiling forty terms, and one row of them with bound arrays, each beside its limit."""
    step = bind_rows(load_reward("forty"), draw_rows(1)).step

    def build() -> int:
        compile_reward("forty").build()
        return 1

    compiling = interleave({"ours": Case(build, clock=_clock(1)).sample}, settings.seconds / 8)
    stepping = interleave({"ours": _sampler(step, 64, 1)}, settings.seconds / 8)
    one_row = {"ours": [rate / 64 for rate in stepping["ours"]], "10-us": [1e5]}
    return [
        *compare(FAMILY, "compile/40-term", PROGRAMS, compiling | {"5-ms": [200.0]}),
        *compare(FAMILY, "one-row/40-term", ROWS, one_row),
    ]


def _sets(n: int, settings: Settings, threads: int) -> list[Row]:
    """Many sets of weights over one stored batch; numba passes over it once for each."""
    data = draw_rows(n)
    program = load_reward("legged").only(["channels"])
    params = np.tile(program.defaults, (SETS, 1))
    params[:, :12] *= np.random.default_rng(0).uniform(0.5, 2.0, (SETS, 12)).astype(np.float32)
    sets = ParameterSets(program, data, params, threads)
    fused = NumbaTerms(data, params[0, :12] * np.float32(DT), threads)

    def passes() -> int:
        for chosen in params:
            fused.weights = chosen[:12] * np.float32(DT)
            fused.totals()
        return SETS * n

    def ours() -> int:
        sets.step()
        return SETS * n

    clock = _clock(threads)
    samplers = {"ours": Case(ours, clock=clock).sample, "numba": Case(passes, clock=clock).sample}
    rates = interleave(samplers, settings.seconds)
    return compare(FAMILY, f"{SETS}-sets/{n}", "rows of sets/s", rates)
