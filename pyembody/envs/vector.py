"""N environments of one task on one robot: MuJoCo's batch steps, then one program call computes everything else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mujoco
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector import VectorEnv as GymVectorEnv
from gymnasium.vector.utils import batch_space
from mujoco.batch import Batch, SimulationError
from numpy.typing import ArrayLike, NDArray

from ..program import Carried, compile_task
from ..program.rewards import MEMORY, UNTRUSTED
from ..spec.robot import Robot
from ..spec.task import Task
from . import snapshot
from .arguments import command_target, parts_alike, reset_mask, take_actions
from .bindings import Bindings
from .commands import CommandSource, GaitClock, Rows
from .faults import Faults
from .learned import Learned
from .mirror import mirror_map
from .model import build_model
from .provided import provided_signals
from .pushes import Pushes
from .quiet import quiet
from .randomize import Randomizer
from .running import Running
from .sensing import Delay, Sensing
from .skills import SkillSource
from .starts import Starts
from .swap import swap
from .watcher import Watcher

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


class VectorEnv(GymVectorEnv[Floats, Floats, NDArray[Any]]):
    """Gymnasium vector environment. Observations [N, O] and actions [N, A] are float32, rewards [N] float64.

    Args:
        task, robot: specifications, see `pyembody.spec.load_task` and `load_robot`.
        num_envs: number of environments N.
        seed: used by the first reset that is not given one.
        threads: of physics and program; 0 takes all cores this process may use. Results do not depend on it.
        autoreset_mode: any of Gymnasium's three. With SAME_STEP, `final_observations` holds true successors.
        execution: use the robot's stiff execution model instead of the training model.
        randomize: draw the task's randomised model fields and pushes.
        first_env: offset of this instance's random streams (the rank's first environment in data-parallel runs).

    Raises SpecError for an illegal robot-task pair, ValueError for wrong actions.
    """

    def __init__(
        self,
        task: Task,
        robot: Robot,
        num_envs: int = 256,
        *,
        seed: int = 0,
        threads: int = 0,
        autoreset_mode: AutoresetMode = AutoresetMode.SAME_STEP,
        execution: bool = False,
        randomize: bool = True,
        first_env: int = 0,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs: expected at least 1, got {num_envs}")
        self.task, self.robot, self.num_envs = task, robot, num_envs
        self.metadata = {"autoreset_mode": autoreset_mode, "render_modes": []}
        self._mode = autoreset_mode
        self.threads = threads or len(os.sched_getaffinity(0))
        self._seed, self._first_env = seed, first_env
        self._np_random: np.random.Generator | None = None
        self.control_dt = robot.control.control_dt
        self.max_steps = max(1, round(task.episode.length_s / self.control_dt))
        self.seconds = {"physics": 0.0, "program": 0.0}
        self._make_physics(execution, randomize)
        self._make_signals(randomize)
        self.signals = provided_signals(robot, task, self.bindings.constants)
        program = compile_task(task, self.signals, dt=self.control_dt, mirror=robot.mirror)
        self.faults, self.watcher, self.scheduled = Faults(), Watcher(), dict[str, float]()
        self.frozen_statistics = False
        self.gather_statistics: Callable[[Floats], Floats] | None = None
        self.use(Running(program, self.bindings, num_envs, self.threads), task)
        self._make_spaces()

    def _make_physics(self, execution: bool, randomize: bool) -> None:
        task, robot = self.task, self.robot
        self.built = build_model(robot, task, execution=execution)
        self.model: mujoco.MjModel = self.built.model
        self.batch = Batch(self.model, self.num_envs, self.threads)
        self._bad = self.batch.warning[:, mujoco.mjtWarning.mjWARN_BADQPOS : mujoco.mjtWarning.mjWARN_BADQACC + 1, 1]
        self._starts = Starts(task.reset, self.built, self.batch)
        randomize_spec = task.randomize if randomize else type(task.randomize)()
        base = self.model.body(robot.base).id if robot.base else -1
        self._randomizer = Randomizer(randomize_spec, self.batch, self.built.joint_dof, base)
        self._control = self.batch.bind("ctrl")

    def _make_signals(self, randomize: bool) -> None:
        task, n, joints = self.task, self.num_envs, len(self.robot.joints)
        self.action = np.zeros((n, joints), np.float32)
        self._commands = CommandSource(task.command, n, self.control_dt) if task.command else None
        self._clock = GaitClock(task.clock, n, self.control_dt) if task.clock else None
        self._pushes = Pushes(task.push, n, self.control_dt) if task.push and randomize and self.robot.base else None
        self._delay = Delay(task.delay_steps, n, joints)
        self.skills = SkillSource(task.skills, n) if task.skills else None
        self.command: Floats = self._commands.command if self._commands else np.zeros((n, 0), np.float32)
        self._learned = Learned(task.learned, n, self.control_dt)
        self._truncation = np.zeros((n, 1), np.bool_)
        own: dict[str, NDArray[Any]] = {"action": self.action, "truncated": self._truncation, **self._learned.arrays}
        for source in (self._commands, self._clock, self.skills):
            own |= source.arrays if source else {}
        self.bindings = Bindings(self.built, self.batch, own)

    def use(self, running: Running, task: Task, before: Sensing | None = None) -> None:
        """Let a program pay from now on; `swap_program` is the way for users."""
        self.task, self.running, n = task, running, self.num_envs
        self.program = program = running.program
        self.channel_names, self.term_names = program.channel_names, program.term_names
        self.metric_names, self.termination_names = program.metric_names, program.termination_names
        self.line_names = program.line_names
        self.params, self.outputs = running.params, running.outputs.groups
        self.raw, self.weighted, self.channels = (self.outputs[name] for name in ("raw", "weighted", "channels"))
        self.lines: Floats = self.outputs.get("lines", np.zeros((n, 0), np.float32))
        self.metrics: Floats = self.outputs.get("metrics", np.zeros((n, 0), np.float32))
        self.success: Bools = self.outputs["success"][:, 0].view(np.bool_)
        self._terminated: Bools = self.outputs["terminated"][:, 0].view(np.bool_)
        self.flags, self.bad_term = running.outputs.flags, running.outputs.bad_term
        noise = np.concatenate([np.full(b.width, b.noise, np.float32) for b in program.observation_layout["policy"]])
        self._sensing = Sensing(self.outputs["policy"], noise, self.task.history, before)
        self.observations: Floats = self._sensing.output
        self.critic_observations: Floats = self.outputs.get("critic", self.observations)
        self.encoded: Floats = self.outputs.get("encoder", np.zeros((n, 0), np.float32))
        self.mirror = mirror_map(self.task, self.robot, program)

    def _make_spaces(self) -> None:
        n, limit, width = self.num_envs, self.robot.control.action_limit, self.observations.shape[1]
        self.single_observation_space = spaces.Box(-np.inf, np.inf, (width,), np.float32)
        self.single_action_space = spaces.Box(-limit, limit, (self.action.shape[1],), np.float32)
        self.observation_space = batch_space(self.single_observation_space, n)
        self.action_space = batch_space(self.single_action_space, n)
        self._steps, self._done, self._started = np.zeros(n, np.int64), np.zeros(n, np.bool_), False
        self.final_observations, self.final_encoded = np.zeros_like(self.observations), np.zeros_like(self.encoded)
        shared = self.critic_observations is self.observations
        self.final_critic_observations = self.final_observations if shared else np.zeros_like(self.critic_observations)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Start new episodes and return (observations [N, O], info).

        Options: `reset_mask` bool [N] resets only those rows; `command` [3] or [N, 3] and `skill` [Z] or [N, Z] are
        held from then on; `stagger` starts the episode clocks at random steps; `group` starts so many neighbours alike.
        """
        options = options or {}
        mask = reset_mask(options.get("reset_mask"), self.num_envs)
        self.watcher.before_reset(mask)
        rows = np.flatnonzero(mask)
        if seed is not None or self._np_random is None:
            self._reseed(self._seed if seed is None else seed)
        for name, hold in (("command", self.set_command), ("skill", self.set_skill)):
            if name in options:
                hold(options[name])
        for alike in parts_alike(self._rng, options.get("group"), rows):
            self._reset_rows(alike)
        self._done[rows] = False
        if options.get("stagger"):
            self._steps[rows] = self._rng.integers(0, self.max_steps, len(rows))
        self._started = True
        return self.observations.copy(), self._info()

    def step(self, actions: ArrayLike) -> tuple[Floats, NDArray[np.float64], Bools, Bools, dict[str, Any]]:
        """Apply actions [N, A] for one control step.

        Returns observations [N, O], rewards [N] (sum over channels), terminated [N], truncated [N], info.
        """
        if not self._started:
            raise RuntimeError("step: call reset first")
        self.watcher.before_step()
        take_actions(actions, self.robot.control.action_limit, self.action)
        diverged = self._physics()
        if self._commands:
            self._commands.advance(self._rng)
            if self._clock:
                self._clock.advance(self._commands.moving)
        self._steps += 1
        self._learned.advance()
        self.bindings.refresh()
        self._truncation[:, 0] = (self._steps >= self.max_steps) | self.bindings.off_ground()
        start = time.perf_counter()
        self.running.evaluator.step()
        if not self.frozen_statistics and self.program.moment_params:
            values: Floats = self.outputs["statistics"]
            values = self.gather_statistics(values) if self.gather_statistics else values
            self.running.moments.update(values, self.params)
        self.seconds["program"] += time.perf_counter() - start
        self._sensing.step(self._rng)
        return self._finish(diverged)

    def _finish(self, diverged: Bools) -> tuple[Floats, NDArray[np.float64], Bools, Bools, dict[str, Any]]:
        if self.flags.any():
            self.faults.record(self.running, self._steps)
        ending = UNTRUSTED if self.task.guard == "terminate" else MEMORY
        terminated = self._terminated | diverged | ((self.flags & ending) != 0)
        truncated = self._truncation[:, 0] & ~terminated
        if self._mode == AutoresetMode.NEXT_STEP and self._done.any():
            rows = np.flatnonzero(self._done)
            self._reset_rows(rows)
            self.raw[rows] = self.weighted[rows] = self.channels[rows] = self.lines[rows] = 0
            terminated[rows] = truncated[rows] = False
        rewards = self.channels.sum(axis=1, dtype=np.float64)
        np.logical_or(terminated, truncated, out=self._done)
        info = self._info()
        self.watcher.after_step(terminated, truncated)
        if self._mode == AutoresetMode.SAME_STEP and self._done.any():
            self._finish_episodes(info)
        return self.observations.copy(), rewards, terminated, truncated, info

    def _finish_episodes(self, info: dict[str, Any]) -> None:
        """Keep the true successors of finished rows, then start their next episodes."""
        rows = np.flatnonzero(self._done)
        self.final_observations[rows], self.final_encoded[rows] = self.observations[rows], self.encoded[rows]
        self.final_critic_observations[rows] = self.critic_observations[rows]
        final = np.full(self.num_envs, None, dtype=object)
        final[rows] = list(self.observations[rows].copy())
        mask = self._done.copy()
        info["final_info"] = {k: v.copy() for k, v in info.items()}
        info |= {"final_obs": final, "_final_obs": mask, "_final_info": mask.copy()}
        self._reset_rows(rows)

    def _physics(self) -> Bools:
        """Step the batch; return which rows diverged."""
        self._control[:] = self.built.control(self._delay(self.action))
        if self._pushes:
            self._pushes.step(self._rng, self.batch, self.built)
        before, failed = self._bad.sum(axis=1), np.zeros(self.num_envs, np.bool_)
        start = time.perf_counter()
        try:
            with quiet():
                self.batch.step(nstep=self.built.decimation)
        except SimulationError as error:
            failed[error.ids] = True
        self.seconds["physics"] += time.perf_counter() - start
        diverged: Bools = failed | (self._bad.sum(axis=1) > before)
        if diverged.any():
            self.faults["diverged"] += int(diverged.sum())
        return diverged

    def _reset_rows(self, rows: Rows) -> None:
        mask = np.zeros(self.num_envs, np.bool_)
        mask[rows] = True
        self.batch.reset(ids=rows, stage=mujoco.mjtStage.mjSTAGE_NONE.value)
        self._starts.write(self._rng, rows)
        self._randomizer.draw(self._rng, rows)
        self.action[rows] = 0
        self._control[rows] = self.built.control(self.action[rows])
        self._delay.reset(self._rng, rows)
        for source in (self._commands, self._pushes, self.skills):
            if source:
                source.reset(self._rng, rows)
        if self._clock:
            self._clock.reset(rows)
        self._steps[rows] = self._truncation[rows] = 0
        self.batch.forward(ids=rows)
        self.bindings.refresh()
        self.running.evaluator.reset(mask)
        self._sensing.reset(self._rng, rows)

    def _info(self) -> dict[str, Any]:
        return {name: getattr(self, name).copy() for name in ("channels", "metrics", "success")}

    def set_command(self, command: ArrayLike | None) -> None:
        """Hold the command's target at `command` ([3] or [N, 3]; still slew-limited), or release it with None."""
        if self._commands is None:
            raise ValueError(f"command: task {self.task.name} has no commands")
        self._commands.hold(command_target(command, self.command.shape))

    def set_skill(self, skill: ArrayLike | None) -> None:
        """Hold a skill, [Z] or [N, Z], from now on, or let resets draw again with None. Raises ValueError."""
        if self.skills is None:
            raise ValueError(f"skill: task {self.task.name} has no skills")
        self.skills.hold(skill)

    def set_params(self, edits: Mapping[str, ArrayLike]) -> None:
        """Change parameters and weights, from the next step on; `per_env` ones may be arrays [N]. Raises SpecError."""
        self.program.set_params(self.params, edits, self.running.rows)

    def swap_program(self, task: Task) -> Carried:
        """Let another text of the running task pay, judge and observe from the next step on; episodes go on.

        Memories of expressions that both have go on, others begin from the present signals; weights and parameters of
        one name, and statistics of one value, keep what they are. Return which memories went on. Raises SpecError for
        a task that simulates or gates otherwise, observes other blocks, or has channels of other names or discounts.
        """
        if not self._started:
            raise RuntimeError("swap_program: call reset first")
        return swap(self, task)

    @property
    def stage(self) -> NDArray[np.int32]:
        """The number of each environment's stage [N]; zeros for a task without stages."""
        return self.outputs.get("stage", np.zeros((self.num_envs, 1)))[:, 0].astype(np.int32)

    def load_statistics(self, moments: ArrayLike) -> None:
        """Put the running statistics of `normalise` [3, K] of a training in force, for good. Raises SpecError."""
        self.running.load_moments(moments)
        self.frozen_statistics = True

    def follow_schedules(self, steps: float) -> None:
        """Set the parameters that the task schedules to their values after `steps` environment steps of training."""
        self.scheduled = self.program.scheduled(steps)
        self.set_params(self.scheduled)

    def set_learned(self, name: str, values: ArrayLike, version: str = "") -> None:
        """Write a learned signal [N] of the task's `version`; paid until older than `max_age`. Raises SpecError."""
        self._learned.write(name, values, version)

    def signal(self, name: str) -> NDArray[Any]:
        """Return the present values [N, lanes] of a signal that the program or the robot reads from the simulation."""
        return self.bindings.array(name)

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Return copies of everything that changes while the environments run, random numbers included."""
        return snapshot.save(self)

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue exactly where `state_dict` was taken. Raises SpecError for missing or misshapen arrays."""
        if self._np_random is None:
            self._reseed(self._seed)
        snapshot.load(self, state)
        self._started = True

    def _reseed(self, seed: int | Sequence[int | None]) -> None:
        parts = [seed] if isinstance(seed, int) else [s or 0 for s in seed]
        self._np_random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([*parts, self._first_env])))
        self._np_random_seed = parts[0]

    @property
    def _rng(self) -> np.random.Generator:
        assert self._np_random is not None
        return self._np_random
