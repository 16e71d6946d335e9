"""What every side imagines: 30 numbers of state, 12 of action, a commanded velocity, five reward terms."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...program import CompiledTask
from ...program.reward_program import RewardProgram
from ...spec.signal import Signal
from ...world import Actor, Ensemble, EnsembleModel, ModelState
from ...world.reward import DynamicsReward

Floats = NDArray[np.float32]
DT, JOINTS, FEET = 0.02, 12, 4
MEMBERS, ELITES = 7, (0, 2, 3, 5, 6)
JUDGES, JUDGES_HIDDEN = 10, (64, 64)
POLICY = (256, 256)
STD = 0.2
"""Of the policy's actions."""
SIGNALS = (
    Signal("base_lin_vel", "vector", 3),
    Signal("base_ang_vel", "vector", 3),
    Signal("projected_gravity", "vector", 3),
    Signal("height"),
    Signal("joint_pos", "vector", JOINTS),
    Signal("foot_force", "vector", 2 * FEET),
)
COMMAND = Signal("command", "vector", 3)
STATES = sum(s.lanes for s in SIGNALS)
PROGRAM = """
[terminations]
fallen = "projected_gravity[2] > 50"

[observations.policy]
all = "base_lin_vel"
turns = "base_ang_vel"
level = "projected_gravity"
height = "height"
joints = "joint_pos"
forces = "foot_force"

[channels.task.terms]
velocity = { expr = "exp(-4 * normsq(base_lin_vel[:2] - command[:2]))", weight = 1.5 }
turn = { expr = "exp(-4 * square(base_ang_vel[2] - command[2]))", weight = 0.75 }

[channels.style.terms]
level = { expr = "normsq(projected_gravity[:2])", weight = -2.5 }
height = { expr = "square(height - 0.3)", weight = -20.0 }
rate = { expr = "normsq(delta(action))", weight = -0.01 }
"""


@dataclass(frozen=True)
class Problem:
    """Networks and rows; `hidden` are the members' layers."""

    hidden: tuple[int, ...]
    ensemble: Ensemble
    actor: Actor
    reward: DynamicsReward
    states: Floats
    commands: Floats

    def model(self, threads: int, paid: bool = True) -> EnsembleModel:
        """Return ours; without pay there is no program either."""
        program = compile_reward() if paid else None
        return EnsembleModel(self.ensemble, ModelState(SIGNALS, (COMMAND,) if paid else ()), program, threads=threads)

    @property
    def member_multiply_adds(self) -> int:
        """Of one row through one member."""
        return multiply_adds((STATES + JOINTS, *self.hidden, 2 * STATES))

    @property
    def judge_multiply_adds(self) -> int:
        """Of one candidate through all judges."""
        return JUDGES * multiply_adds((2 * STATES + JOINTS, *JUDGES_HIDDEN, 1))

    @property
    def policy_multiply_adds(self) -> int:
        """Of one row through the policy."""
        return multiply_adds((STATES, *POLICY, JOINTS))


def multiply_adds(sizes: tuple[int, ...]) -> int:
    """Return those of one row through a perceptron."""
    return sum(a * b for a, b in pairwise(sizes))


def compile_reward() -> CompiledTask:
    """Return the program."""
    action = Signal("action", "vector", JOINTS)
    return RewardProgram(PROGRAM, signals={s.name: s for s in (*SIGNALS, COMMAND, action)}, dt=DT).compiled


def draw_problem(hidden: tuple[int, ...], rows: int) -> Problem:
    """Return a model whose states stay near 1 for a hundred steps; always the same one."""
    rng = np.random.default_rng(0)

    def normal(*shape: int, scale: float = 1.0) -> Floats:
        return rng.normal(0.0, scale, shape).astype(np.float32)

    def layers(sizes: tuple[int, ...], groups: int, last: float) -> list[Floats]:
        weights = [normal(groups, a, b, scale=(2.0 / a) ** 0.5) for a, b in pairwise(sizes)]
        weights[-1] *= np.float32(last)
        return weights

    sizes, policy = (STATES + JOINTS, *hidden, 2 * STATES), (STATES, *POLICY, JOINTS)
    ensemble = Ensemble(
        weights=layers(sizes, MEMBERS, 0.01),
        biases=[np.zeros((MEMBERS, 1, b), np.float32) for b in sizes[1:]],
        log_var_min=np.full(STATES, -10.0, np.float32),
        log_var_max=np.full(STATES, -7.0, np.float32),
        state_mean=normal(STATES, scale=0.1),
        state_std=np.ones(STATES, np.float32),
        action_mean=np.zeros(JOINTS, np.float32),
        action_std=np.ones(JOINTS, np.float32),
        activation="silu",
        elites=ELITES,
    )
    actor = Actor(
        weights=[w[0] for w in layers(policy, 1, 0.1)],
        biases=[np.zeros(b, np.float32) for b in policy[1:]],
        activation="elu",
        mean=normal(STATES, scale=0.1),
        std=np.ones(STATES, np.float32),
        action_std=np.full(JOINTS, STD, np.float32),
    )
    judges = (2 * STATES + JOINTS, *JUDGES_HIDDEN, 1)
    reward = DynamicsReward(
        weights=layers(judges, JUDGES, 1.0),
        biases=[np.zeros((JUDGES, 1, b), np.float32) for b in judges[1:]],
        logit_data=np.full(JUDGES, 2.0, np.float32),
        logit_made=np.full(JUDGES, -2.0, np.float32),
        state_mean=ensemble.state_mean,
        state_std=ensemble.state_std,
        action_mean=ensemble.action_mean,
        action_std=ensemble.action_std,
        change_mean=np.zeros(STATES, np.float32),
        change_std=np.full(STATES, 0.05, np.float32),
    )
    return Problem(hidden, ensemble, actor, reward, normal(rows, STATES), normal(rows, 3, scale=0.5))
