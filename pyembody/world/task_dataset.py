"""A dataset whose states are values of its task: also `[let]`s and derived signals, which were not recorded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data.dataset import Arrays, Dataset
from ..data.header import Field
from ..data.recorder import field_of
from ..data.shard import FINAL, SIGNAL
from ..envs.vector import VectorEnv
from ..program import CompiledTask
from ..spec.errors import SpecError
from ..spec.load import load_robot, load_task, spec_hash

Array = npt.NDArray[Any]


class TaskDataset(Dataset):
    """Runs of the task of `env`, an environment of its robot; names of a state are signals and lets of that task."""

    def __init__(self, folder: Path | str, env: VectorEnv) -> None:
        """Raises SpecError for runs of another robot or task."""
        super().__init__(folder)
        self._env = env
        header = self.header
        for what, got, expected in (
            ("robot", header.robot, env.robot.name),
            ("task", header.task, env.task.name),
            ("hash of the task", header.task_hash, spec_hash(env.task)),
        ):
            if got != expected:
                told = "" if what == "robot" else "; of a task that was edited, name recorded signals"
                raise SpecError(f"{folder}: {what}: expected {expected}, got {got}{told}")

    def state_fields(self, names: Sequence[str] = ()) -> tuple[Field, ...]:
        """Return what the state is made of, as `Dataset` does."""
        if self._recorded(names):
            return super().state_fields(names)
        shown = self._env.program.showing(names, str(self.folder))
        recorded = {f.name for f in self.header.fields}
        for signal in shown.inputs:
            if signal.name not in recorded:
                raise SpecError(f"{self.folder}: expected a dataset with '{signal.name}', which a state reads")
        floating = bool(self._env.robot.base)
        return tuple(field_of(self._env.program.named[name].signal, "state", floating) for name in names)

    def seen(self, group: str) -> tuple[Array, Array]:
        """Return what a group of the task's program shows before and after each step `[M, W]`, by all that was
        recorded; a recorded one has its noise.
        """
        if group == "policy":
            rows = self.transitions(observations=True)
            return rows.state, rows.successor
        parts = [self._pairs(arrays, self._env.program.only([group]), group) for arrays in self.shards()]
        before, after = (np.concatenate(part) for part in zip(*parts, strict=True))
        return before, after

    def _recorded(self, names: Sequence[str]) -> bool:
        known = {f.name for f in self.header.fields}
        return set(names) <= known

    def _columns(self, arrays: Arrays, names: Sequence[str], observations: bool) -> tuple[Array, Array]:
        if observations or self._recorded(names):
            return super()._columns(arrays, names, observations)
        shown = self._env.program.showing(names, str(self.folder))
        (group,) = shown.groups
        return _evaluated(shown, arrays, SIGNAL, group), _evaluated(shown, arrays, FINAL, group)

    def _pairs(self, arrays: Arrays, program: CompiledTask, group: str) -> tuple[Array, Array]:
        present = _evaluated(program, arrays, SIGNAL, group)
        successor = present[1:].copy()
        successor[arrays["terminated"] | arrays["truncated"]] = _evaluated(program, arrays, FINAL, group)
        width = present.shape[2]
        return present[:-1].reshape(-1, width), successor.reshape(-1, width)


def open_dataset(folder: Path | str, names: Sequence[str] = ()) -> Dataset:
    """Return a dataset of which states of `names` can be read: of its task, if some were not recorded."""
    plain = Dataset(folder)
    header = plain.header
    if set(names) <= {f.name for f in header.fields}:
        return plain
    return TaskDataset(folder, VectorEnv(load_task(header.task, header.variant), load_robot(header.robot), 1))


def _evaluated(program: CompiledTask, arrays: Arrays, prefix: str, group: str) -> Array:
    """A group of a program on recorded signals, each moment by itself: `[T + 1, N, W]`, or `[M, W]` of final ones."""
    signals = {s.name: arrays[prefix + s.name] for s in program.inputs if prefix + s.name in arrays}
    final = prefix == FINAL
    rows = {name: np.ascontiguousarray(x[None] if final else x) for name, x in signals.items()}
    shape = next(iter(rows.values())).shape[:2]
    if 0 in shape:
        return np.zeros((0, program.groups[group].width), np.float32)
    found: Array = program.evaluate_log(rows, np.ones(shape, np.bool_)).groups[group]
    return found[0] if final else found
