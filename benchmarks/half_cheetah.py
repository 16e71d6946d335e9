"""Learning curves of PPO on HalfCheetah with one set of hyper-parameters: ours, Stable-Baselines3, torch on EnvPool.

    python benchmarks/half_cheetah.py --seeds 0 1 2 3 4 --json benchmarks/data/half_cheetah.json

All sides learn with Stable-Baselines3's defaults on 8 environments (see pyembody/bench/cheetah). Ours, as always,
normalises observations and the targets of values, clips gradients network by network and halves the squared error of
values. All are judged alike: the mean of the action, 10 episodes of HalfCheetah-v5 as `VectorEnv` steps it. Seconds are
those of training alone, start-up included for ours and left out for the others; `cpu` counts those of all cores. A side
is run after the other, seed by seed.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pyembody.bench.cheetah import cheetah_robot, cheetah_task, cheetah_train, quiet_model
from pyembody.bench.cheetah.peers import EnvpoolLoop, sb3_cheetah_learner
from pyembody.envs import VectorEnv
from pyembody.learn import create_run, load_policy, read_metrics, resume, train

ENVIRONMENTS, SAMPLES, EPISODES, EVALUATION_SEED = 8, 2048, 10, 1000

Policy = Callable[[NDArray[np.float32]], NDArray[np.float32]]
Stage = tuple[float, float, Policy]
"""Seconds and processor seconds of training so far, and the policy that they gave."""


def main() -> None:
    """Run all sides for every seed and write the curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--sides", nargs="+", choices=sorted(SIDES), default=list(SIDES))
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--every", type=int, default=16, help="iterations between evaluations")
    parser.add_argument("--json", required=True)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with quiet_model():
        judge = VectorEnv(cheetah_task(), cheetah_robot(), EPISODES)
        for seed in arguments.seeds:
            for side in arguments.sides:
                rows.append({"seed": seed, "side": side, "curve": curve(side, seed, arguments, judge)})
                table = {
                    "command": f"python benchmarks/half_cheetah.py --seeds {' '.join(map(str, arguments.seeds))}",
                    "columns": ["steps", "seconds", "processor seconds", "return"],
                    "steps": arguments.steps,
                    "cores": len(os.sched_getaffinity(0)),
                    "rows": rows,
                }
                Path(arguments.json).write_text(json.dumps(table) + "\n")


def curve(side: str, seed: int, arguments: argparse.Namespace, judge: VectorEnv) -> list[list[float]]:
    """Rows of [environment steps, seconds, processor seconds, mean return] of one training."""
    found: list[list[float]] = []
    for at, (seconds, cpu, policy) in enumerate(SIDES[side](seed, arguments.every), start=1):
        steps = at * arguments.every * SAMPLES
        found.append([steps, round(seconds, 2), round(cpu, 2), round(mean_return(policy, judge), 1)])
        if steps >= arguments.steps:
            print(f"{side} seed {seed}: {found[-1]}", flush=True)
            return found
    raise AssertionError("a side trains without end")


def mean_return(policy: Policy, judge: VectorEnv) -> float:
    """Mean return of an episode in each row of `judge`; the half cheetah's episodes all last as long."""
    observations, _ = judge.reset(seed=EVALUATION_SEED)
    total = np.zeros(judge.num_envs)
    ended = np.zeros(judge.num_envs, bool)
    while not ended.all():
        observations, rewards, _, ended, _ = judge.step(policy(observations))
        total += rewards
    return float(total.mean())


def ours(seed: int, every: int) -> Iterator[Stage]:
    """Our training, stopped for each evaluation and resumed; stopping gives the same bits as going on."""
    config = cheetah_train(ENVIRONMENTS, SAMPLES)
    with tempfile.TemporaryDirectory() as out:
        run = create_run(cheetah_task(), cheetah_robot(), config, seed, out=Path(out))
        startup, cpu, at = 0.0, 0.0, 0
        while True:
            at += every
            start, spent = time.perf_counter(), time.process_time()
            (train if at == every else resume)(run, iterations=at, progress=False)
            cpu += time.process_time() - spent
            trained = sum(m["time"]["total"] for m in read_metrics(run))
            startup = startup or time.perf_counter() - start - trained
            yield startup + trained, cpu, load_policy(run)


def sb3(seed: int, every: int) -> Iterator[Stage]:
    """Stable-Baselines3 on one torch thread, which is faster here than two."""
    learner = sb3_cheetah_learner(cheetah_train(ENVIRONMENTS, SAMPLES), seed)

    def act(observations: NDArray[np.float32]) -> NDArray[np.float32]:
        actions: NDArray[np.float32] = learner.predict(observations, deterministic=True)[0]
        return actions

    yield from _timed(lambda: learner.learn(SAMPLES * every, reset_num_timesteps=False), act)


def cleanrl_envpool(seed: int, every: int) -> Iterator[Stage]:
    """The CleanRL-style torch loop on EnvPool, on one torch thread."""
    loop = EnvpoolLoop(cheetah_train(ENVIRONMENTS, SAMPLES), seed)

    def learn() -> None:
        for _ in range(every):
            loop.iterate()

    yield from _timed(learn, loop.act)


def _timed(learn: Callable[[], object], policy: Policy) -> Iterator[Stage]:
    torch.set_num_threads(1)
    seconds = cpu = 0.0
    while True:
        start, spent = time.perf_counter(), time.process_time()
        learn()
        seconds, cpu = seconds + time.perf_counter() - start, cpu + time.process_time() - spent
        yield seconds, cpu, policy


SIDES: dict[str, Callable[[int, int], Iterator[Stage]]] = {
    "pyembody": ours,
    "sb3": sb3,
    "cleanrl-envpool": cleanrl_envpool,
}

if __name__ == "__main__":
    main()
