"""`pyembody world`: models of a robot's motion, fitted to datasets, judged, and learnt in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tyro.conf import OmitSubcommandPrefixes, subcommand

from .checks import at_least, positive
from .dataset import DatasetPath
from .options import Count, Names, OptionalPath
from .tables import make_table
from .world_plan import ModelPath, WorldPlan

if TYPE_CHECKING:
    from rich.table import Table

    from ..world import FitSettings, WorldModel
    from ..world.fit import Epoch
    from ..world.judge import Curve, OneStep

SHOWN_STEPS = (1, 2, 5, 10, 20, 50, 100)
WAYS = {
    "still": "nothing changes",
    "sampled": "an elite at random, with its noise",
    "mean": "the elites' mean",
    "agreed": "the draw nearest to that mean",
    "oracle": "the draw nearest to what came",
    "select": "the most credible draw",
    "softmax": "a draw by how credible it is",
}


@dataclass(frozen=True)
class WorldFit:
    """Fit an ensemble that predicts the next state to a dataset. A fit that was stopped goes on where it was."""

    dataset: DatasetPath
    """The dataset's folder."""
    out: OptionalPath = None
    """The model's folder; by default models/NAME of the dataset."""
    signals: Names = ()
    """Signals and `[let]`s of the task that make a state; by default those of its train.toml's `[mbpo]`, where it names
    none all that physics brings about."""
    members: int = 7
    """Networks of the ensemble."""
    elites: int = 5
    """How many of them, the best on held-out rows, are drawn from."""
    hidden: tuple[int, ...] = (200, 200, 200, 200)
    """Widths of the hidden layers."""
    activation: Literal["silu", "relu", "elu", "tanh"] = "silu"
    """What comes after each of them."""
    learning_rate: float = 1e-3
    """Adam's."""
    epochs: int = 200
    """Epochs at most; it stops sooner where nothing is gained any more."""
    seed: int = 0
    """Seed of weights, hold-out and samples."""
    threads: Count = 0
    """Threads (0: all usable cores). The result does not depend on it."""

    def run_command(self) -> int:
        """Fit, print each epoch, and where the model is."""
        from ..data import Dataset
        from ..spec import list_tasks, load_mbpo, load_task, spec_hash
        from ..world import FitSettings, fit_model, unfinished
        from ..world.task_dataset import open_dataset

        for option in ("members", "elites", "epochs"):
            at_least(option, getattr(self, option), 1)
        at_least("threads", self.threads, 0)
        at_least("hidden", min(self.hidden, default=1), 1)
        positive("learning-rate", self.learning_rate)
        own = ("members", "elites", "hidden", "activation", "learning_rate", "epochs", "seed")
        settings = FitSettings(**{name: getattr(self, name) for name in own})
        out = self.out or Path("models") / self.dataset.resolve().name
        header = Dataset(self.dataset).header
        names = self.signals
        shipped = header.task in list_tasks() and header.task_hash == spec_hash(load_task(header.task, header.variant))
        if not names and shipped:  # an edited task may mean other values by the same names
            names = load_mbpo(header.task, header.variant).signals
        dataset = open_dataset(self.dataset, names)
        print("loss: negative log-likelihood, may be below 0")
        print("unexplained: share of the change from step to step on held-out rows, of the best and the worst member")
        try:
            model = fit_model(
                dataset, out, settings, names, threads=self.threads, report=partial(_tell, settings)
            )
        except BaseException:  # an interrupt too
            if unfinished(out):
                print(f"stopped; {out} keeps how far it came, the same command goes on", flush=True)
            raise
        best = min(model.spec.errors)
        print(f"{out}: {len(model.spec.history)} epochs, the best member leaves {best:.1%} of the change unexplained")
        print(f"next: pyembody world report {out} --data ANOTHER_DATASET")
        return 0


