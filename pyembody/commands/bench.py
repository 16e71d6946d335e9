"""`pyembody bench`: measured speed beside limits and peers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from .options import Count, OptionalPath

if TYPE_CHECKING:
    from ..bench import Row

UNSTEADY = 0.25
"""Spread of repetitions from which on a figure is marked: something else was using the machine."""


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
        """Print each case when it is measured, and write the rows as JSON if asked to."""
        from rich.console import Console

        from ..bench import Settings, listening, run_family
        from .checks import at_least
        from .files import check_writable, write_json

        at_least("seconds", self.seconds, 0.0)
        at_least("num-envs", self.num_envs, 1)
        at_least("threads", self.threads, 0)
        if self.json is not None:
            check_writable(self.json)
        settings = Settings(seconds=self.seconds, num_envs=self.num_envs, threads=self.threads)
        console = Console()
        console.print("medians of interleaved repetitions; ratio is ours / theirs", soft_wrap=True)
        with listening(lambda rows: console.print(case_text(rows), soft_wrap=True)):
            result = run_family(self.family, settings)
        if any(row.spread > UNSTEADY for row in result.rows):
            console.print("~ repetitions lie far apart: something else was using the machine", soft_wrap=True)
        for note in result.notes:
            console.print(note, soft_wrap=True)
        for peer in result.left_out:
            console.print(f"left out: {peer}", soft_wrap=True)
        if self.json is not None:
            write_json(self.json, result.rows)
            console.print(f"wrote {self.json}", soft_wrap=True)
        return 0


def case_text(rows: list[Row]) -> str:
    """Return a case's rows for people: a line for each peer, with rich's colours."""
    lines = [f"\n[bold]{rows[0].family} {rows[0].case}[/], {rows[0].unit}"]
    for row in rows:
        colour = "green" if row.goal is None or row.ratio >= row.goal else "red"
        goal = "" if row.goal is None else f"goal {row.goal:.2f}"
        mark = "~" if row.spread > UNSTEADY else " "
        figures = f"{short_number(row.ours):>8} against {short_number(row.theirs):>8}"
        lines.append(f"  {row.peer:18} [{colour}]{row.ratio:8.2f}[/]{mark}  {goal:10} {figures}")
    return "\n".join(lines)


def short_number(value: float) -> str:
    """Return a number in at most eight characters: 81,536, or 1.15 M."""
    if value < 1e6:
        return f"{value:,.0f}"
    return f"{value / 1e9:.2f} G" if value >= 1e9 else f"{value / 1e6:.{2 if value < 1e8 else 0}f} M"
