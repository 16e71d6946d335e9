"""Wall clock to the same score: our training beside Stable-Baselines3's PPO on the same environment, in one run.

    python benchmarks/against_sb3.py --seeds 0 --minutes 2.5 --score 0.08 --json benchmarks/data/against_sb3.json

The score is reached when 100 episodes of 20 s have a mean linear error of at most `--score` m/s and at most 5 %
falls. Both sides have the same networks, batch shapes and coefficients; evaluations are not counted. A side that
does not get there within `--minutes` is written as such.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecNormalize

from pyembody.analysis import evaluate
from pyembody.bench.sb3 import Sb3VecEnv, sb3_ppo
from pyembody.envs import VectorEnv, make_vec
from pyembody.learn import create_run, load_policy, read_metrics, resume, train
from pyembody.spec import load_robot, load_task, load_train

EPISODES, EVALUATION_SEED, EVERY = 100, 1000, 50

Policy = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def main() -> None:
    """Run both sides for every seed and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--score", type=float, default=0.15)
    parser.add_argument("--json", required=True)
    arguments = parser.parse_args()
    judge = make_vec(num_envs=EPISODES)
    rows = []
    for seed in arguments.seeds:
        for name, side in (("pyembody", ours), ("stable-baselines3", theirs)):
            reached, curve = side(seed, 60 * arguments.minutes, arguments.score, judge)
            rows.append({"seed": seed, "side": name, "seconds": reached, "curve": curve})
            print(json.dumps(rows[-1]), flush=True)
            table = {"score": arguments.score, "minutes": arguments.minutes, "rows": rows}
            Path(arguments.json).write_text(json.dumps(table, indent=1) + "\n")


def _judged(env: VectorEnv, policy: Policy) -> tuple[float, float]:
    """Linear velocity error in m/s and share of falls."""
    found = evaluate(env, policy, EPISODES, (EVALUATION_SEED,), controls=False)
    return found.metrics["linear_velocity_error"].mean, found.fall_rate.rate


def ours(seed: int, limit: float, score: float, judge: VectorEnv) -> tuple[float | None, list[Any]]:
    """Seconds of our training to the score (None if not within the limit), start-up included, and the curve."""
    curve: list[Any] = []
    with tempfile.TemporaryDirectory() as out:
        run = create_run(load_task("velocity"), load_robot("go2"), load_train("velocity"), seed, out=Path(out))
        startup, at = 0.0, 0
        while True:
            at += EVERY
            start = time.perf_counter()
            (train if at == EVERY else resume)(run, iterations=at, progress=False)
            trained = sum(m["time"]["total"] for m in read_metrics(run))
            startup = startup or time.perf_counter() - start - trained
            error, falls = _judged(judge, load_policy(run))
            curve.append([round(startup + trained, 1), round(error, 4), falls])
            if error <= score and falls <= 0.05:
                return startup + trained, curve
            if startup + trained > limit:
                return None, curve


def theirs(seed: int, limit: float, score: float, judge: VectorEnv) -> tuple[float | None, list[Any]]:
    """Seconds of Stable-Baselines3's training to the score, with its running normalisation of observations."""
    torch.set_num_threads(1)  # faster here than two, which slow the physics
    config = load_train("velocity")
    env = VecNormalize(Sb3VecEnv(make_vec(num_envs=config.num_envs, seed=seed)), norm_reward=False)
    model = sb3_ppo(env, config, seed)
    rows, spent, curve = config.num_envs * config.horizon * EVERY, 0.0, []

    def policy(observations: NDArray[np.float32]) -> NDArray[np.float32]:
        actions: NDArray[np.float32] = model.predict(env.normalize_obs(observations), deterministic=True)[0]
        return actions

    while True:
        start = time.perf_counter()
        model.learn(rows, reset_num_timesteps=False)
        spent += time.perf_counter() - start
        error, falls = _judged(judge, policy)
        curve.append([round(spent, 1), round(error, 4), falls])
        if error <= score and falls <= 0.05:
            return spent, curve
        if spent > limit:
            return None, curve


if __name__ == "__main__":
    main()
