"""`pyembody robot show`, `check` and `import`: a robot folder looked at, tried, and one drafted from a model file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from tyro.conf import OmitSubcommandPrefixes, subcommand

from .options import Name, OptionalPath
from .tables import make_table

if TYPE_CHECKING:
    from rich.table import Table

    from ..spec import Robot


@dataclass(frozen=True)
class RobotShow:
    """Show a robot's joints, gains and signals."""

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="ROBOT")]
    """A shipped robot's name or the path of a robot folder."""

    def run(self) -> int:
        """Print the two tables."""
        from rich.console import Console

        from ..spec import load_robot

        robot = load_robot(self.name)
        console = Console()
        console.print(f"[bold]{robot.name}[/]: {robot.description}", f"({robot.model_path})", soft_wrap=True)
        console.print(_joints(robot))
        console.print(_signals(robot))
        return 0


@dataclass(frozen=True)
class RobotCheck:
    """Try both models of a robot: masses, ranges, and whether it rests in its default pose. The exit
    code is 1 if something is not as expected.
    """

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="ROBOT")]
    """A shipped robot's name or the path of a robot folder."""
    variant: Name = ""
    """One of the robot's variants."""

    def run(self) -> int:
        """Print a table of each model."""
        from rich.console import Console

        from ..envs.robot_check import check_model
        from ..spec import load_robot

        robot = load_robot(self.name, self.variant)
        passed = True
        for model in ("physics", "execution"):
            table = make_table(f"{robot.name}: {model}", ["what", "expected"], [], "found", "")
            for check in check_model(robot, execution=model == "execution"):
                table.add_row(check.what, check.expected, check.got, "" if check.passed else "[red]wrong[/]")
                passed = passed and check.passed
            Console().print(table)
        return int(not passed)


@dataclass(frozen=True)
class RobotImport:
    """Draft a robot folder from an MJCF or URDF file, which is left as it is; say what could not
    be told.
    """

    path: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
    """The model file, .xml or .urdf."""
    out: OptionalPath = None
    """The folder to make; by default robots/NAME in the current folder."""
    name: Name = ""
    """The robot's name; by default the model's own."""

    def run(self) -> int:
        """Write the folder, print the notes and the next command."""
        from rich.console import Console

        from ..envs.robot_import import import_robot

        draft = import_robot(self.path, self.out, self.name)
        console = Console()
        console.print(f"wrote {draft.folder}", soft_wrap=True)
        for note in draft.notes:
            console.print(f"- {note}", soft_wrap=True, markup=False)
        folder = draft.folder if draft.folder.is_absolute() else f"./{draft.folder}"
        console.print(f"next: pyembody robot show {folder}", soft_wrap=True)
        return 0


@dataclass(frozen=True)
class RobotCommand:
    """Look at a robot, try it, or draft a robot folder from a model file."""

    action: OmitSubcommandPrefixes[
        Annotated[RobotShow, subcommand("show")]
        | Annotated[RobotCheck, subcommand("check")]
        | Annotated[RobotImport, subcommand("import")]
    ]

    def run(self) -> int:
        """Run the chosen action."""
        return self.action.run()


def _joints(robot: Robot) -> Table:
    control = robot.control
    columns = {
        "pose": robot.default_pose,
        "offset": control.offset,
        "scale": control.action_scale,
        "kp": control.kp,
        "kd": control.kd,
        "torque": control.torque_limit,
    }
    title = (
        f"joints, in the actions' order (rad, N m/rad, N m s/rad, N m); {control.kind} control "
        f"every {control.control_dt} s"
    )
    table = make_table(title, ["joint"], list(columns))
    for i, joint in enumerate(robot.joints):
        table.add_row(joint, *(_entry(values, i) for values in columns.values()))
    return table


def _entry(values: tuple[float, ...] | float | None, i: int) -> str:
    """The joint's number in a list that holds one per joint, one for all, or none."""
    if isinstance(values, tuple):
        return f"{values[i]:g}" if values else "-"
    return "-" if values is None else f"{values:g}"


def _signals(robot: Robot) -> Table:
    table = make_table("signals", ["signal"], ["numbers"], "kind", "along", "unit", "frame")
    for name, s in robot.signal_table().items():
        along = f"{len(s.labels)} {s.axis}" if s.axis else "-"
        table.add_row(name, str(s.lanes), s.kind, along, s.unit, s.frame or "-")
    return table
