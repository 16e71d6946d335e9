"""`bench plan`: imagined rollouts with their costs, and whole plans, against bare mj_step on the same model."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...envs.model import build_model
from ...plan import Behaviour, PlannerSettings, Runner
from ...plan.imagined import Imagined, Start
from ...plan.planner import Planner
from ...plan.signals import FLAT
from ...spec.load import load_robot
from ...spec.vocabulary import load_vocabulary
from ..bare import BareLoop
from ..row import LIMIT, Result, Row, Settings, compare
from ..stepping import usable_cores
from ..timing import Case, interleave

FAMILY, UNIT = "plan", "steps/s"
CASES = ((32, 18), (128, 18))
"""Candidates and steps of a plan."""
PLANS = 8
"""Of one sample."""


def run(settings: Settings) -> Result:
    """Measure both cases; all sides use the same number of threads."""
    threads = settings.threads or usable_cores()
    rows: list[Row] = []
    notes = [f"plan: {threads} threads; '{LIMIT}' is mj_setState and mj_step over the very states and controls of the "
             "rollouts, in a compiled loop; nothing is culled"]
    for candidates, horizon in CASES:
        rates = interleave(plan_samplers(candidates, horizon, threads), settings.seconds / len(CASES))
        case = f"go2/{candidates}x{horizon}"
        rows += compare(FAMILY, f"plan/{case}", UNIT, {k: v for k, v in rates.items() if k != "rollouts"})
        alone = {"ours": rates["rollouts"], LIMIT: rates[LIMIT]}
        rows += compare(FAMILY, f"rollout/{case}", UNIT, alone)
        speed = float(np.median(rates["ours"])) / (candidates * horizon)
        notes.append(f"plan {case}: {speed:.0f} plans/s, {speed * candidates:.0f} rollouts/s")
    return Result(rows, [], notes)


def plan_samplers(candidates: int, horizon: int, threads: int) -> dict[str, Callable[[], float]]:
    """Return simulation steps per second: of whole plans (`ours`), of rollouts and costs, and of the bare loop."""
    settings = {"bench": PlannerSettings(candidates=candidates, horizon=horizon, culling=False)}
    runner = Runner(load_vocabulary("quadruped"), load_robot("go2", "planning"), settings, threads=threads)
    runner.say(Behaviour(planner="bench"))
    planner, start = runner.planner, runner.start()
    controls = _controls(planner, candidates)
    bare = BareLoop(planner.imagined.built.model, record_states(planner.imagined, start, controls), 1, threads)

    def plans() -> int:
        for _ in range(PLANS):
            planner.replan(start, planner.dt)
        return PLANS * candidates * horizon

    def rollouts() -> int:
        for _ in range(PLANS):
            planner.imagined.costs(start, controls)
        return PLANS * candidates * horizon

    def limit() -> int:
        return sum(bare.run() for _ in range(PLANS))

    # on one thread seconds of processor time, which do not count what other programs do meanwhile
    clock = time.process_time if threads == 1 else time.perf_counter
    runs = {"ours": plans, "rollouts": rollouts, LIMIT: limit}
    return {name: Case(run, clock=clock).sample for name, run in runs.items()}


def record_states(imagined: Imagined, start: Start, controls: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the states `[T, N, S]`, controls included, from which a rollout's steps begin."""
    from mujoco.batch import Batch

    batch = Batch(build_model(load_robot("go2", "planning"), FLAT).model, len(controls), 1)
    batch.reset()
    batch.bind("qpos")[:], batch.bind("qvel")[:] = start.qpos, start.qvel
    control = batch.bind("ctrl")
    rows = np.empty((controls.shape[1], *batch.state.shape))
    for t in range(controls.shape[1]):
        control[:, imagined.built.control.actuators] = controls[:, t]
        rows[t] = batch.state
        batch.step()
    return rows


def _controls(planner: Planner[Imagined], candidates: int) -> NDArray[np.float64]:
    knots = planner.sampler.sample(planner.plan, planner.spread, 0, 0, candidates)
    clipped: NDArray[np.float64] = np.clip(planner.weights @ knots, planner.low, planner.high)
    return clipped
