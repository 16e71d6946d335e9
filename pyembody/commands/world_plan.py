"""`pyembody world plan`: a planner acts by plans made in a model, beside one whose model is the simulator itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from .checks import at_least, positive
from .options import Count, Name, OptionalPath
from .tables import make_table

if TYPE_CHECKING:
    from rich.table import Table

    from ..envs import VectorEnv
    from ..plan.planner import PlannerSettings
    from ..plan.task_planning import PlanFigures, PlannedEpisode
    from ..plan.task_rollouts import ImaginedTask, SimulatedTask
    from ..world import WorldModel

ModelPath = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")]
WAYS = {"model": "the model", "simulator": "the simulator"}


@dataclass(frozen=True)
class WorldPlan:
    """Act in the simulator by plans that are made in a model, no policy learnt; beside it the same planner with the
    simulator as its model. The task's own program pays for what is imagined.

    The exit code is 1 if plans made in the model succeed less often than --least asks for.
    """

    model: ModelPath
    """The model's folder."""
    task: Name = ""
    """The task, of which the model must have the signals; by default the one it was fitted for."""
    variant: Name = ""
    """A variant of the task."""
    sampler: Literal["predictive", "mppi", "cem", "annealed"] = "predictive"
    """How candidates are tried and plans updated."""
    candidates: int = 128
    """Candidates of a plan."""
    horizon: int = 100
    """Steps that a plan looks ahead."""
    knots: int = 12
    """Points of a plan, joined by lines."""
    sigma: float = 0.3
    """Spread of candidates over half of an action's range."""
    propagation: Literal["mean", "elite", "sampled"] = "mean"
    """Next states: the elites' mean, or draws of one elite for each candidate, or for each step."""
    seeds: int = 5
    """Episodes: one of each seed."""
    first_seed: int = 0
    """The first seed."""
    simulator: bool = True
    """Also plan in the simulator, on the same seeds."""
    threads: Count = 0
    """Threads (0: all usable cores). The episodes do not depend on it, times do."""
    least: float = 0.0
    """The least share of successes."""
    json: OptionalPath = None
    """Also write settings, figures and episodes to this file."""

    def run_command(self) -> int:
        """Act, print the table."""
        from rich.console import Console

        from ..plan.task_planning import acting_env, figures
        from ..plan.task_rollouts import ImaginedTask, SimulatedTask
        from ..spec import load_robot, load_task
        from ..world import load_model
        from .files import check_writable, write_json

        self._check()
        if self.json is not None:
            check_writable(self.json)
        model, settings = load_model(self.model), self._settings()
        env = acting_env(load_task(self.task or model.spec.task, self.variant), load_robot(model.spec.robot))
        threads = _threads(self.threads)
        imagined = ImaginedTask(env, model, propagation=self.propagation, threads=threads)
        found = {"model": self._episodes(env, imagined, settings, "model")}
        if self.simulator:
            simulated = SimulatedTask(env, threads)
            found["simulator"] = self._episodes(env, simulated, settings, "simulator")
            simulated.close()
        env.close()
        rows = {way: figures(episodes) for way, episodes in found.items()}
        console = Console()
        console.print(plan_table(env.task.name, env.robot.name, rows))
        if self.json is not None:
            write_json(self.json, self._report(model, settings, threads, rows, found))
            print(f"wrote {self.json}")
        return int(rows["model"].successes < self.least * rows["model"].episodes)

    def _check(self) -> None:
        for option, low in (("candidates", 2), ("horizon", 2), ("knots", 2), ("seeds", 1), ("first_seed", 0)):
            at_least(option.replace("_", "-"), getattr(self, option), low)
        at_least("threads", self.threads, 0)
        positive("sigma", self.sigma)

    def _settings(self) -> PlannerSettings:
        from ..plan import PlannerSettings
        from ..spec.load import convert

        own = {"kind": self.sampler, "candidates": self.candidates, "horizon": self.horizon, "knots": self.knots}
        return convert(own | {"sigma": self.sigma, "culling": False}, PlannerSettings, "planner")

    def _episodes(
        self, env: VectorEnv, rollouts: ImaginedTask | SimulatedTask, settings: PlannerSettings, way: str
    ) -> list[PlannedEpisode]:
        from ..plan.task_planning import planned_episode

        found = []
        for seed in range(self.first_seed, self.first_seed + self.seeds):
            episode = planned_episode(env, rollouts, settings, seed)
            how = "success" if episode.success else "terminated" if episode.terminated else "no success"
            print(f"{WAYS[way]}, seed {seed}: {how}, return {episode.paid:.2f}", flush=True)
            found.append(episode)
        return found

    def _report(
        self, model: WorldModel, settings: PlannerSettings, threads: int, rows: dict[str, PlanFigures],
        found: dict[str, list[PlannedEpisode]],
    ) -> dict[str, Any]:
        import msgspec

        episodes = [
            {"plans_in": way} | {k: v for k, v in msgspec.structs.asdict(e).items() if k != "plan_s"}
            for way, each in found.items()
            for e in each
        ]
        return {
            "task": self.task or model.spec.task, "variant": self.variant, "robot": model.spec.robot,
            "settings": settings, "propagation": self.propagation, "threads": threads, "figures": rows,
            "model": {"dataset": model.spec.dataset, "settings": model.spec.settings, "signals": model.names},
            "episodes": episodes,
        }  # fmt: skip


def _threads(asked: int) -> int:
    import os

    return asked or len(os.sched_getaffinity(0))


def plan_table(task: str, robot: str, rows: dict[str, PlanFigures]) -> Table:
    """Return a row for each model that was planned in."""
    numbers = ["success", "return", "plan ms p50", "p99", "CPU ms", "plans/s"]
    table = make_table(f"{task} on {robot}, acting in the simulator", ["plans made in"], numbers)
    for way, row in rows.items():
        times = (f"{row.p50_ms:.1f}", f"{row.p99_ms:.1f}", f"{row.cpu_ms:.1f}", f"{row.plans_per_s:.0f}")
        table.add_row(WAYS[way], f"{row.successes}/{row.episodes}", f"{row.paid:.2f}", *times)
    return table