@dataclass(frozen=True)
class WorldReward:
    """Learn which transitions are credible, from the dataset alone, and keep it beside the model."""

    model: ModelPath
    """The model's folder."""
    dataset: DatasetPath
    """The dataset that the model was fitted to."""
    trainer: Literal["contrastive", "adversarial"] = "contrastive"
    """contrastive: data against what the ensemble made while it was fitted; adversarial: against a generator."""
    discriminators: int = 10
    """How many vote."""
    updates: Count = 0
    """Updates of the discriminators; 0: as the trainer has them."""
    seed: int = 0
    """Seed of weights and draws."""

    def run_command(self) -> int:
        """Learn it, and print where it is."""
        from ..world import load_model
        from ..world.credible import reward_model
        from ..world.task_dataset import open_dataset
        from .outcome import status_line
        from .world_report import check_alike

        at_least("discriminators", self.discriminators, 1)
        at_least("updates", self.updates, 0)
        model = load_model(self.model)
        dataset = open_dataset(self.dataset, model.names)
        check_alike(model, dataset.header.robot, dataset.header.actions, self.dataset)
        spec, _ = reward_model(
            dataset, model, self.model, self.trainer, seed=self.seed, updates=self.updates,
            discriminators=self.discriminators, progress=status_line(),
        )
        print(f"{self.model}: {spec.discriminators} discriminators; 95 % of held-out data reach {spec.threshold:.3f}")
        print(f"next: pyembody world report {self.model} --data ANOTHER_DATASET")
        return 0


@dataclass(frozen=True)
class WorldReport:
    """Judge a model on a dataset: one-step errors, calibration, and how errors grow over many steps."""

    model: ModelPath
    """The model's folder."""
    data: Annotated[Path, tyro.conf.arg(metavar="DATASET", help_behavior_hint="")]
    """A dataset that it was not fitted to, perhaps of another policy."""
    steps: int = 20
    """Length of the predicted stretches."""
    windows: int = 200
    """How many stretches."""
    rows: int = 20_000
    """Single steps at most."""
    seed: int = 0
    """Seed of what is drawn."""
    json: OptionalPath = None
    """Also write the figures to this file."""

    def run_command(self) -> int:
        """Print three tables."""
        from rich.console import Console

        from ..world import load_model
        from .files import check_writable, write_json
        from .world_report import judge_model

        for option in ("steps", "windows", "rows"):
            at_least(option, getattr(self, option), 1)
        if self.json is not None:
            check_writable(self.json)
        model = load_model(self.model)
        found = judge_model(self.model, model, self.data, self.steps, self.windows, self.rows, self.seed)
        console = Console()
        console.print(_one_step_table(found.one_step, model))
        console.print(_calibration_table(found.one_step))
        console.print(_curve_table(found.open_loop))
        console.print("; ".join(f"{name}: {WAYS[name]}" for name in found.open_loop), highlight=False)
        console.print(useful_steps(found.open_loop), soft_wrap=True, highlight=False)
        told = ", ".join(f"{name} {area:.2f}" for name, area in found.ranking.items())
        console.print(f"large errors are told by (0.5: not at all, 1: always): {told}", soft_wrap=True, highlight=False)
        if self.json is not None:
            write_json(self.json, found)
            print(f"wrote {self.json}")
        return 0


