"""Another program for running environments: what a task pays and judges changes between two steps, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from ..program import Carried, CompiledTask, compile_task
from ..spec.errors import SpecError
from ..spec.gate import Gate
from ..spec.task import Channel, Task
from .running import Running

if TYPE_CHECKING:
    from .vector import VectorEnv

SIMULATED = (
    "episode", "command", "clock", "reset", "randomize", "push", "terrain", "symmetry", "delay_steps", "history",
    "learned", "signals", "gates", "skills",
)
"""What a task tells the simulation, and the learner's gates."""
LEARNT = ("weight", "gamma", "lam", "episodic", "gate")
"""What a channel tells the learner, which reads it once."""


def swap(env: VectorEnv, task: Task) -> Carried:
    """Let `task` take over in `env`; see `VectorEnv.swap_program`."""
    old, program = env.running, replacement(env, task)
    new = Running(program, env.bindings, env.num_envs, env.threads)
    _keep_params(old, new)
    carried = _keep_state(old, new)
    for name, group in program.groups.items():
        if group.on_reset and name in old.program.groups:
            new.outputs.groups[name][:] = old.outputs.groups[name]
    env.use(new, task, env._sensing)
    return carried


def replacement(env: VectorEnv, task: Task) -> CompiledTask:
    """Return the program of a task that may take over in `env`. Raises SpecError for one that may not."""
    check_settled(env.task, task)
    program = compile_task(task, env.signals, dt=env.control_dt, mirror=env.robot.mirror)
    for what in ("channel_names", "observation_layout"):
        here, there = getattr(env.program, what), getattr(program, what)
        if here != there:
            place, wanted = f"{task.name}: {what.replace('_', ' ')}", "those of the running task"
            raise SpecError(f"{place}: expected {wanted}, {_shown(here)}, got {_shown(there)}")
    return program


def check_settled(running: Task, task: Task) -> None:
    """Raise SpecError where a task tells simulation or learner something else than the running one."""
    for name in SIMULATED:
        if getattr(task, name) != getattr(running, name):
            raise SpecError(f"{task.name}: {name}: expected what the running task says; make a new environment for it")
    for name in task.channels.keys() & running.channels.keys():
        for key in LEARNT:
            if _learnt(task.channels[name], key) != _learnt(running.channels[name], key):
                place = f"{task.name}: channels.{name}.{key}"
                raise SpecError(f"{place}: expected what the running task says; start a new training for it")


def _learnt(channel: Channel, key: str) -> object:
    """What a learner reads; of what a gate waits for only whether there is something: the program watches it."""
    value = getattr(channel, key)
    return replace(value, when=str(bool(value.when))) if isinstance(value, Gate) else value


def _keep_params(old: Running, new: Running) -> None:
    """Parameters of one name keep their present value, and running statistics of one value theirs."""
    program, moments = new.program, {i for pair in new.program.moment_params for i in pair}
    kept = [p for p in program.params.values() if p.name in old.program.params and p.index not in moments]
    program.set_params(new.params, {p.name: old.params[old.program.params[p.name].index] for p in kept}, new.rows)
    for name in old.rows.keys() & new.rows.keys():
        new.rows[name][:] = old.rows[name]
    program.carry_moments(new.moments, old.program, old.moments)
    new.moments.write(new.params)


def _keep_state(old: Running, new: Running) -> Carried:
    """Memories of both go on, the others begin from the present signals."""
    new.evaluator.reset(np.ones(old.state.n, np.bool_))
    return new.program.carry_state(new.state, old.program, old.state)


def _shown(value: object) -> str:
    names = [*value] if isinstance(value, dict | tuple) else [value]
    return ", ".join(map(str, names))
