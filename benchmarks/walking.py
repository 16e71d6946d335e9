"""Wall clock from nothing to a walking robot: trains seeds one after the other and evaluates them on the way.

    python benchmarks/walking.py --seeds 0 1 2 3 4 --at 200 250 300 400 --json benchmarks/data/velocity_flat.json

Seconds are those of training alone, start-up included: training stops for each evaluation and goes on from its
checkpoint, which gives the same bits as not stopping. `--set` changes settings of train.toml, in TOML: --set
critics='"single"' horizon=32. An evaluation is 200 episodes of 20 s with slew-limited commands,
on the training model and, with --execution, 100 on the stiff one; `--command` holds one command instead.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import to_builtins

from pyembody.analysis import evaluate
from pyembody.envs import VectorEnv
from pyembody.learn import create_run, load_policy, read_metrics, resume, train
from pyembody.spec import Train, convert, load_robot, load_task, load_train

EPISODES, STIFF_EPISODES, EVALUATION_SEED = 200, 100, 1000


def main() -> None:
    """Run all seeds and write the rows."""
    arguments = _arguments()
    rows = []
    for seed in arguments.seeds:
        rows += walk(seed, arguments)
        Path(arguments.json).write_text(json.dumps(_table(arguments, rows), indent=1) + "\n")


def walk(seed: int, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Train one seed; return a row for each evaluation."""
    task, robot = load_task("velocity", arguments.variant), load_robot("go2")
    config = convert(to_builtins(load_train("velocity", arguments.variant)) | changes(arguments.set), Train, "--set")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as out:
        run = create_run(task, robot, config, seed, out=Path(out))
        startup = None
        for at in arguments.at:
            start = time.perf_counter()
            train(run, iterations=at, progress=False) if startup is None else resume(run, iterations=at, progress=False)
            metrics = read_metrics(run)
            iterations = sum(m["time"]["total"] for m in metrics)
            if startup is None:
                startup = time.perf_counter() - start - iterations
            row = {"seed": seed, "iteration": at, "steps": metrics[-1]["steps"], "seconds": startup + iterations}
            for execution in (False, True) if arguments.execution else (False,):
                row["stiff" if execution else "trained"] = _figures(run, task, robot, execution, arguments.command)
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


def changes(texts: list[str]) -> dict[str, Any]:
    """Return the settings of NAME=VALUE texts."""
    return tomllib.loads("\n".join(texts))


def _figures(run: Path, task: Any, robot: Any, execution: bool, command: list[float] | None) -> dict[str, Any]:
    episodes = STIFF_EPISODES if execution else EPISODES  # a stiff step costs ten of the others
    env = VectorEnv(task, robot, episodes, execution=execution)
    if command:
        env.set_command(np.array(command, np.float32))
    found = evaluate(env, load_policy(run), episodes, (EVALUATION_SEED,), controls=False).to_json()
    gait = found["gait"] or {}
    return {
        "linear_velocity_error": found["linear_velocity_error"]["mean"],
        "yaw_rate_error": found["yaw_rate_error"]["mean"],
        "fall_rate": found["fall_rate"]["rate"],
        "success": found["success"]["rate"],
        "clear_swings": gait["clear_swings"]["rate"],
        "height_ratio": gait["height_ratio"],
        "only_feet": gait["only_feet"],
        "standing_drift": gait["drift"]["mean"] if gait["drift"] else None,
    }


def _table(arguments: argparse.Namespace, rows: list[dict[str, Any]]) -> dict[str, Any]:
    command = f'python benchmarks/walking.py --variant "{arguments.variant}" --seeds {_words(arguments.seeds)}'
    command += f" --at {_words(arguments.at)}" + (" --execution" if arguments.execution else "")
    command += f" --set {' '.join(map(shlex.quote, arguments.set))}" if arguments.set else ""
    command += f" --command {_words(arguments.command)}" if arguments.command else ""
    return {"command": command, "cores": len(os.sched_getaffinity(0)), "rows": rows}


def _words(values: list[Any]) -> str:
    return " ".join(map(str, values))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", default="")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--at", type=int, nargs="+", default=[150, 200, 250, 300, 400])
    parser.add_argument("--execution", action="store_true")
    parser.add_argument("--command", type=float, nargs=3)
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE")
    parser.add_argument("--json", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
