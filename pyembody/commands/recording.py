"""`--record`: the steps of a command's environments written into a dataset while it goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..data import Recorder
    from ..envs import VectorEnv
    from ..learn import RunSpec
    from ..learn.runner import MakeEnv


@contextmanager
def recording(env: VectorEnv, path: Path | None, kind: str, seeds: Sequence[int]) -> Iterator[None]:
    """Record `env` within the block, if there is a path; say where it is. Raises SpecError for a path that is there."""
    if path is None:
        yield
        return
    from ..data import Recorder

    with Recorder(env, path, kind=kind, source=kind, seeds=tuple(seeds)) as recorder:
        yield
    _tell(recorder)


@contextmanager
def recorded_training(path: Path | None) -> Iterator[MakeEnv | None]:
    """Give what makes a training's environments so that they are recorded, None without a path."""
    if path is None:
        yield None
        return
    from ..data import Recorder
    from ..data.recorder import new_folder
    from ..learn.runner import task_env

    new_folder(path)
    recorders: list[Recorder] = []

    def make(spec: RunSpec, num_envs: int, threads: int, first_env: int) -> Any:
        env = task_env(spec, num_envs, threads, first_env)
        recorders.append(Recorder(env, path, kind="train", source="training", seeds=(spec.seed,)))
        return env

    try:
        yield make
    finally:
        for recorder in recorders:
            recorder.close()
            _tell(recorder)


def _tell(recorder: Recorder) -> None:
    print(f"recorded {recorder.header.steps} steps: {recorder.folder}", flush=True)
