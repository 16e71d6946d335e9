"""How well a world model of a task tells what comes next while SAC learns: states, pay and falls after 1 to 10 steps.

    python benchmarks/model_errors.py velocity go2 --iterations 100 --json benchmarks/data/model_errors_velocity.json

The model is fitted to the first four fifths of the steps of a training and judged on the others, which a later policy
made, by the actions that were really taken. Errors are in deviations of the states, `still` is what they are if nothing
changes; `pay` is the correlation of each channel's imagined with its true pay, `fallen` counts rows that fell in the
model alone.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from msgspec.structs import replace

from pyembody.data.dataset import Transitions
from pyembody.envs import VectorEnv
from pyembody.learn.distributed import Group
from pyembody.learn.mbpo import MbpoLearner
from pyembody.spec import load_mbpo, load_robot, load_task
from pyembody.world import EnsembleModel, Fit, FitSettings

SHARE, STEPS, SHOWN = 0.8, 10, (1, 2, 3, 5, 10)
Array = np.ndarray


def main() -> None:
    """Train, fit, judge, and write the figures."""
    arguments = _arguments()
    torch.set_num_threads(1)
    learner = _trained(arguments)
    rows = {name: x[: learner.replay.filled].numpy() for name, x in learner.replay.arrays.items()}
    rows["ended"] = learner.replay.ended[: learner.replay.filled].numpy()
    cut = int(SHARE * len(rows["states"]))
    fit = _fitted(learner, rows, cut, arguments.epochs)
    model = learner.task_state.model(fit.ensemble())
    found: dict[str, Any] = {"command": _command(arguments), "cores": len(os.sched_getaffinity(0))}
    found |= {"fitted_to": cut * rows["states"].shape[1], "epochs": fit.epochs}
    found["unexplained"] = _unexplained(learner, rows, cut, model)
    found["rollouts"] = {way: _rollouts(learner, rows, cut, model, way) for way in ("mean", "sampled")}
    Path(arguments.json).write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


def _trained(arguments: argparse.Namespace) -> MbpoLearner:
    """A learner whose replay holds all steps of a training without a model, the states of one beside them."""
    task, robot = load_task(arguments.task), load_robot(arguments.robot)
    config = load_mbpo(arguments.task)
    config = replace(config, real=1.0, replay=arguments.iterations * config.horizon * config.num_envs)
    env = VectorEnv(task, robot, config.num_envs, threads=1, seed=arguments.seed)
    env.reset(seed=arguments.seed, options={"stagger": True})
    learner = MbpoLearner(env, task, config, arguments.seed, Group())
    for _ in range(arguments.iterations):
        learner.iterate()
    return learner


def _fitted(learner: MbpoLearner, rows: dict[str, Array], cut: int, epochs: int) -> Fit:
    state, action, successor = (_flat(rows[n][:cut]) for n in ("states", "acted", "successor_states"))
    no = np.zeros(len(state), np.bool_)
    seen = Transitions(state, action, successor, np.zeros((len(state), 0)), no, no)
    config = learner.own_config
    settings = FitSettings(
        members=config.members, elites=config.elites, hidden=config.model_hidden, epochs=epochs, seed=learner.model.seed
    )
    fit = Fit(seen, settings, learner.model.adrift, 1)
    while not fit.done:
        fit.epoch()
    return fit


def _unexplained(learner: MbpoLearner, rows: dict[str, Array], cut: int, model: EnsembleModel) -> dict[str, float]:
    """The share of one step's change that is left, by signal."""
    state, action, successor = (_flat(rows[n][cut:]) for n in ("states", "acted", "successor_states"))
    carried = learner._carried(_flat(rows["given"][cut:]), 1, 0)
    found = model.rollout(state, 1, actions=action[:, None].copy(), carried=carried, propagation="mean")
    left = np.square(found.next_states[0] - successor).mean(0) / (successor - state).var(0).clip(1e-12)
    return {name: round(float(left[columns].mean()), 3) for name, columns in learner.task_state.state.columns.items()}


def _rollouts(
    learner: MbpoLearner, rows: dict[str, Array], cut: int, model: EnsembleModel, way: Any
) -> list[dict[str, Any]]:
    """Figures after SHOWN steps of stretches without an end, by the mean of the elites or a draw of one."""
    ended, last = rows["ended"], len(rows["states"]) - STEPS
    starts = [(t, n) for t in range(cut, last, 5) for n in range(ended.shape[1])]
    t, n = np.array([(t, n) for t, n in starts if not ended[t : t + STEPS, n].any()]).T
    actions = np.stack([rows["acted"][t + k, n] for k in range(STEPS)], axis=1)
    start, carried = rows["states"][t, n], learner._carried(rows["given"][t, n], STEPS, 0)
    found = model.rollout(
        start, STEPS, actions=actions, carried=carried, before=rows["before"][t, n], propagation=way,
        noise=way != "mean",
    )  # fmt: skip
    deviation = _flat(rows["states"][cut:]).std(0).clip(1e-6)
    return [_figures(learner, rows, found, start, deviation, k, t, n) for k in SHOWN]


def _figures(
    learner: MbpoLearner, rows: dict[str, Array], found: Any, start: Array, deviation: Array, k: int, t: Array, n: Array
) -> dict[str, Any]:
    there, true = found.valid[k - 1], rows["successor_states"][t + k - 1, n]
    error, still = (np.abs(x - true)[there] / deviation for x in (found.next_states[k - 1], start))
    paid, due = found.channels[k - 1][there], rows["rewards"][t + k - 1, n][there]
    pay = [round(float(np.corrcoef(paid[:, c], due[:, c])[0, 1]), 2) for c in range(paid.shape[1])]
    figures = {"steps": k, "rows": int(there.sum()), "fallen": int((~there).sum())}
    figures |= {"error": round(float(np.median(error)), 3), "still": round(float(np.median(still)), 3)}
    return figures | {"pay": dict(zip(learner.env.channel_names, pay, strict=True))}


def _flat(rows: Array) -> Array:
    return np.ascontiguousarray(rows.reshape(-1, rows.shape[-1]))


def _command(arguments: argparse.Namespace) -> str:
    words = " ".join(f"--{name} {getattr(arguments, name)}" for name in ("iterations", "epochs", "seed"))
    return f"python benchmarks/model_errors.py {arguments.task} {arguments.robot} {words}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task")
    parser.add_argument("robot")
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
