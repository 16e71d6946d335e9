"""Whether an executed trace did what a suite's task asks for, and if not, what was missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..envs.model import BuiltModel
from ..program import compile_task
from ..spec.robot import Robot
from ..spec.vocabulary import Vocabulary, make_task
from .signals import behaviour_signals, signal_arrays
from .suite import Suite, SuiteTask
from .trace import Trace

Floats = NDArray[np.float64]
SLACK = 1e-9


@dataclass(frozen=True)
class Score:
    """`success`, when its window ended in seconds of the turn, and else the reason."""

    success: bool
    at_s: float = 0.0
    reason: str = ""


class Scorer:
    """Scores traces of one task: its expressions are compiled once."""

    def __init__(self, suite: Suite, name: str, vocabulary: Vocabulary, robot: Robot, built: BuiltModel) -> None:
        self.task: SuiteTask = suite.tasks[name]
        self.built, self.dt = built, robot.control.control_dt
        task = self.task
        texts = {f"throughout_{n}": f"num({text})" for n, text in task.throughout.items()}
        texts |= {f"share_{n}": f"num({text})" for n, (text, _) in task.share.items()}
        for kind, table in (("mean", task.mean), ("mean_abs", task.mean_abs), ("gain", task.gain)):
            texts |= {f"{kind}_{n}": text for n, (text, _) in table.items()}
        for n, (first, second, _) in task.correlation.items():
            texts |= {f"first_{n}": first, f"second_{n}": second}
        texts |= {f"ends_{k}_{n}": f"num({text})" for k, turn in enumerate(task.turns) for n, text in turn.ends.items()}
        self.fall = [] if task.may_fall else list(suite.fall)
        texts |= {f"fall_{n}": f"num({suite.fall[n]})" for n in self.fall}
        spec = make_task(vocabulary, name, metrics=texts)
        spec = type(spec)(**{f: getattr(spec, f) for f in spec.__struct_fields__} | {"let": {**spec.let, **suite.let}})
        compiled = compile_task(spec, behaviour_signals(robot, built), dt=self.dt)
        self.columns = {metric: i for i, metric in enumerate(compiled.metric_names)}
        self._program = compiled.only(["metrics"])

    def values(self, trace: Trace, begin: int = 0) -> dict[str, Floats]:
        """Return every expression's value `[K]` at the ticks from `begin` on."""
        fields, own = trace.arrays(begin)
        arrays = signal_arrays(self.built, fields, own, self._program.inputs)
        rows = {name: np.ascontiguousarray(a[:, None], np.float64) for name, a in arrays.items()}
        from .. import _core

        state = _core.State(self._program.build(), 1)
        log = self._program.evaluate_log(rows, np.zeros((len(trace) - begin, 1), np.bool_), state=state)
        table = log.groups["metrics"][:, 0].astype(np.float64)
        return {name: table[:, i] for name, i in self.columns.items()}

    def fell(self, trace: Trace, begin: int = 0) -> str:
        """Return the name of the first condition that ends the episode as a failure, or ''."""
        values = self.values(trace, begin)
        return next((name for name in self.fall if (values[f"fall_{name}"] > 0.5).any()), "")

    def score(self, trace: Trace, turns: list[int]) -> Score:
        """Return the score of a trace whose turns began at the ticks `turns`; only the last turn counts."""
        fallen = self.fell(trace)
        if fallen:
            return Score(False, 0.0, fallen)
        missed = self._missed(trace, turns)
        if missed:
            return Score(False, 0.0, missed)
        values, length = self.values(trace, turns[-1]), max(1, round(self.task.window_s / self.dt))
        count = len(trace) - turns[-1] - length + 1
        if count < 1:
            return Score(False, 0.0, f"shorter than {self.task.window_s:g} s")
        good, reasons = self._windows(values, length)
        self._gain(good, reasons, values, trace, turns, length)
        if self.task.at_end:
            good[:-1] = False
        if good.any():
            return Score(True, float((int(np.argmax(good)) + length) * self.dt))
        return Score(False, 0.0, _worst(reasons, self.task.at_end))

    def _missed(self, trace: Trace, turns: list[int]) -> str:
        """What the first of the turns before the last leaves undone, or ''."""
        for k, turn in enumerate(self.task.turns[: len(turns) - 1]):
            values = self.values(trace, turns[k + 1] - 1) if turn.ends else {}
            for name in turn.ends:
                if values[f"ends_{k}_{name}"][0] < 0.5:
                    return f"{name} not at the end of turn {k + 1}"
        return ""

    def _windows(self, values: dict[str, Floats], length: int) -> tuple[NDArray[np.bool_], dict[str, Floats]]:
        """Which windows fulfil everything, and for each demand how far each window fulfils it, 1 being enough."""
        degrees: dict[str, Floats] = {}
        for name in self.task.throughout:
            degrees[name] = _means(values[f"throughout_{name}"], length)
        for name, (_, least) in self.task.share.items():
            degrees[name] = _means(values[f"share_{name}"], length) / least
        for name, (_, least) in self.task.mean.items():
            degrees[name] = _means(values[f"mean_{name}"], length) / least
        for name, (_, _, least) in self.task.correlation.items():
            degrees[name] = _correlations(values[f"first_{name}"], values[f"second_{name}"], length) / least
        for name, (_, least) in self.task.mean_abs.items():
            degrees[f"mean {name}"] = np.abs(_means(values[f"mean_abs_{name}"], length)) / least
        good = np.all([d >= 1.0 - SLACK for d in degrees.values()], axis=0)
        return good, degrees

    def _gain(
        self, good: NDArray[np.bool_], degrees: dict[str, Floats], values: dict[str, Floats], trace: Trace,
        turns: list[int], length: int,
    ) -> None:
        if not self.task.gain or len(turns) < 2:
            return
        before = self.values(trace, turns[-2])
        for name, (_, least) in self.task.gain.items():
            end = turns[-1] - turns[-2]
            base = before[f"gain_{name}"][max(0, end - length) : end].mean()
            degrees[f"gain {name}"] = (_means(values[f"gain_{name}"], length) - base) / least
            good &= degrees[f"gain {name}"] >= 1.0 - SLACK


def _means(values: Floats, length: int) -> Floats:
    """Means of all windows of `length` ticks."""
    view = np.lib.stride_tricks.sliding_window_view(values, length)
    means: Floats = view.mean(axis=1)
    return means


def _correlations(a: Floats, b: Floats, length: int) -> Floats:
    """Correlations of all windows of `length` ticks, 0 where something does not vary."""
    first, second = (np.lib.stride_tricks.sliding_window_view(x, length) for x in (a, b))
    first, second = (w - w.mean(axis=1, keepdims=True) for w in (first, second))
    size = np.sqrt(np.square(first).sum(1) * np.square(second).sum(1))
    found: Floats = (first * second).sum(1) / np.maximum(size, 1e-12)
    return found


def _worst(degrees: dict[str, Floats], at_end: bool) -> str:
    """The demand that the best window misses by most, with its degree."""
    rows = np.array(list(degrees.values()))
    rows = rows[:, -1:] if at_end else rows
    best = int(np.argmax(np.minimum(rows, 1.0).sum(0)))
    k = int(np.argmin(rows[:, best]))
    return f"{list(degrees)[k]} {100 * rows[k, best]:.0f} %"
