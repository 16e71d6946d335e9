"""`pyembody bench`: measured speed beside limits and peers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from .options import Count, OptionalPath
from .tables import make_table

if TYPE_CHECKING:
    from rich.table import Table

    from ..bench import Row


@dataclass(frozen=True)
class Bench:
    """Measure a family of benchmarks against the machine's limit and installed peers, side by side in one run.

    env: steps of VectorEnv beside bare physics, EnvPool and Gymnasium.
    learn: PPO's gradient and a policy's step beside torch and the processor's arithmetic.
    plan: imagined rollouts with their costs, and whole plans, beside bare mj_step on the same model.
    returns: advantages per channel, and gates, beside a hand-written loop and other libraries.
    reward: reward programs beside a hand-fused C++ loop, NumPy, numba, torch and term callables.
    train: whole trainings beside bare stepping and Stable-Baselines3.
    world: imagined rollouts beside the processor's arithmetic and torch.
    """

    family: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="[FAMILY]")] = "all"
    """The family: env, learn, plan, returns, reward, train, world, or all."""
    json: OptionalPath = None
    """Also write the rows to this file."""
    seconds: float = 20.0
    """Seconds of measuring per case."""
    num_envs: int = 256
    """Environments of the go2 cases."""
    threads: Count = 0
    """Threads of env, plan, world (0: all cores, which train always takes) and of all sides in reward (0: one)."""

    def run(self) -> int:
        """Print a table, and write the rows as JSON if asked to."""
        from rich.console import Console

        from ..bench import Settings, run_family
        from .checks import at_least
        from .files import check_writable, write_json

        at_least("seconds", self.seconds, 0.0)
        at_least("num-envs", self.num_envs, 1)
        at_least("threads", self.threads, 0)
        if self.json is not None:
            check_writable(self.json)
        settings = Settings(seconds=self.seconds, num_envs=self.num_envs, threads=self.threads)
        result = run_family(self.family, settings)
        console = Console()
        console.print(bench_table(result.rows))
        for note in result.notes:
            console.print(note, soft_wrap=True)
        for peer in result.left_out:
            console.print(f"left out: {peer}", soft_wrap=True)
        if self.json is not None:
            write_json(self.json, result.rows)
            console.print(f"wrote {self.json}", soft_wrap=True)
        return 0


def bench_table(rows: list[Row]) -> Table:
    """Return the rows as a table for people."""
    units = list(dict.fromkeys(row.unit for row in rows))
    title = f"medians of interleaved repetitions, {' or '.join(units)}"
    table = make_table(title, ["case", "peer"], ["ours", "theirs", "ratio", "goal"])
    for row in rows:
        unit = f" {row.unit}" if len(units) > 1 else ""
        colour = "green" if row.goal is None or row.ratio >= row.goal else "red"
        goal = "-" if row.goal is None else f"[{colour}]{row.goal:.2f}[/]"
        figures = (f"{row.ours:,.0f}{unit}", f"{row.theirs:,.0f}{unit}", f"{row.ratio:.2f}", goal)
        table.add_row(f"{row.family} {row.case}", row.peer, *figures)
    return table
