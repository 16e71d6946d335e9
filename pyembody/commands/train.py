"""`pyembody train`: a task, a robot and perhaps a sentence in; a run folder with a policy and its
report out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .checks import at_least
from .options import Algorithm, Codes, Count, Engine, Name, OptionalPath, OptionalText, TaskPath
from .pair import compile_pair, summary

if TYPE_CHECKING:
    from ..spec import Robot, Sac, Task
    from ..spec import Train as TrainSpec


@dataclass(frozen=True)
class Train:
    """Train a task on a robot, then evaluate it and write video, recording and report."""

    task: TaskPath
    """The task: a shipped name (see 'pyembody list') or the path of a task folder."""
    robot: Name = ""
    """The robot: a shipped name or the path of a robot folder; by default the one the task was made for."""
    variant: Name = ""
    """A variant of the task, such as deployable."""
    say: OptionalText = None
    """What you want, in words: "trot forward at 1 m/s, keep your back level"."""
    algorithm: Algorithm = ""
    """PPO, or SAC, which learns from fewer steps at more seconds each, or MBPO, SAC in a world model that it
    learns, from fewer still; by default as the task says."""
    seed: int = 0
    """The same seed on the same machine gives the same run."""
    iterations: Count = 0
    """Iterations of training; 0: as the task says."""
    num_envs: Count = 0
    """Environments over all workers; 0: as the task says."""
    workers: Count = 0
    """Worker processes; 0: as the task says, and where it says nothing, one (one per core for the torch engine)."""
    engine: Engine = ""
    """Who computes the networks: the C++ core or torch; by default as the task says."""
    out: Path = Path("runs")
    """Folder of the runs."""
    video: bool = True
    """Write the video and the recording at the end."""
    report: bool = True
    """Evaluate shortly and write the report at the end."""
    allow: Codes = ()
    """Codes of warnings that may stand (see 'pyembody reward check'), such as W-UNBOUNDED."""
    record: OptionalPath = None
    """Also write every step of the training into this new dataset folder (in one process)."""
    dry_run: bool = False
    """Only show what the sentence changes and what would be trained, then stop."""

    def run(self) -> int:
        """Train; print where the results are and what to run next."""
        from .findings import refuse_faulty
        from .finish import finish, is_lead, shared_run

        for option in ("seed", "iterations", "num_envs", "workers"):
            at_least(option.replace("_", "-"), getattr(self, option), 0)
        task, robot, config = self._specs()
        plain = task
        task, edits = self._edited(task)
        program = compile_pair(task, robot)  # an illegal pair leaves no run folder behind
        refuse_faulty(task, robot, self.allow)
        if self.dry_run:
            return self._show(plain, task, summary(f"{task.name} on {robot.name}", program))

        from ..learn import create_run, train
        from ..learn.distributed import worker_count
        from .failure import CommandError
        from .recording import recorded_training

        asked = self.workers or config.workers
        if self.record is not None and asked > 1:
            raise CommandError(f"--record: expected one worker, got {asked}")
        if asked:
            worker_count(config.num_envs, asked, asked)  # nor do workers that cannot share the environments
        run = shared_run(lambda: create_run(task, robot, config, self.seed, edits, self.out, sentence=self.say or ""))
        if is_lead():
            print(f"run: {run}", flush=True)
        with recorded_training(self.record) as make_env:
            train(run, workers=self.workers, make_env=make_env)
        return finish(run, video=self.video, report=self.report)

    def _specs(self) -> tuple[Task, Robot, TrainSpec | Sac]:
        from msgspec.structs import replace

        from ..spec import load_learning, load_robot, load_task

        task = load_task(self.task, self.variant)
        robot = load_robot(self.robot or task.robot)
        config = load_learning(self.task, self.variant, self.algorithm)
        given = {name: getattr(self, name) for name in ("iterations", "num_envs", "engine") if getattr(self, name)}
        return task, robot, replace(config, **given)

    def _show(self, plain: Task, task: Task, told: str) -> int:
        from rich.console import Console

        from .words import changes_table

        console = Console()
        if plain != task:
            console.print(changes_table(plain, task))
        console.print(told, markup=False, soft_wrap=True)
        print("dry run: nothing was trained or written")
        return 0

    def _edited(self, task: Task) -> tuple[Task, tuple[object, ...]]:
        from .words import apply_sentence

        return (task, ()) if self.say is None else apply_sentence(task, self.say)
