"""`pyembody dataset`: runs recorded to disk, made in one command, and looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tyro.conf import OmitSubcommandPrefixes, subcommand

from .checks import at_least
from .options import Count, Name, OptionalPath, OptionalText, TaskPath
from .tables import make_table

if TYPE_CHECKING:
    from rich.table import Table

    from ..data import Dataset, Header

DatasetPath = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATASET")]


@dataclass(frozen=True)
class DatasetMake:
    """Make a dataset for offline learning: let a robot act, and write down what happens.

    random: actions at random. medium: a policy trained for half of its iterations, with noise. mixed: what the training
    of such a policy saw, from its start on. narrow: a trained policy on one command, with little noise.
    """

    task: TaskPath
    """The task: a shipped name or the path of a task folder."""
    robot: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="[ROBOT]")] = ""
    """The robot; by default the one the task was made for."""
    kind: Literal["random", "medium", "mixed", "narrow"] = "random"
    """What acts: see above."""
    steps: int = 100_000
    """Transitions to record, at least."""
    run: OptionalText = None
    """A run whose policy acts (medium, narrow); by default one is trained first."""
    variant: Name = ""
    """A variant of the task."""
    iterations: Count = 0
    """Iterations of that training; 0: as the task says, for medium and mixed half as many."""
    seed: int = 0
    """Seed of training, starts and noise."""
    out: OptionalPath = None
    """The dataset's folder, which must be new; by default datasets/TASK-ROBOT-KIND."""

    def run_command(self) -> int:
        """Train if need be, record, and print what came of it."""
        from .dataset_make import Making, make_dataset

        at_least("steps", self.steps, 1)
        at_least("iterations", self.iterations, 0)
        at_least("seed", self.seed, 0)
        making = Making(self.kind, self.steps, self.run, self.iterations, self.seed)
        header, folder = make_dataset(self.task, self.robot, self.variant, self.out, making)
        print(f"{folder}: {_size(header)}")
        print(f"next: pyembody world fit {folder}   or   pyembody dataset info {folder}")
        return 0


@dataclass(frozen=True)
class DatasetInfo:
    """Say what a dataset holds, after checking every byte of it."""

    path: DatasetPath
    """The dataset's folder."""

    def run_command(self) -> int:
        """Print its size, its signals and what it was paid."""
        from rich.console import Console

        from ..data import Dataset

        dataset = Dataset(self.path)
        console = Console()
        header, shards = dataset.header, _shards(dataset)  # which reads, and checks, every byte
        origin = f", seeds {list(header.seeds)}, {header.kind or 'recorded'}"
        console.print(f"{header.task} on {header.robot}: {_size(header)}{origin}", soft_wrap=True, highlight=False)
        console.print(f"task {header.task_hash}, robot {header.robot_hash}", soft_wrap=True, highlight=False)
        console.print(_signals(header))
        console.print(shards)
        return 0


@dataclass(frozen=True)
class DatasetExport:
    """Write a dataset in the format of other libraries: what comes back by `import` is the same, byte for byte."""

    path: DatasetPath
    """The dataset's folder."""
    format: Literal["minari", "lerobot"]
    """minari: HDF5 files of Minari (needs h5py); lerobot: Parquet files of LeRobot v3.0 (needs pyarrow)."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR", help_behavior_hint="")]
    """The folder to write, which must be new."""

    def run_command(self) -> int:
        """Write it, print how it is loaded."""
        from ..data.exchange import export_dataset

        loaded = export_dataset(self.path, self.format, self.out)
        print(f"{self.out}: load it with {loaded}")
        return 0


@dataclass(frozen=True)
class DatasetImport:
    """Read a dataset of Minari's or LeRobot's: one that was exported from here becomes what it was."""

    path: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")]
    """The folder of the other dataset."""
    out: Annotated[Path, tyro.conf.arg(metavar="DATASET", help_behavior_hint="")]
    """The dataset's folder, which must be new."""
    format: Annotated[
        Literal["", "minari", "lerobot"], tyro.conf.arg(metavar="minari|lerobot", help_behavior_hint="")
    ] = ""
    """Its format; by default told by its files."""

    def run_command(self) -> int:
        """Read it, print what came of it."""
        from ..data.exchange import import_dataset

        header = import_dataset(self.path, self.out, self.format)
        print(f"{self.out}: {_size(header)}")
        print(f"next: pyembody world fit {self.out}   or   pyembody dataset info {self.out}")
        return 0


@dataclass(frozen=True)
class DatasetCommand:
    """Record runs to disk, look at what was recorded, exchange it with other libraries."""

    action: OmitSubcommandPrefixes[
        Annotated[DatasetMake, subcommand("make")]
        | Annotated[DatasetInfo, subcommand("info")]
        | Annotated[DatasetExport, subcommand("export")]
        | Annotated[DatasetImport, subcommand("import")]
    ]

    def run(self) -> int:
        """Run the chosen action."""
        return self.action.run_command()


def _size(header: Header) -> str:
    megabytes = sum(s.bytes for s in header.shards) / 1e6
    ends = sum(s.ended for s in header.shards)
    return f"{header.steps} steps of {header.control_dt:g} s, {ends} ends of episodes, {megabytes:.1f} MB"


def _signals(header: Header) -> Table:
    table = make_table("signals", ["signal"], ["numbers"], "unit", "role")
    for field in header.fields:
        role = "given from outside" if field.role == "carried" else "state"
        table.add_row(field.name, str(field.lanes), field.unit, role + (", adrift" if field.adrift else ""))
    for name, width in (("observations", header.observations), ("action", header.actions)):
        table.add_row(name, str(width), "", "what the policy saw" if name == "observations" else "what it did")
    return table


def _shards(dataset: Dataset) -> Table:
    """A row a shard; reading them checks their digests."""
    channels = dataset.header.channels
    table = make_table("shards", ["shard"], ["steps", "rows", "fell", "cut", *channels], "from")
    for shard, arrays in zip(dataset.header.shards, dataset.shards(), strict=True):
        ends = (arrays["terminated"].sum(), arrays["truncated"].sum())
        paid = arrays["channels"].mean((0, 1))
        numbers = (shard.steps, shard.rows, *ends, *(f"{x:.3g}" for x in paid))
        table.add_row(shard.file.removesuffix(".safetensors"), *map(str, numbers), shard.source)
    return table
