"""`pyembody reward plot`: a term or channel over two numbers of the state, as a PNG."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from .alone import needs_no_robot, own_program, state_of_zeros
from .checks import at_least
from .failure import CommandError
from .options import Name, OptionalPath, Places, TaskOrFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..analysis.slices import Axis
    from ..program import CompiledTask


@dataclass(frozen=True)
class RewardPlot:
    """Plot a term or channel over one or two numbers of the state, all others as the robot starts.

    Of a FILE all others are 0, and quaternions no rotation.
    """

    task: TaskOrFile
    """The task: a shipped name or the path of a task folder; or a TOML file, a reward program with its own signals."""
    what: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="TERM|CHANNEL")]
    """What to plot: a term (raw value) or a channel (its pay a step)."""
    x: str
    """Across: a number of a signal and its range, such as "base_pos[2]=0.2:0.4"."""
    y: Name = ""
    """Up, in the same way; without it, a curve over --x."""
    at: Places = ()
    """Other numbers of the state, such as "command[0]=0.5"."""
    robot: Name = ""
    """The robot: a shipped name or the path of a robot folder; by default the one the task was made for."""
    variant: Name = ""
    """A variant of the task."""
    size: int = 101
    """Points along each side."""
    out: OptionalPath = None
    """Where to write the picture; by default reward.png here, reward-2.png if that exists, and so on."""

    def run(self) -> int:
        """Evaluate the grid in one call and write the picture."""
        from ..analysis.slices import lane_of, slice_values
        from ..viz.reward_plot import plot_slice
        from .files import check_writable

        at_least("size", self.size, 2)
        at_least("size", 1001 - self.size, 0)
        out = self.out or _free(Path("reward.png"))
        check_writable(out)
        title, program, state = self._start()
        for text in self.at:
            name, _, value = text.partition("=")
            signal, lane = lane_of(program, name)
            state[signal.name][lane] = _number(value, "--at", text)
        given = {"x": self.x, "y": self.y} if self.y else {"x": self.x}
        axes = tuple(self._axis(program, option, text) for option, text in given.items())
        found = slice_values(program, state, self.what, axes, self.size)
        plot_slice(found, out, f"{self.what} of {title}")
        low, high = float(found.values.min()), float(found.values.max())
        hint = " (--out FILE: elsewhere)" if self.out is None else ""
        print(f"{self.what}: {low:.4g} to {high:.4g}")
        print(f"wrote {out.resolve()}{hint}")
        return 0

    def _start(self) -> tuple[str, CompiledTask, dict[str, NDArray[np.float64]]]:
        """What is plotted, its program, and the numbers of the first state by signal: of a file, zeros."""
        alone = own_program(self.task)
        if alone is not None:
            needs_no_robot(self.task, robot=self.robot, variant=self.variant)
            return Path(self.task).name, alone.compiled, state_of_zeros(alone.compiled)

        from ..envs import make_vec
        from ..spec import load_task

        task = load_task(self.task, self.variant)
        env = make_vec(self.task, self.robot or task.robot, 1, variant=self.variant)
        env.reset(seed=0)
        state = {s.name: env.signal(s.name)[0].astype(float) for s in env.program.inputs}
        env.close()
        return f"{task.name} on {env.robot.name}", env.program, state

    def _axis(self, program: CompiledTask, option: str, text: str) -> Axis:
        from ..analysis.slices import Axis, lane_of

        name, _, span = text.partition("=")
        signal, lane = lane_of(program, name)
        low, _, high = span.partition(":")
        ends = [_number(v, f"--{option}", text) for v in (low, high)]
        if not ends[0] < ends[1]:
            raise CommandError(f"--{option}: expected a range LOW:HIGH, got '{span}'")
        units = signal.unit.split(",")
        unit = units[lane % signal.width].strip() if len(units) > 1 else signal.unit
        return Axis(signal.name, lane, f"{name.strip()} ({unit})" if unit != "1" else name.strip(), ends[0], ends[1])


def _free(path: Path) -> Path:
    """The path, or the first of `name-2`, `name-3`, ... that is not there yet."""
    numbered = (path.with_stem(f"{path.stem}-{n}") for n in itertools.count(2))
    return next(p for p in itertools.chain([path], numbered) if not p.exists())


def _number(text: str, option: str, whole: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise CommandError(f"{option}: expected NAME[i]=NUMBER or NAME[i]=LOW:HIGH, got '{whole}'") from None