@dataclass(frozen=True)
class WorldLearn:
    """Learn a policy from a dataset and its model alone, then evaluate it in the simulator; what comes is a run."""

    model: ModelPath
    """The model's folder."""
    dataset: DatasetPath
    """The dataset that the model was fitted to."""
    choose: Literal["sampled", "agreed", "credible"] = "sampled"
    """Which next state is imagined: of a random elite, the one most agreed on, the most credible (MOREC)."""
    penalty: Literal["aleatoric", "disagreement"] = "aleatoric"
    """What uncertainty is: the members' own deviations (MOPO), or how far they disagree."""
    penalty_weight: float = 0.0
    """What it costs, in deviations of the rewards, where it is as large as on the data; 0: nothing."""
    imagined: int = 5
    """Steps of an imagined rollout."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the networks in imagined rollouts; bfloat16 is faster where the processor has units for it."""
    real: float = 0.05
    """Share of recorded transitions among those that are learnt from."""
    iterations: Count = 0
    """Iterations; 0: as the task says, 20 where it says nothing."""
    seed: int = 0
    """The same seed on the same machine gives the same run."""
    out: Path = Path("runs")
    """Folder of the runs."""
    video: bool = True
    """Write the video and the recording at the end."""
    report: bool = True
    """Evaluate shortly and write the report at the end."""

    def run_command(self) -> int:
        """Learn; print where the results are."""
        from ..data import Dataset
        from ..learn import create_run, train
        from ..spec import load_offline, load_robot, load_task
        from ..world import load_model
        from .finish import finish

        at_least("imagined", self.imagined, 1)
        at_least("iterations", self.iterations, 0)
        header = Dataset(self.dataset).header
        load_model(self.model)  # what is no model leaves no run behind
        own = ("choose", "penalty", "penalty_weight", "imagined", "real", "precision")
        changes = {name: getattr(self, name) for name in own}
        changes |= {"dataset": str(self.dataset.resolve()), "model": str(self.model.resolve())}
        changes |= {"iterations": self.iterations} if self.iterations else {}
        config = load_offline(header.task, header.variant, changes=changes)
        task, robot = load_task(header.task, header.variant), load_robot(header.robot)
        run = create_run(task, robot, config, self.seed, out=self.out)
        print(f"run: {run}", flush=True)
        train(run)
        return finish(run, video=self.video, report=self.report)


@dataclass(frozen=True)
class WorldCommand:
    """Fit models of a robot's motion to datasets, judge them, learn policies and plan in them."""

    action: OmitSubcommandPrefixes[
        Annotated[WorldFit, subcommand("fit")]
        | Annotated[WorldReward, subcommand("reward")]
        | Annotated[WorldReport, subcommand("report")]
        | Annotated[WorldLearn, subcommand("learn")]
        | Annotated[WorldPlan, subcommand("plan")]
    ]

    def run(self) -> int:
        """Run the chosen action."""
        return self.action.run_command()


def _tell(settings: FitSettings, epoch: Epoch) -> None:
    errors = sorted(epoch.errors)
    text = f"epoch {epoch.number} of at most {settings.epochs}: loss {epoch.loss:.3f}, "
    text += f"unexplained {errors[0]:.2%} .. {errors[-1]:.2%}"
    print(text + (f", nothing gained for {epoch.stale} of {settings.patience}" if epoch.stale else ""), flush=True)


def _one_step_table(single: OneStep, model: WorldModel) -> Table:
    table = make_table(f"one step, {single.rows} rows", ["signal"], ["error", "explained"], "unit")
    for field in model.spec.fields:
        share = f"{single.explained[field.name]:.1%}"
        table.add_row(field.name, f"{single.rmse[field.name]:.3g}", share, field.unit)
    return table


def _calibration_table(single: OneStep) -> Table:
    table = make_table(f"calibration: off by {single.miscalibration:.1%}", ["interval"], ["holds the truth"])
    for level, share in single.coverage.items():
        table.add_row(f"{float(level):.0%}", f"{share:.1%}")
    return table


def _curve_table(grown: dict[str, Curve]) -> Table:
    length = len(next(iter(grown.values())).median)
    shown = sorted({k for k in (*SHOWN_STEPS, length) if k <= length})
    table = make_table("error after k steps, in deviations of the states", ["way"], [str(k) for k in shown])
    for name, curve in grown.items():
        table.add_row(name, *(f"{curve.median[k - 1]:.3f}" for k in shown))
    return table


def useful_steps(grown: dict[str, Curve]) -> str:
    """Return for how long the elites' mean says more than that nothing changes."""
    still, mean = grown["still"].median, grown["mean"].median
    worse = [k for k, (a, b) in enumerate(zip(still, mean, strict=True), 1) if b >= a]
    if not worse:
        return f"the elites' mean says more than that nothing changes up to step {len(mean)}, the last one looked at"
    if worse[0] == 1:
        return "the elites' mean says no more than that nothing changes, from the first step on: of no use on this data"
    return f"the elites' mean says more than that nothing changes up to step {worse[0] - 1}, not beyond"
