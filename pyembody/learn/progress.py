"""What a person sees while a run trains: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .engine import engine_of
from .report import Metrics
from .run_folder import RunSpec

REFRESH_S = 0.5
LINE_S = 5.0
PADDING = (0, 1, 0, 0)
INSIDE = {"environment": ("physics", "program")}
"""Parts of an iteration's time that are inside another part."""
LEARNING = {
    "std": "action noise (std)",
    "kl": "KL of an update",
    "learning_rate": "learning rate",
    "entropy": "entropy (nats an action)",
    "temperature": "temperature",
    "replay": "transitions kept",
}
"""Numbers of an algorithm and what the live table calls them."""


class Progress:
    """Shows metrics at most every half second (every five as plain lines): drawing costs as much as 400 steps.

    `units` are those of the task's metrics, by name, as far as they have one.
    """

    def __init__(self, spec: RunSpec, iterations: int, enabled: bool) -> None:
        self.enabled = enabled
        self.iterations = iterations
        algorithm = spec.train.__struct_config__.tag
        self.title = f"{spec.task.name} on {spec.robot.name}, {algorithm} ({engine_of(spec.train)}), seed {spec.seed}"
        self.units: dict[str, str] = {}
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
            print(line(metrics, self.iterations, left, self.units), flush=True)
        else:
            self._live.update(table(self.title, metrics, self.iterations, left, self.units), refresh=True)

    def note(self, text: str) -> None:
        """Print a line that stays, above the live table if there is one."""
        if self._live is not None:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        elif self.enabled:
            print(text, flush=True)

    def _time_left(self, now: float, iteration: int) -> float:
        """Seconds, from the pace since the first iteration of this process; the first one is the slowest."""
        assert self._first is not None
        start, first = self._first
        if iteration == first:
            return math.nan
        return (now - start) / (iteration - first) * (self.iterations - iteration)


def line(metrics: Metrics, iterations: int, left: float, units: Mapping[str, str]) -> str:
    """Return one plain line about an iteration, every number with its unit."""
    shown = "  ".join(f"{k} {v:.3f} {units.get(k, '')}".rstrip() for k, v in metrics["metrics"].items())
    noisy = " with exploring noise" if "replay" in metrics else ""
    return (
        f"iteration {metrics['iteration']}/{iterations}  {metrics['steps_per_second']:,.0f} steps/s"
        f"  left {clock(left)}  episode {metrics['episode_length']:.1f} s{noisy}  reward {metrics['reward']:.3f}/s"
        f"  {shown}  {waiting(metrics)}".rstrip()
    )


def waiting(metrics: Metrics) -> str:
    """Return what to add about a learner that does not learn yet."""
    left = metrics.get("warmup", 0)
    return f"not learning yet: {left:,} more steps are kept before" if left else ""


def table(title: str, metrics: Metrics, iterations: int, left: float, units: Mapping[str, str]) -> Group:
    """Return the live table of an iteration, fit for 80 columns."""
    head = Text.assemble(
        (f"{title}\n", "bold"),
        f"iteration {metrics['iteration']}/{iterations}   {clock(metrics['elapsed'])} gone, {clock(left)} left   "
        f"{metrics['steps']:,} steps   {metrics['steps_per_second']:,.0f} steps/s",
        f"\n{waiting(metrics)}".rstrip(),
    )
    measured = {f"{k} ({units[k]})" if units.get(k) else k: v for k, v in metrics["metrics"].items()}
    columns = Table.grid(padding=(0, 2))
    columns.add_row(
        _numbers("term", "reward/s", metrics["terms"]),
        Group(
            _channels(metrics),
            *_gates(metrics),
            _numbers("task", "mean", measured),
            _numbers("learning", "", _learning(metrics)),
        ),
    )
    return Group(head, columns, Text(time_line(metrics["time"])))


def time_line(seconds: dict[str, float]) -> str:
    """Return where the time of an iteration went, in percent; parts of a part in brackets after it."""
    shares = {name: f"{name} {100.0 * s / seconds['total']:.0f}" for name, s in seconds.items() if name != "total"}
    inside = {part for parts in INSIDE.values() for part in parts}
    shown = []
    for name in (n for n in shares if n not in inside):
        parts = [shares[part] for part in INSIDE.get(name, ()) if part in shares]
        shown.append(shares[name] + (f" ({', '.join(parts)})" if parts else ""))
    return f"time %: {', '.join(shown)}"


def _channels(metrics: Metrics) -> Table:
    grid = Table(box=None, header_style="dim", padding=PADDING)
    for name in ("channel", "reward/s", "value loss", "explained", "share"):
        grid.add_column(name, justify="left" if name == "channel" else "right", no_wrap=True)
    for name in dict.fromkeys((*metrics["channels"], *metrics["value_loss"])):  # one critic may serve all channels
        numbers = (metrics[k].get(name) for k in ("value_loss", "explained_variance", "share"))
        pays = metrics["channels"].get(name, metrics["reward"])
        grid.add_row(name, f"{pays:.3f}", *("" if x is None else f"{x:.3f}" for x in numbers))
    return grid


def _gates(metrics: Metrics) -> list[Table]:
    """A table of gates, if there are any."""
    gates = {name: g for name, g in metrics.get("Gate", {}).items() if "open" in g}
    if not gates:
        return []
    grid = Table(box=None, header_style="dim", padding=PADDING)
    for name in ("gate of", "open", "withheld/s", "lumps"):
        grid.add_column(name, justify="left" if name == "gate of" else "right", no_wrap=True)
    for name, gate in gates.items():
        grid.add_row(name, f"{gate['open']:.3f}", f"{gate['withheld']:.3f}", f"{gate['held_share']:.3f}")
    return [grid]


def _learning(metrics: Metrics) -> dict[str, float]:
    shown = {"episode (s)": metrics["episode_length"], "ended by termination": metrics["terminated"]}
    return shown | {line: metrics[name] for name, line in LEARNING.items() if name in metrics}


def _numbers(name: str, unit: str, values: dict[str, float]) -> Table:
    grid = Table(box=None, header_style="dim", padding=PADDING)
    grid.add_column(name, no_wrap=True, min_width=21)
    grid.add_column(unit, justify="right", no_wrap=True, min_width=8)
    for key, value in values.items():
        grid.add_row(key, f"{value:.3g}" if abs(value) < 0.01 else f"{value:.3f}")
    return grid


def clock(seconds: float) -> str:
    """Return seconds as m:ss or h:mm:ss; a dash for a time that is not known yet."""
    if math.isnan(seconds):
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
