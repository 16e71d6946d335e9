"""`pyembody eval`: what a policy achieves, beside doing nothing and doing anything."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .checks import at_least
from .failure import CommandError
from .locate import locate
from .options import OptionalName, OptionalPath, RunPath, Text
from .recording import recording
from .tables import make_table

if TYPE_CHECKING:
    from rich.table import Table

    from ..analysis import Evaluation
    from ..learn import RunSpec


@dataclass(frozen=True)
class Eval:
    """Judge a run over many episodes: success, tracking errors, falls, energy, terms, beside two
    controls.
    """

    path: RunPath = "latest"
    """A run folder, a checkpoint folder, or 'latest'."""
    episodes: int = 200
    """Episodes in all, spread evenly over the seeds."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of the episodes' starts and commands."""
    execution: bool = False
    """Judge on the robot's stiff execution model instead of the training model."""
    variant: OptionalName = None
    """Judge on another variant of the task (one whose observations are the same); its edits are kept."""
    skill: Text = ""
    """Judge one skill, of a task that has them: its number, or a direction such as "0.6 -0.8"; by default one for each
    episode, drawn by the seeds."""
    controls: bool = True
    """Judge zero and random actions too."""
    json: OptionalPath = None
    """Also write the figures to this file."""
    record: OptionalPath = None
    """Also write every step of the policy and the controls into this new dataset folder."""
    out: Path = Path("runs")
    """Folder of the runs, for 'latest'."""

    def run(self) -> int:
        """Evaluate, print the tables, write evaluation.json and the file asked for."""
        from ..analysis import evaluate
        from ..learn import load_policy, read_run
        from .files import check_writable, write_json
        from .outcome import EVALUATION, asked_command, run_env, status_line
        from .skill import hold_skill

        self._check()
        located = locate(self.path, self.out)
        for target in (self.json, located.folder / EVALUATION):
            if target is not None:
                check_writable(target)
        spec = self._spec(read_run(located.folder))
        policy = load_policy(located.source)
        env = run_env(spec, -(-self.episodes // len(self.seeds)), execution=self.execution)
        check_fits(policy.observation_size, env.observations.shape[1], spec.task.variant)
        hold_skill(env, self.skill)
        held = asked_command(spec)
        with recording(env, self.record, "eval", self.seeds):
            found = evaluate(env, policy, self.episodes, self.seeds, self.controls, held=held, progress=status_line())
        env.close()
        print_summary(found, spec)
        own = self.variant is None and not self.execution and not self.skill.strip()
        for target in (self.json, located.folder / EVALUATION if own else None):
            if target is not None:
                write_json(target, found.to_json())
                print(f"wrote {target}")
        return 0

    def _check(self) -> None:
        at_least("episodes", self.episodes, 1)
        if not self.seeds or len(set(self.seeds)) != len(self.seeds) or min(self.seeds) < 0:
            raise CommandError(f"--seeds: expected distinct numbers from 0 on, got {list(self.seeds)}")
        if self.episodes < len(self.seeds):
            raise CommandError(f"--episodes: expected at least one a seed ({len(self.seeds)}), got {self.episodes}")

    def _spec(self, spec: RunSpec) -> RunSpec:
        """The run's specifications, with the variant asked for and the run's own edits in it."""
        if self.variant is None:
            return spec
        import msgspec

        from ..language import Edit, apply_edits, load_language
        from ..spec import load_task

        task = load_task(spec.task.folder, self.variant)
        if spec.edits:
            edits = [msgspec.convert(edit, Edit) for edit in spec.edits]
            task = apply_edits(task, load_language(task.folder), edits)
        return msgspec.structs.replace(spec, task=task)


def check_fits(policy: int, env: int, variant: str) -> None:
    """Raise CommandError unless the policy's observations are those of the environment."""
    if policy != env:
        what = f"variant '{variant}'" if variant else "the task"
        raise CommandError(f"the policy reads {policy} observations, {what} has {env}: it was trained on another one")


def print_summary(found: Evaluation, spec: RunSpec) -> None:
    """Print the figures beside the controls', the reward terms, and what was asked beside what came of it."""
    from rich.console import Console

    from ..program.gating import gated_channels

    title = f"{found.task} on {found.robot}: {found.episodes} episodes, seeds {list(found.seeds)}"
    others = [_figures(control) for control in found.controls.values()]
    table = make_table(title, [""], ["policy", "95 % interval", *found.controls])
    for name, (value, interval) in _figures(found).items():
        table.add_row(name, value, interval, *(f.get(name, ("-", ""))[0] for f in others))
    paid = "what the policy is paid" + (", before gates" if gated_channels(spec.task) else "")
    terms = make_table(paid, ["term"], ["raw", "a step", "a second", "an episode", "share"])
    for name, term in found.terms.items():
        numbers = (term.raw, term.per_step, term.per_second, term.per_episode)
        cells = ("-" if math.isnan(x) else f"{x:.3g}" for x in numbers)
        terms.add_row(name, *cells, "-" if math.isnan(term.share) else f"{term.share:.1%}")
    console = Console()
    console.print(table)
    console.print(terms)
    if spec.edits:
        console.print(_asked(found, spec))


def _asked(found: Evaluation, spec: RunSpec) -> Table:
    from ..language import find_language
    from ..language.paths import plain_data
    from ..viz.asked import asked_rows

    language = find_language(spec.task.folder)
    table = make_table("what was asked, and what came of it", ["parameter"], ["asked", "got"], "measured as")
    for row in asked_rows(spec.edits, plain_data(spec.task), language, found.to_json()):
        table.add_row(row.parameter, row.asked, row.got or "-", row.measured)
    return table


def _figures(found: Evaluation) -> dict[str, tuple[str, str]]:
    """Text of every figure and of its interval, by name."""
    from ..viz.explain import METRICS

    rates = {"success": found.success, "fall rate": found.fall_rate}
    means = {"episode length s": found.episode_length}
    means |= {f"{n} {METRICS[n].unit}" if n in METRICS else n: m for n, m in found.metrics.items()}
    optional = {"power W": found.power, "cost of transport": found.cost_of_transport}
    means |= {n: m for n, m in optional.items() if m is not None and math.isfinite(m.mean)}
    shown = {n: (f"{r.rate:.1%}", f"{r.low:.1%} .. {r.high:.1%}") for n, r in rates.items()}
    return shown | {n: (f"{m.mean:.3g}", f"{m.low:.3g} .. {m.high:.3g}") for n, m in means.items()}
