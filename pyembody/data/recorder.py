"""Writing an environment's steps to disk while it runs, whoever drives it."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode
from msgspec.structs import replace

from ..envs.watcher import Watcher
from ..spec.errors import SpecError
from ..spec.load import spec_hash
from ..spec.signal import Signal
from .header import HEADER, Field, Header, Role, Shard, write_header
from .shard import FINAL, LAST, OBSERVATIONS, SIGNAL, write_shard

if TYPE_CHECKING:
    from ..envs.vector import VectorEnv

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
SHARD_ROWS, LEAST_STEPS = 16_384, 128


class Recorder(Watcher):
    """Records all rows of `env` into the new folder `path`: signals, observations, actions, channels and ends.

    It copies numbers as the environment steps and writes full shards in a thread of its own. Use it in a `with` block
    or call `close`, which writes what is left; a dataset that was cut short holds its full shards. An environment that
    is reset from outside ends the episodes there, as truncated.
    """

    def __init__(
        self,
        env: VectorEnv,
        path: Path | str,
        *,
        kind: str = "",
        seeds: tuple[int, ...] = (),
        source: str = "",
        every: int = 1,
        steps: int = 0,
        rows: int = 0,
    ) -> None:
        """`every`: one block of `steps` steps in so many is kept (0: as many as fill a shard), of the first `rows`
        environments (0: all).

        Raises SpecError for a folder that holds something, ValueError for an environment that is recorded already or
        does not reset finished rows within the step.
        """
        if env.metadata["autoreset_mode"] != AutoresetMode.SAME_STEP:
            raise ValueError(f"env: expected AutoresetMode.SAME_STEP, got {env.metadata['autoreset_mode']}")
        if type(env.watcher) is not Watcher:
            raise ValueError("env: expected one that nothing watches, got one that is recorded already")
        if every < 1:
            raise ValueError(f"every: expected at least 1, got {every}")
        if not 0 <= rows <= env.num_envs:
            raise ValueError(f"rows: expected at most {env.num_envs}, got {rows}")
        self.folder, self.source = new_folder(Path(path)), source
        self.header = describe(env, kind, seeds)
        self._env, self._every = env, every
        self._rows = rows or env.num_envs
        self._steps = steps or max(LEAST_STEPS, -(-SHARD_ROWS // self._rows))
        self._blocks = [_Block(self.header, self._steps, self._rows) for _ in range(2)]
        self._filled, self._skip = 0, 0
        self._thread = ThreadPoolExecutor(1, "recorder")
        self._written: Future[Shard] | None = None
        names = [f.name for f in self.header.fields]
        self._signals = [(SIGNAL + n, env.signal(n)[: self._rows].reshape(self._rows, -1)) for n in names]
        env.bindings.refresh()
        env.watcher = self
        write_header(self.folder, self.header)

    def before_step(self) -> None:
        """Keep the states that are acted from."""
        if self._skip:
            return
        self._keep(self._filled)
        if self._filled == self._steps:
            self._flush()
            if not self._skip:
                self._keep(0)

    def after_step(self, terminated: Bools, truncated: Bools) -> None:
        """Keep what was done, what it paid, and the last states of rows that ended."""
        if self._skip:
            self._skip -= 1
            return
        arrays, t = self._blocks[0].arrays, self._filled
        arrays["actions"][t] = self._env.action[: self._rows]
        arrays["channels"][t] = self._env.channels[: self._rows]
        arrays["terminated"][t], arrays["truncated"][t] = terminated[: self._rows], truncated[: self._rows]
        self._end(t, arrays["terminated"][t] | arrays["truncated"][t])
        self._filled += 1

    def before_reset(self, rows: Bools) -> None:
        """Let rows that did not end by themselves end here, as truncated."""
        if self._filled:
            arrays, t = self._blocks[0].arrays, self._filled - 1
            cut = rows[: self._rows] & ~arrays["terminated"][t] & ~arrays["truncated"][t]
            arrays["truncated"][t] |= cut
            self._end(t, cut)

    def close(self) -> Header:
        """Write what is left, let the environment go, and return the header. Raises SpecError where writing failed."""
        if self._env.watcher is self:
            self._env.watcher = Watcher()
            try:
                if self._filled:
                    self._keep(self._filled)
                    self._flush()
                self._wait()
            finally:
                self._thread.shutdown()
        return self.header

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _keep(self, t: int) -> None:
        arrays = self._blocks[0].arrays
        for name, values in self._signals:
            arrays[name][t] = values
        arrays[OBSERVATIONS][t] = self._env.observations[: self._rows]

    def _end(self, t: int, rows: Bools) -> None:
        if rows.any():
            last = self._blocks[0].last
            for name, values in self._signals:
                last[FINAL + name.removeprefix(SIGNAL)][t, rows] = values[rows]
            last[LAST][t, rows] = self._env.observations[: self._rows][rows]

    def _flush(self) -> None:
        """Hand the full block to the thread, go on in the other one."""
        self._wait()
        block, steps = self._blocks[0], self._filled
        file = f"shard-{len(self.header.shards):05d}.safetensors"
        self._written = self._thread.submit(lambda: write_shard(self.folder, file, block.taken(steps), self.source))
        self._blocks.reverse()
        self._filled, self._skip = 0, (self._every - 1) * self._steps

    def _wait(self) -> None:
        """Let the shard that is being written, if any, be finished and named in the header."""
        if self._written is not None:
            written, self._written = self._written, None
            self.header = replace(self.header, shards=(*self.header.shards, written.result()))
            write_header(self.folder, self.header)


class _Block:
    """Memory of T steps: `arrays` as they are written, `last` with a place for a final state in every step."""

    def __init__(self, header: Header, steps: int, rows: int) -> None:
        widths = {SIGNAL + f.name: f.lanes for f in header.fields} | {OBSERVATIONS: header.observations}
        self.arrays: dict[str, Array] = {k: np.zeros((steps + 1, rows, w), np.float32) for k, w in widths.items()}
        self.arrays |= {k: np.zeros((steps, rows), np.bool_) for k in ("terminated", "truncated")}
        self.arrays["actions"] = np.zeros((steps, rows, header.actions), np.float32)
        self.arrays["channels"] = np.zeros((steps, rows, len(header.channels)), np.float32)
        lasts = {FINAL + f.name: f.lanes for f in header.fields} | {LAST: header.observations}
        self.last = {k: np.zeros((steps, rows, w), np.float32) for k, w in lasts.items()}

    def taken(self, steps: int) -> dict[str, Array]:
        """Return the first `steps` steps as they are written."""
        whole = {k: v[: steps + (k.startswith(SIGNAL) or k == OBSERVATIONS)] for k, v in self.arrays.items()}
        ended = whole["terminated"] | whole["truncated"]
        return whole | {k: v[:steps][ended] for k, v in self.last.items()}


def new_folder(path: Path) -> Path:
    """Make the folder of a new dataset. Raises SpecError if it holds something or cannot be made."""
    if (path / HEADER).exists() or (path.is_dir() and any(path.iterdir())) or path.is_file():
        raise SpecError(f"{path}: expected the name of a new folder, got one that is there already")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpecError(f"{path}: cannot make the folder: {error.strerror or error}") from None
    return path


def describe(env: VectorEnv, kind: str = "", seeds: tuple[int, ...] = ()) -> Header:
    """Return the header of a dataset of an environment, without shards."""
    return Header(
        robot=env.robot.name,
        task=env.task.name,
        variant=env.task.variant,
        control_dt=float(env.control_dt),
        fields=_fields(env),
        actions=env.action.shape[1],
        observations=env.observations.shape[1],
        channels=tuple(env.channel_names),
        robot_hash=spec_hash(env.robot),
        task_hash=spec_hash(env.task),
        kind=kind,
        seeds=seeds or (env._seed,),
    )


def _fields(env: VectorEnv) -> tuple[Field, ...]:
    """Every signal that changes: those read from the simulation, then those that are given from outside."""
    simulated = [name for name, source in env.built.sources.items() if not source.values]
    given = [name for name in env.bindings.arrays if name not in env.built.sources and name != "truncated"]
    fields = []
    for name in (*simulated, *given):
        role: Role = "state" if name in env.built.sources else "carried"
        fields.append(field_of(env.signals[name], role, bool(env.robot.base)))
    return tuple(fields)


def field_of(signal: Signal, role: Role, floating: bool) -> Field:
    """Return what a dataset or model says of a signal; `floating`: the robot's base is free to go anywhere."""
    floats = floating and signal.point and signal.frame == "world"
    adrift = tuple(lane for lane in range(signal.lanes) if floats and lane % 3 != 2)
    return Field(signal.name, signal.lanes, signal.unit, signal.kind, role, adrift)
