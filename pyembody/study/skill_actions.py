"""Acting through skills: a policy that picks a skill every few steps, and a frozen one that does it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from ..envs import VectorEnv
from ..envs.skills import SHORTEST, all_skills
from ..learn import RunSpec, load_policy, read_run
from ..learn.runner import task_env
from ..program.compiled import Block
from ..spec import Skills, SpecError
from ..spec.errors import unknown
from ..spec.skills import SIGNAL

Array = npt.NDArray[Any]
Act = Any
"""A policy: actions of observations `[N, O]`."""
LIMIT = 2.0
"""Of each number that names a skill: its direction or its greatest one counts."""
Layout = tuple[Block, ...]


def named_by(spec: Skills, actions: Array) -> Array:
    """Return the skills `[N, Z]` that `actions [N, Z]` name: their directions, or the discrete one that is greatest."""
    actions = np.asarray(actions, np.float32)
    if spec.prior == "discrete":
        chosen: Array = all_skills(spec)[actions.argmax(axis=1)]
        return chosen
    length = np.linalg.norm(actions, axis=1, keepdims=True)
    first = np.eye(1, spec.size)
    found: Array = np.where(length > SHORTEST, actions / np.maximum(length, SHORTEST), first).astype(np.float32)
    return found


class Doer:
    """A frozen policy with skills on another task's observations, of which it reads those that it was trained on."""

    def __init__(self, policy: Act, spec: Skills, trained_on: Layout, given: Layout) -> None:
        """Raises SpecError for an observation that the other task does not give."""
        self.policy, self.spec = policy, spec
        there = {b.name: b for b in given}
        self._columns = np.concatenate([_columns(b, there) for b in trained_on])

    def __call__(self, observations: Array, skills: Array) -> Array:
        """Return actions `[N, A]` for the other task's `observations [N, O]` and `skills [N, Z]`."""
        rows = np.take(observations, np.maximum(self._columns, 0), axis=1)
        rows[:, self._columns < 0] = skills
        found: Array = self.policy(rows)
        return found


def _columns(block: Block, there: Mapping[str, Block]) -> Array:
    if block.name == SIGNAL:
        return np.full(block.width, -1)
    if block.name not in there:
        raise unknown("skills: observations.policy", "observation", block.name, there)
    if there[block.name].width != block.width:
        raise SpecError(
            f"skills: observations.policy.{block.name}: expected {block.width} numbers, got {there[block.name].width}"
        )
    return np.arange(there[block.name].start, there[block.name].start + block.width)


class SkillPolicy:
    """Picks a skill with `chooser` every `every` steps of an episode and does it: a policy of the plain environment."""

    def __init__(self, chooser: Act, doer: Doer, every: int) -> None:
        self.chooser, self.doer, self.every = chooser, doer, every
        self._steps = np.zeros(0, np.int64)
        self._skills = np.zeros((0, doer.spec.size), np.float32)

    def __call__(self, observations: Array) -> Array:
        """Return actions `[N, A]` for observations `[N, O]`, one call a step."""
        if len(self._steps) != len(observations):
            self._steps = np.zeros(len(observations), np.int64)
            self._skills = np.zeros((len(observations), self.doer.spec.size), np.float32)
        due = self._steps % self.every == 0
        if due.any():
            self._skills[due] = named_by(self.doer.spec, self.chooser(observations[due]))
        self._steps += 1
        return self.doer(observations, self._skills)

    def forget(self, ended: Array | None = None) -> None:
        """Episodes begin in the rows of `ended [N]` bool, in all for None."""
        self._steps[slice(None) if ended is None else ended] = 0


