"""Samples and seconds of SAC, MBPO, or PPO, from nothing to a solved task: trains seeds, evaluates them on the way.

    python benchmarks/off_policy.py balance cartpole --at 20 39 58 78 --json benchmarks/data/sac_balance.json

Seconds are those of training alone, start-up left out; training stops for each evaluation and goes on from its
checkpoint, which gives the same bits as not stopping. An evaluation is 200 episodes on the training model, on seeds
that no training uses.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from pyembody.analysis import evaluate
from pyembody.envs import VectorEnv
from pyembody.learn import create_run, load_policy, read_metrics, resume, train
from pyembody.spec import Robot, Task, convert, load_learning, load_robot, load_task

EPISODES, EVALUATION_SEED = 200, 1000


def main() -> None:
    """Run all seeds and write the rows."""
    arguments = _arguments()
    rows: list[dict[str, Any]] = []
    for seed in arguments.seeds:
        rows += learn(seed, arguments)
        table = {"command": _command(arguments), "cores": len(os.sched_getaffinity(0)), "rows": rows}
        Path(arguments.json).write_text(json.dumps(table, indent=1) + "\n")


def learn(seed: int, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Train one seed; return a row for each evaluation."""
    task, robot = load_task(arguments.task), load_robot(arguments.robot)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as out:
        config = load_learning(arguments.task, "", arguments.algorithm)
        config = convert(to_builtins(config) | _changes(arguments), type(config), "--set")
        run = create_run(task, robot, config, seed, out=Path(out))
        for at in arguments.at:
            (resume if rows else train)(run, iterations=at, progress=False)
            metrics = read_metrics(run)
            seconds = sum(m["time"]["total"] for m in metrics)
            row = {"seed": seed, "iteration": at, "steps": metrics[-1]["steps"], "seconds": round(seconds, 1)}
            rows.append(row | _figures(run, task, robot))
            print(json.dumps(rows[-1]), flush=True)
    return rows


def _figures(run: Path, task: Task, robot: Robot) -> dict[str, Any]:
    env = VectorEnv(task, robot, EPISODES)
    found = evaluate(env, load_policy(run), EPISODES, (EVALUATION_SEED,), controls=False).to_json()
    means = {name: found[name]["mean"] for name in found["metric_names"]}
    return {"success": found["success"]["rate"], "fall_rate": found["fall_rate"]["rate"]} | means


def _changes(arguments: argparse.Namespace) -> dict[str, Any]:
    return {name: json.loads(value) for name, value in (text.split("=", 1) for text in arguments.set)}


def _command(arguments: argparse.Namespace) -> str:
    words = (f"--{name} {' '.join(map(str, getattr(arguments, name)))}" for name in ("seeds", "at"))
    algorithm = "" if arguments.algorithm == "sac" else f"--algorithm {arguments.algorithm} "
    algorithm += f"--set {' '.join(arguments.set)} " if arguments.set else ""
    return f"python benchmarks/off_policy.py {arguments.task} {arguments.robot} {algorithm}{' '.join(words)}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task")
    parser.add_argument("robot")
    parser.add_argument("--algorithm", choices=("sac", "ppo", "mbpo"), default="sac")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="settings that are changed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--at", type=int, nargs="+", required=True)
    parser.add_argument("--json", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
