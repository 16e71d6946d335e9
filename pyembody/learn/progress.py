"""What a person sees while a run trains: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .report import Metrics
from .run_folder import RunSpec

REFRESH_S = 0.5
LINE_S = 5.0


class Progress:
    """Shows metrics at most every half second (every five as plain lines): drawing costs as much as 400 steps."""

    def __init__(self, spec: RunSpec, iterations: int, enabled: bool) -> None:
        self.enabled = enabled
        self.iterations = iterations
        self.title = f"{spec.task.name} on {spec.robot.name}, seed {spec.seed}"
        self._console = Console()
        self._live: Live | None = None
        self._shown = -LINE_S
        self._first: tuple[float, int] | None = None

    def __enter__(self) -> Progress:
        if self.enabled and self._console.is_terminal:
            self._live = Live(
                Text(f"{self.title}: starting"), console=self._console, auto_refresh=False
            )
            self._live.start(refresh=True)
        elif self.enabled:
            print(f"{self.title}: starting", flush=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, metrics: Metrics) -> None:
        """Draw one iteration's metrics, unless the last drawing is too recent and this is not the last iteration."""
        if not self.enabled:
            return
        now = time.perf_counter()
        if self._first is None:
            self._first = (now, metrics["iteration"])
        pause = LINE_S if self._live is None else REFRESH_S
        if now - self._shown < pause and metrics["iteration"] < self.iterations:
            return
        self._shown = now
        left = self._time_left(now, metrics["iteration"])
        if self._live is None:
            print(line(metrics, self.iterations, left), flush=True)
        else:
            self._live.update(table(self.title, metrics, self.iterations, left), refresh=True)

    def _time_left(self, now: float, iteration: int) -> float:
        """Seconds, from the pace since the first iteration of this process; the first one is the slowest."""
        assert self._first is not None
        start, first = self._first
        if iteration == first:
            return math.nan
        return (now - start) / (iteration - first) * (self.iterations - iteration)


def line(metrics: Metrics, iterations: int, left: float) -> str:
    """Return one plain line about an iteration."""
    shown = " ".join(f"{k} {v:.3f}" for k, v in metrics["metrics"].items())
    return (
        f"iteration {metrics['iteration']}/{iterations}  {metrics['steps_per_second']:,.0f} steps/s"
        f"  left {clock(left)}  episode {metrics['episode_length']:.1f} s  reward {metrics['reward']:.3f}/s  {shown}"
    )


def table(title: str, metrics: Metrics, iterations: int, left: float) -> Group:
    """Return the live table of an iteration."""
    head = Text.assemble(
        (f"{title}  ", "bold"),
        f"iteration {metrics['iteration']}/{iterations}  {clock(metrics['elapsed'])} gone, "
        f"{clock(left)} left  {metrics['steps']:,} steps  {metrics['steps_per_second']:,.0f}/s",
    )
    columns = Table.grid(padding=(0, 3))
    columns.add_row(_terms(metrics), _channels(metrics), _others(metrics))
    return Group(head, columns)


def _terms(metrics: Metrics) -> Table:
    return _numbers("term", "per s", metrics["terms"])


def _channels(metrics: Metrics) -> Table:
    grid = Table(box=None, header_style="dim")
    for name in ("channel", "per s", "value loss", "explained", "share"):
        grid.add_column(name, justify="left" if name == "channel" else "right")
    for name, value in metrics["channels"].items():
        numbers = (metrics[k][name] for k in ("value_loss", "explained_variance", "share"))
        grid.add_row(name, f"{value:.3f}", *(f"{x:.3f}" for x in numbers))
    return grid


def _others(metrics: Metrics) -> Table:
    chosen = {
        "episode (s)": metrics["episode_length"],
        "terminated": metrics["terminated"],
        "std": metrics["std"],
        "KL": metrics["kl"],
        "learning rate": metrics["learning_rate"],
    }
    total = metrics["time"]["total"]
    shares = {f"{k} (%)": 100.0 * v / total for k, v in metrics["time"].items() if k != "total"}
    return _numbers("", "", metrics["metrics"] | chosen | shares)


def _numbers(name: str, unit: str, values: dict[str, float]) -> Table:
    grid = Table(box=None, header_style="dim")
    grid.add_column(name)
    grid.add_column(unit, justify="right")
    for key, value in values.items():
        grid.add_row(key, f"{value:.4g}" if abs(value) < 0.01 else f"{value:.3f}")
    return grid


def clock(seconds: float) -> str:
    """Return seconds as m:ss or h:mm:ss; a dash for a time that is not known yet."""
    if math.isnan(seconds):
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
