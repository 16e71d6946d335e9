"""`bench world`: imagined rollouts with the policy and the reward in the loop, beside the processor's arithmetic and
torch.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from ... import _core
from ...world import Candidates
from ...world.imagined import Precision
from ..row import LIMIT, Result, Row, Settings, compare
from ..stepping import Sampler, usable_cores
from ..timing import Case, interleave, nothing
from ..torch_threads import use_threads
from ..world.problem import JOINTS, Problem, draw_problem
from ..world.torch_peers import TorchCandidates, TorchRollout

FAMILY, UNIT = "world", "steps/s"
COMPILED = ((200, 200, 200, 200),)
"""Members that torch's compiler, which takes a minute for each, is measured on as well."""
EVERYONE = 10_000
"""Rows up to which torch is also measured with all members for every row."""
REPEATS = 4_000_000
RESAMPLES = 2
GOAL, GOAL_NAME = 1e6, "1e6"
"""Of candidates a second, a limit of our own."""
REST = 0.1
"""Seconds after which torch's threads, which wait for more work by spinning, have gone to sleep."""


def run(settings: Settings) -> Result:
    """Measure all cases, all sides on equally many threads."""
    threads = settings.threads or usable_cores()
    compiled = settings.compiled and shutil.which("c++") is not None
    rows: list[Row] = []
    with use_threads(threads):
        for hidden, batch, steps in settings.worlds:
            problem = draw_problem(hidden, batch)
            name = f"{hidden[0]}x{len(hidden)}/B{_short(batch)}"
            samplers = rollout_samplers(problem, steps, threads, compiled and hidden in COMPILED)
            rows += compare(FAMILY, name, UNIT, interleave(samplers, settings.seconds))
            dense = interleave(dense_samplers(problem, steps, threads), settings.seconds / 4)
            rows += compare(FAMILY, f"dense/{name}", UNIT, dense)
            if len(problem.states) <= EVERYONE:
                rounded = interleave(bfloat16_samplers(problem, steps, threads), settings.seconds / 2)
                rows += compare(FAMILY, f"{name}/bfloat16", UNIT, rounded)
                judged = interleave(candidate_samplers(problem, threads), settings.seconds / 4)
                judged[GOAL_NAME] = [GOAL]
                rows += compare(FAMILY, f"candidates/{name}", "candidates/s", judged)
    left_out = [] if compiled else ["world torch-compile: needs a C++ compiler, and `compiled` peers"]
    notes = [f"world: {threads} threads; steps of a row; {LIMIT} is the time of the networks' multiply-adds alone"]
    return Result(rows, left_out, notes)


def rollout_samplers(problem: Problem, steps: int, threads: int, compiled: bool) -> dict[str, Sampler]:
    """Return imagined steps per second of ours, the limit, and torch."""
    states = problem.states
    runs = {"torch-eager": TorchRollout(problem, steps).run}
    if len(states) <= EVERYONE:
        runs["torch-all-members"] = TorchRollout(problem, steps, everyone=True).run
    if compiled:
        runs["torch-compile"] = TorchRollout(problem, steps, compiled=True).run
    limit = _arithmetic(problem.member_multiply_adds + problem.policy_multiply_adds, threads, rest)
    ours = _imagining(problem, steps, threads, "float32")
    return {"ours": ours, LIMIT: limit, **{name: Case(run).sample for name, run in runs.items()}}


def bfloat16_samplers(problem: Problem, steps: int, threads: int) -> dict[str, Sampler]:
    """Return imagined steps per second of ours in bfloat16, ours in float32, and torch under autocast."""
    return {
        "ours": _imagining(problem, steps, threads, "bfloat16"),
        "float32": _imagining(problem, steps, threads, "float32"),
        "torch-autocast": Case(TorchRollout(problem, steps, autocast=True).run).sample,
    }


def _imagining(problem: Problem, steps: int, threads: int, precision: Precision) -> Sampler:
    imagine = partial(
        problem.model(threads).rollout, problem.states, steps, actor=problem.actor, carried=problem.commands,
        precision=precision,
    )
    out = imagine()

    def ours() -> int:
        imagine(out=out)
        return steps * len(problem.states)

    return Case(ours, rest).sample


def dense_samplers(problem: Problem, steps: int, threads: int) -> dict[str, Sampler]:
    """Return steps per second with given actions, no noise and no reward: the members' layers, and the limit."""
    model, states = problem.model(threads, paid=False), problem.states
    actions = np.zeros((len(states), steps, JOINTS), np.float32)
    imagine = partial(model.rollout, states, steps, actions=actions, noise=False, propagation="elite")
    out = imagine()

    def ours() -> int:
        imagine(out=out)
        return steps * len(states)

    return {"ours": Case(ours).sample, LIMIT: _arithmetic(problem.member_multiply_adds, threads)}


def candidate_samplers(problem: Problem, threads: int) -> dict[str, Sampler]:
    """Return candidates per second of one filtered step: drawn from every elite, judged, the best one taken."""
    model, states = problem.model(threads, paid=False), problem.states
    candidates = Candidates(problem.reward, RESAMPLES)
    actions = np.zeros((len(states), 1, JOINTS), np.float32)
    imagine = partial(model.rollout, states, 1, actions=actions, propagation="select", candidates=candidates)
    out, count = imagine(), len(problem.ensemble.elites) * RESAMPLES * len(states)

    def ours() -> int:
        imagine(out=out)
        return count

    per_candidate = problem.judge_multiply_adds + problem.member_multiply_adds // RESAMPLES
    peer = TorchCandidates(problem, RESAMPLES)
    return {
        "ours": Case(ours, rest).sample,
        LIMIT: _arithmetic(per_candidate, threads, rest),
        "torch-eager": Case(peer.run).sample,
    }


def rest() -> None:
    """Leave the cores to whoever is measured next."""
    time.sleep(REST)


def _arithmetic(multiply_adds: int, threads: int, prepare: Callable[[], None] = nothing) -> Sampler:
    """Return how often a second the registers alone can do so many multiply-adds."""
    sample = Case(lambda: _core.multiply_adds(REPEATS, threads), prepare).sample
    return lambda: sample() / multiply_adds


def _short(rows: int) -> str:
    return f"{rows // 1000}k" if rows % 1000 == 0 else str(rows)
