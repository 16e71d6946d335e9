"""Candidates paid by a task's own program, in two models of the same robot: the simulator, and a fitted ensemble.

A candidate's cost is what its steps are paid in all channels, negated, up to where it terminates.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from ..envs.vector import VectorEnv
from ..program import CompiledTask
from ..spec import Task
from ..spec.errors import SpecError
from ..world import EnsembleModel, ModelState, WorldModel
from ..world.rollout import Propagation
from .imagined import Start
from .samplers import Plan, Sampler

Floats = NDArray[np.float64]
PAYS = ("channels", "terminated")


@dataclass(frozen=True)
class TaskStart(Start):
    """Where candidates begin: the simulator's whole state as a `row`, and the signals `state [S]` of a world model."""

    row: Floats = field(default_factory=lambda: np.zeros(0))
    state: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))


def look(env: VectorEnv, state: ModelState | None = None) -> TaskStart:
    """Return where the first row of an environment is; with a model's `state` also as that model sees it."""
    row = np.array(env.batch.state[0], np.float64)
    names = () if state is None else tuple(s.name for s in state.predicted)
    signals = [env.signal(name)[0].ravel() for name in names]
    seen = np.concatenate(signals, dtype=np.float32) if signals else np.zeros(0, np.float32)
    action, none = env.action[0].astype(np.float64), np.zeros(0)
    qpos, qvel = (np.array(env.batch.bind(name)[0]) for name in ("qpos", "qvel"))
    return TaskStart(qpos, qvel, action, none, 0.0, row, seen)


def check_plannable(program: CompiledTask, task: Task) -> None:
    """Raise SpecError for a task whose pay is not a function of states and actions alone."""
    place = f"task '{task.name}'"
    if program.only([n for n in PAYS if n in program.groups]).build().state_slots:
        raise SpecError(f"{place}: expected terms without memory, as planners pay imagined states")
    if task.command is not None or task.clock is not None or task.delay_steps != (0, 0):
        raise SpecError(f"{place}: expected no commands, clocks and delays, which candidates do not go on with")


class SimulatedTask:
    """Rollouts of candidates in environments of their own, one each; exact, as the model is what acts."""

    state = None

    def __init__(self, env: VectorEnv, threads: int = 1) -> None:
        """`env` is what acts. Raises SpecError for a task that cannot be planned so."""
        check_plannable(env.program, env.task)
        self.dt, self.threads = float(env.control_dt), threads
        self._acting, self._env = env, env

    def costs(self, start: Start, controls: Floats, sampler: Sampler | None = None, plan: Plan | None = None) -> Floats:
        """Return the mean cost `[N]` of actions `[N, T, A]`; none is dropped, as pay is no sum that only grows."""
        del sampler, plan
        assert isinstance(start, TaskStart)
        count, horizon = controls.shape[:2]
        env = self._of(count)
        env.reset(seed=0)
        env.batch.state[:] = start.row
        paid, goes_on = np.zeros(count), np.ones(count, np.bool_)
        for t in range(horizon):
            _, rewards, terminated, _, _ = env.step(controls[:, t])
            paid += np.where(goes_on, rewards, 0.0)
            goes_on &= ~terminated
        costs: Floats = -paid / horizon
        return costs

    def close(self) -> None:
        """Let the environments go."""
        if self._env is not self._acting:
            self._env.close()

    def _of(self, count: int) -> VectorEnv:
        """As many environments as there are candidates."""
        acting = self._acting
        if self._env is acting or self._env.num_envs != count:
            self.close()
            mode = AutoresetMode.DISABLED
            self._env = VectorEnv(
                acting.task, acting.robot, count, threads=self.threads, autoreset_mode=mode, randomize=False
            )
            self._env.params[:] = acting.params
        return self._env


class ImaginedTask:
    """Rollouts of candidates in a world model, paid by the task's program; the same bits for any number of threads.

    `propagation` says how the next state comes, see `EnsembleModel.rollout`; `mean` has no noise.
    """

    def __init__(
        self, env: VectorEnv, model: WorldModel, *, propagation: Propagation = "mean", seed: int = 0, threads: int = 1
    ) -> None:
        """`env` is what acts. Raises SpecError for a model of another robot, of values that were not read from
        the simulation as they are, or without a signal that the task reads.
        """
        check_plannable(env.program, env.task)
        if model.spec.robot != env.robot.name or model.spec.actions != env.action.shape[1]:
            told = f"{model.spec.robot} with {model.spec.actions} actions"
            raise SpecError(f"model: expected one of {env.robot.name} with {env.action.shape[1]} actions, got {told}")
        self.dt = float(env.control_dt)
        for name in model.names:
            env.signal(name)  # bound now, so that what is copied is there when it is looked at
        self.state = ModelState(tuple(env.signals[name] for name in model.names))
        env.bindings.refresh()
        program = env.program.only([name for name in PAYS if name in env.program.groups])
        self.model = EnsembleModel(model.ensemble, self.state, program, threads=threads)
        self.params, self.seed, self.propagation = env.params, seed, propagation

    def costs(self, start: Start, controls: Floats, sampler: Sampler | None = None, plan: Plan | None = None) -> Floats:
        """Return the mean cost `[N]` of actions `[N, T, A]`, infinite where the model left the finite numbers."""
        del sampler, plan
        assert isinstance(start, TaskStart)
        count, horizon = controls.shape[:2]
        found = self.model.rollout(
            np.tile(start.state, (count, 1)), horizon, actions=np.ascontiguousarray(controls, np.float32),
            params=self.params, seed=self.seed, propagation=self.propagation, noise=self.propagation != "mean",
        )  # fmt: skip
        costs: Floats = -found.channels.sum(axis=(0, 2), dtype=np.float64) / horizon
        costs[~found.valid[-1] & ~found.terminated.any(0)] = np.inf
        return costs
