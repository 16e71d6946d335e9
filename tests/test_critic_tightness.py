"""Ranges are tight: where signals lie where they were seen, terms are bounded close to what was seen of them."""

from __future__ import annotations

import numpy as np
from gymnasium.vector import AutoresetMode

from pyembody.analysis.replay import States, watch
from pyembody.envs import VectorEnv
from pyembody.program.critic import Bound, analyse, pays, signal_bounds
from pyembody.spec import list_tasks, list_variants, load_robot, load_task

ROWS, STEPS = 32, 100
WIDEST, SHARE = 10.0, 0.9


def seen(states: States, env: VectorEnv) -> dict[str, Bound]:
    """The range of every number of the signals in some states."""
    found = {}
    for name, values in states.signals.items():
        if env.program.signals[name].kind not in ("bool", "quat"):
            lanes = values.reshape(ROWS * (STEPS + 1), -1).astype(float)
            found[name] = Bound(tuple(lanes.min(axis=0).tolist()), tuple(lanes.max(axis=0).tolist()), "held")
    return found


def ratios(name: str, variant: str) -> dict[str, float]:
    """How many times wider than what was seen each term of a task is bounded."""
    task = load_task(name, variant)
    robot = load_robot(task.robot)
    env = VectorEnv(task, robot, ROWS, threads=1, autoreset_mode=AutoresetMode.NEXT_STEP)
    rng, width = np.random.default_rng(0), env.action.shape[1]
    states, paid = watch(env, lambda x: rng.uniform(-1, 1, (len(x), width)).astype(np.float32), STEPS, 0)
    raw = paid["raw"][~states.started]
    bounds = signal_bounds(env.program.signals, robot, task, {}) | seen(states, env)
    found = {}
    for k, pay in enumerate(pays(task, env.program, analyse(task, env.program, bounds))[: raw.shape[1]]):
        low, high = float(raw[:, k].min()), float(raw[:, k].max())
        assert pay.range.low <= low and high <= pay.range.high, pay.path  # sound first
        found[f"{name} {variant} {pay.path}"] = (pay.range.high - pay.range.low) / max(high - low, 1e-9)
    env.close()
    return found


def test_nine_terms_in_ten_of_the_shipped_tasks_are_bounded_within_ten_times_what_was_seen() -> None:
    tasks = [(name, variant) for name in list_tasks() for variant in ("", *list_variants(name))]
    found = {term: ratio for name, variant in tasks for term, ratio in ratios(name, variant).items()}
    wide = {term: ratio for term, ratio in found.items() if ratio > WIDEST}
    assert len(found) > 50 and len(wide) <= (1 - SHARE) * len(found), wide
