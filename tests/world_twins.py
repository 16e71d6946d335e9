"""A small world model with a policy and a program, in the core beside its NumPy twin."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from pyembody.envs.mirror import MirrorMap
from pyembody.program.reward_program import RewardProgram
from pyembody.spec import Signal
from pyembody.world import Actor, Ensemble, EnsembleModel, Imagined, ModelState, RolloutReference
from pyembody.world.reward import DynamicsReward

STATE = ModelState(
    (
        Signal("base_quat", "quat", 4, frame="world", local="body"),
        Signal("speed", "vector", 3, unit="m/s"),
        Signal("contact", "bool", axis="feet", labels=("l", "r")),
        Signal("load", axis="feet", labels=("l", "r")),
    ),
    (Signal("goal", "vector", 3, unit="m/s"),),
)
ACTIONS, STATES, CARRIED = 3, 11, 3
JOINTS = ("a", "b", "c")
PROGRAM = """
dt = 0.02
signals.action = { kind = "scalar", axis = "joints", labels = ["a", "b", "c"] }
signals.base_quat = { kind = "quat", width = 4, frame = "world", local = "body" }
signals.speed = { kind = "vector", width = 3, unit = "m/s" }
signals.goal = { kind = "vector", width = 3, unit = "m/s" }
signals.contact = { kind = "bool", axis = "feet", labels = ["l", "r"] }
signals.load = { kind = "scalar", axis = "feet", labels = ["l", "r"] }
terminations.fallen = "load[0] > 0.3"
observations.policy = { speed = "speed", goal = "goal - speed", contact = "num(contact)", before = "action" }
channels.task.terms.track = { expr = "gauss(speed - goal, sigma)", weight = 2.0, params = { sigma = 0.5 } }
channels.style.terms.smooth = { expr = "normsq(delta(action))", weight = -0.1 }
channels.style.terms.touch = { expr = "mean(num(contact))" }
"""


CRITIC = 'observations.critic = { load = "load", change = "delta(action)", goal = "goal" }'
WHAT = ("observations", "critic_observations", "actions", "next_states", "channels", "penalty", "credible")
MIRROR = MirrorMap(
    np.array([0, 2, 1, 3, 4, 5, 7, 6, 10, 9, 8]), np.array([1, -1, -1, 1, 1, -1, 1, 1, -1, 1, -1], np.float32),
    np.arange(8), np.ones(8, np.float32), np.array([2, 1, 0]), np.array([-1, 1, -1], np.float32), 3,
)  # fmt: skip
"""Signed permutations that undo themselves; rows with the first component of `goal - speed` below 0 are mirrored."""


def make_program(more: str = "") -> Any:
    """The program over all of the state's signals, and what it remembers."""
    return RewardProgram(PROGRAM + more).compiled


def make_ensemble(activation: str, seed: int = 0, hidden: tuple[int, ...] = (37, 20), members: int = 4) -> Ensemble:
    """Members away from each other, with normalisers that matter."""
    rng = np.random.default_rng(seed)
    sizes = (STATES + ACTIONS, *hidden, 2 * STATES)

    def normal(*shape: int, scale: float = 1.0) -> np.ndarray:
        return (scale * rng.normal(size=shape)).astype(np.float32)

    weights = [normal(members, a, b, scale=a**-0.5) for a, b in pairwise(sizes)]
    weights[-1] *= 0.3
    return Ensemble(
        weights=weights,
        biases=[normal(members, 1, b, scale=0.1) for b in sizes[1:]],
        log_var_min=normal(STATES, scale=0.5) - 6.0,
        log_var_max=normal(STATES, scale=0.5) - 3.0,
        state_mean=normal(STATES, scale=2.0),
        state_std=np.exp(normal(STATES, scale=0.5)),
        action_mean=normal(ACTIONS, scale=0.1),
        action_std=np.exp(normal(ACTIONS, scale=0.2)),
        activation=activation,
        elites=(2, 0, 3),
    )


def make_actor(observation: int, squashed: float = 0.0) -> Actor:
    """A policy that draws around its mean."""
    rng = np.random.default_rng(7)
    sizes = (observation, 24, ACTIONS)
    return Actor(
        weights=[(rng.normal(size=s) * s[0] ** -0.5).astype(np.float32) for s in pairwise(sizes)],
        biases=[(0.1 * rng.normal(size=b)).astype(np.float32) for b in sizes[1:]],
        activation="elu",
        mean=rng.normal(size=observation).astype(np.float32),
        std=np.full(observation, 0.7, np.float32),
        clip=2.0,
        action_std=np.full(ACTIONS, 0.3, np.float32),
        squashed=squashed,
    )


def make_reward(activation: str = "relu", judges: int = 5, clip: float = 0.95) -> DynamicsReward:
    """Discriminators that find some transitions credible, and others not."""
    rng = np.random.default_rng(3)
    sizes = (2 * STATES + ACTIONS, 24, 16, 1)

    def normal(*shape: int, scale: float = 1.0) -> np.ndarray:
        return (scale * rng.normal(size=shape)).astype(np.float32)

    return DynamicsReward(
        weights=[normal(judges, a, b, scale=a**-0.5) for a, b in pairwise(sizes)],
        biases=[normal(judges, 1, b, scale=0.1) for b in sizes[1:]],
        logit_data=np.abs(normal(judges)) + np.float32(0.3),
        logit_made=-np.abs(normal(judges)) - np.float32(0.3),
        state_mean=normal(STATES),
        state_std=np.exp(normal(STATES, scale=0.5)),
        action_mean=normal(ACTIONS, scale=0.1),
        action_std=np.exp(normal(ACTIONS, scale=0.2)),
        change_mean=normal(STATES, scale=0.1),
        change_std=np.exp(normal(STATES, scale=0.5)),
        activation=activation,
        clip=clip,
    )


def draw_rows(rows: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Start states `[B, S]`, proper ones, and goals `[B, K]`."""
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(rows, STATES)).astype(np.float32)
    states[:, :4] /= np.linalg.norm(states[:, :4], axis=1, keepdims=True)
    states[:, 7:9] = states[:, 7:9] > 0
    states[:, 9:] *= 0.2
    return states, rng.normal(size=(rows, CARRIED)).astype(np.float32)


def assert_near(mine: np.ndarray, theirs: np.ndarray, name: str) -> None:
    """Equal to 1e-5 of the largest number."""
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max(initial=1.0), err_msg=name)


def draw_moments(rows: int, steps: int) -> dict[str, np.ndarray]:
    """Goals that change with every step, and actions before the first."""
    rng = np.random.default_rng(5)
    shapes = {"carried": (steps + 1, rows, CARRIED), "before": (rows, ACTIONS)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def assert_twins(
    model: EnsembleModel, rows: int, steps: int, actor: Actor, moments: bool = False, **options: Any
) -> Imagined:
    """Every step of the core's rollout is what the twin makes of the core's own state before it."""
    states, goals = draw_rows(rows)
    goals = goals if model.program is not None else goals[:, :0]
    given: dict[str, np.ndarray] = draw_moments(rows, steps) if moments else {"carried": goals}
    got = model.rollout(states, steps, actor=actor, **given, **options)
    twin = RolloutReference(model.ensemble, model.state, model.program, critic=model.critic, actor=actor, **options)
    want = twin.run(states, steps, forced=got.next_states, **given)
    for name in ("valid", "terminated", "member", "rejected"):
        np.testing.assert_array_equal(got.arrays[name], want.arrays[name], err_msg=name)
    for name in (*WHAT, "final_observations", "final_critic_observations"):
        assert_near(got.arrays[name], want.arrays[name], name)
    return got