class SkillEnv:
    """Environments whose actions `[N, Z]` name a skill that is done for `every` steps; a learner's environment.

    What an action is paid is the sum over its steps. Episodes are to be whole multiples of `every` steps; one that ends
    between (a simulation that diverged) is paid up to there.
    """

    mirror = None

    def __init__(self, env: VectorEnv, doer: Doer, every: int) -> None:
        """Raises SpecError for an episode that is no multiple of `every` steps."""
        if env.max_steps % every:
            raise SpecError(f"every: expected a divisor of the {env.max_steps} steps of an episode, got {every}")
        self.env, self.doer, self.every = env, doer, every
        self.num_envs, self.max_steps = env.num_envs, env.max_steps // every
        self.control_dt = env.control_dt * every
        self.single_action_space = spaces.Box(-LIMIT, LIMIT, (doer.spec.size,), np.float32)
        self.channel_names, self.term_names = env.channel_names, env.term_names
        self.metric_names, self.line_names = env.metric_names, env.line_names
        self.channels, self.weighted, self.lines = (np.zeros_like(x) for x in (env.channels, env.weighted, env.lines))
        self.metrics = np.zeros_like(env.metrics)
        # shared with the plain environment, which writes them in place
        self.observations, self.critic_observations = env.observations, env.critic_observations
        self.final_observations = env.final_observations
        self.final_critic_observations = env.final_critic_observations
        self.seconds, self.faults = env.seconds, env.faults

    def reset(self, *, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Start new episodes, all of them at their beginning: skills last whole numbers of their steps."""
        return self.env.reset(options={k: v for k, v in (options or {}).items() if k != "stagger"})

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Do the skills that `actions [N, Z]` name; return as `VectorEnv.step` does."""
        skills, sums = named_by(self.doer.spec, actions), (self.channels, self.weighted, self.lines)
        for total in (*sums, self.metrics):
            total[:] = 0
        terminated, truncated, success = (np.zeros(self.num_envs, np.bool_) for _ in range(3))
        for _ in range(self.every):
            going = ~(terminated | truncated)
            _, _, ended, cut, info = self.env.step(self.doer(self.observations, skills))
            for total, part in zip(sums, (info["channels"], self.env.weighted, self.env.lines), strict=True):
                total[going] += part[going]
            self.metrics[going] += info["metrics"][going] / self.every
            success[going] = info["success"][going]
            terminated, truncated = terminated | (ended & going), truncated | (cut & going)
        rewards = self.channels.sum(axis=1, dtype=np.float64)
        told = {"channels": self.channels.copy(), "metrics": self.metrics.copy(), "success": success}
        return self.observations.copy(), rewards, terminated, truncated, told

    def state_dict(self) -> dict[str, Array]:
        """Return what changes; skills are chosen anew in each step."""
        return self.env.state_dict()

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Continue where `state_dict` was taken."""
        self.env.load_state_dict(state)


class FrozenSkills:
    """The skills of a kept run, each done for `every` steps: how to learn to choose among them, and then to act."""

    def __init__(self, run: Path, every: int) -> None:
        """Raises SpecError for a run without skills."""
        self.every, self._policy, spec = every, load_policy(run), read_run(run)
        if spec.task.skills is None:
            raise SpecError(f"{run}: skills_of: expected a run of a task with [skills], got {spec.task.name}")
        if getattr(spec.train, "memory", 0):
            raise SpecError(f"{run}: skills_of: expected a policy without memory")
        self._skills = spec.task.skills
        self._layout = VectorEnv(spec.task, spec.robot, 1).program.observation_layout["policy"]

    def make_env(self, spec: RunSpec, num_envs: int, threads: int, first_env: int) -> SkillEnv:
        """Return the environments of a run, acted in through skills. Raises SpecError for what skills cannot act in."""
        for wrong, what in (
            (getattr(spec.train, "memory", 0), "a policy without memory"),
            (spec.task.schedules, "a task without [schedules]"),
            (spec.task.terminations, "a task without terminations"),
        ):
            if wrong:
                raise SpecError(f"skills_of: expected {what}")
        env = task_env(spec, num_envs, threads, first_env)
        return SkillEnv(env, self._doer(env), self.every)

    def policy(self, chooser: Act, env: VectorEnv) -> SkillPolicy:
        """Return what `chooser` and the skills do together, as a policy of `env`."""
        return SkillPolicy(chooser, self._doer(env), self.every)

    def _doer(self, env: VectorEnv) -> Doer:
        return Doer(self._policy, self._skills, self._layout, env.program.observation_layout["policy"])
