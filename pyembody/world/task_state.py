"""A task in a world model: which of its values the model predicts, and its program over these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from ..data.header import Field
from ..data.recorder import describe, field_of
from ..envs.given import GIVEN
from ..program import CompiledTask, compile_task
from ..spec.errors import SpecError
from ..spec.signal import Signal
from .ensemble import Ensemble
from .model_state import ACTION, TRUNCATED, ModelState, own_columns
from .rollout import EnsembleModel, needed

if TYPE_CHECKING:
    from ..envs.vector import VectorEnv


class TaskState:
    """What of a task a model predicts: `names`, its signals and `[let]`s, side by side.

    `shown` is the program that gives them, `program` the task's over them in place of the simulator: a task is legal on
    a model if it reads nothing else but its action and what goes on by a rule of its own. `fields` and `state` describe
    the same numbers.
    """

    def __init__(self, env: VectorEnv, names: Sequence[str], place: str) -> None:
        """`names` are by default the simulated signals that the task reads; `place` asks for them.

        Raises SpecError naming a signal that is not known, not simulated, or missing.
        """
        self._env, self._place = env, place
        self.critic = "critic" if env.critic_observations is not env.observations else ""
        if env.task.history > 1:
            raise SpecError(f"{place}: history: expected observations of one moment, got {env.task.history}")
        self.names = tuple(names) or self._simulated(env.program)
        self.shown = env.program.showing(self.names, place)
        self._texts = {n: env.task.let[n] for n in self.names if n in env.task.let}
        self._check_given()
        self._seen, self._program = env.program, self._compiled()
        signals = tuple(env.program.named[n].signal for n in self.names)
        self.state = ModelState(signals, tuple(self._carried()))
        self.fields: tuple[Field, ...] = tuple(field_of(s, "state", bool(env.robot.base)) for s in signals)

    @property
    def program(self) -> CompiledTask:
        """The environment's present program, over the model's state.

        Raises SpecError where a text of the state was changed meanwhile: the model still predicts what it was.
        """
        if self._env.program is not self._seen:
            self._seen, self._program = self._env.program, self._compiled()
        return self._program

    def model(self, ensemble: Ensemble, threads: int = 1) -> EnsembleModel:
        """Return what imagines with an ensemble of the state."""
        return EnsembleModel(ensemble, self.state, self.program, critic=self.critic, threads=threads)

    def _compiled(self) -> CompiledTask:
        env, task = self._env, self._env.task
        for name, text in self._texts.items():
            if task.let.get(name) != text:
                raise SpecError(f"{self._place}: let.{name} is part of the model's state: expected '{text}' to stay")
        lets = {name: text for name, text in task.let.items() if name not in self.names}
        signals = dict(env.signals) | {name: env.program.named[name].signal for name in self.names}
        return compile_task(replace(task, let=lets), signals, dt=env.control_dt, mirror=env.robot.mirror)

    def _check_given(self) -> None:
        for name in self.names:
            for read in sorted(self._env.program.named[name].reads):
                if read in (*GIVEN, ACTION, TRUNCATED) or read.startswith("learned."):
                    which = f"'{name}'" if read == name else f"'{name}' reads '{read}', which"
                    raise SpecError(f"{self._place}: {which} is given from outside, not predicted")

    def _simulated(self, program: CompiledTask) -> tuple[str, ...]:
        known = {f.name for f in describe(self._env).fields if f.role == "state"}
        return tuple(s.name for s in inputs_of(program, self.critic) if s.name in known)

    def _carried(self) -> list[Signal]:
        """Signals that the program reads beside the state's."""
        env = self._env
        simulated = {f.name for f in describe(env).fields if f.role == "state"}
        carried = [s for s in inputs_of(self.program, self.critic) if s.name not in self.names]
        for signal in carried:
            if signal.name in simulated:
                got = list(self.names)
                raise SpecError(f"{self._place}: expected '{signal.name}' among them, which the task reads; got {got}")
            if signal.name not in GIVEN:
                raise SpecError(
                    f"{self._place}: expected a task that reads what a model predicts, got one that reads"
                    f" '{signal.name}'"
                )
        return carried


def inputs_of(program: CompiledTask, critic: str = "") -> list[Signal]:
    """Return the signals that imagined observations, channels and terminations ask for, but for those that a rollout
    provides by itself.
    """
    own: set[Any] = {ACTION, TRUNCATED, *own_columns(program)}
    return [s for s in needed(program, critic=critic).inputs if s.name not in own]
