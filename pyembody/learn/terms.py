"""What every reward term said and paid in an iteration: the log's table of terms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..envs.paid import joined_terms, paid_names
from .distributed import Group

Array = npt.NDArray[Any]
TAILS = (5.0, 95.0)


class TermLog:
    """Raw and paid values of one horizon. `raw [T, N, K]` of terms, `paid [T, N, K + L]` of `paid_names`.

    `episode [N, K + L]` sums what running episodes have paid so far; a checkpoint keeps it.
    """

    def __init__(self, env: Any, horizon: int) -> None:
        self.env, self._horizon = env, horizon
        self.names: tuple[str, ...] = ()
        self.episode = np.zeros((env.num_envs, 0))
        self._ended, self._episodes = np.zeros(0), 0
        self.start()

    def start(self) -> None:
        """Begin a horizon, of the terms that the environment has now: what episodes paid goes on by name."""
        if self.names != paid_names(self.env):
            self._fit()
        self._ended[:], self._episodes = 0.0, 0

    def _fit(self) -> None:
        env, before = self.env, dict(zip(self.names, self.episode.T, strict=True))
        self.names = paid_names(env)
        rows, width = (self._horizon, env.num_envs), len(self.names)
        self.raw = np.zeros((*rows, len(env.term_names) if hasattr(env, "raw") else 0), np.float32)
        self.paid = np.zeros((*rows, width), np.float32)
        self.episode, self._ended = np.zeros((env.num_envs, width)), np.zeros(width)
        for k, name in enumerate(self.names):
            self.episode[:, k] = before.get(name, 0.0)

    def keep(self, t: int, ended: Array) -> None:
        """Take in step t of the environment; `ended [N]` says whose episode that was the last of."""
        env, count = self.env, len(self.env.term_names)
        if self.raw.shape[2]:
            self.raw[t] = env.raw
        self.paid[t, :, :count] = env.weighted
        if len(self.names) > count:
            self.paid[t, :, count:] = env.lines
        self.episode += self.paid[t]
        if ended.any():
            self._ended += self.episode[ended].sum(axis=0)
            self._episodes += int(ended.sum())
            self.episode[ended] = 0.0

    def statistics(self, group: Group) -> dict[str, dict[str, float]]:
        """Return the figures of each name over all ranks.

        Paid: `per_step`, `per_second`, `per_episode` (mean of the episodes that ended; missing where none did), and
        `share`, the part of the sum of all absolute pays. Of terms also `weight` and, of the raw values, `raw_mean`,
        `raw_min`, `raw_max`, `raw_p5`, `raw_p95` (of several ranks the mean of theirs) and `nonzero`, the share of
        steps off 0. A term that is joined with others has no pay of its own: its line has it.
        """
        steps = group.size * self.paid.shape[0] * self.paid.shape[1]
        sums = [self.paid.sum(axis=(0, 1), dtype=np.float64), np.abs(self.paid).sum(axis=(0, 1), dtype=np.float64)]
        sums += [self.raw.sum(axis=(0, 1), dtype=np.float64), (self.raw != 0).sum(axis=(0, 1)).astype(np.float64)]
        parts = _summed(group, [*sums, self._ended, np.array([float(self._episodes)])])
        paid, size, raw, nonzero, ended, episodes = parts
        shares = size / max(float(size.sum()), 1e-12)
        found: dict[str, dict[str, float]] = {name: {} for name in self.names}
        joined = (*joined_terms(self.env), *[False] * (len(self.names) - len(self.env.term_names)))
        for k in (k for k in range(len(self.names)) if not joined[k]):
            found[self.names[k]] = {
                "per_step": float(paid[k] / steps),
                "per_second": float(paid[k] / steps / self.env.control_dt),
                "share": float(shares[k]),
            } | ({"per_episode": float(ended[k] / episodes[0])} if episodes[0] else {})
        for k, figures in self._raw_figures(group):
            found[self.names[k]] |= {"raw_mean": raw[k] / steps, "nonzero": nonzero[k] / steps} | figures
        for name, weight in self._weights():
            found[name]["weight"] = weight
        return {name: {key: float(value) for key, value in figures.items()} for name, figures in found.items()}

    def _raw_figures(self, group: Group) -> Iterator[tuple[int, dict[str, float]]]:
        """Least, most and tails of the raw values of each term."""
        if not self.raw.shape[2]:
            return
        rows = self.raw.reshape(-1, self.raw.shape[2])
        own = np.concatenate([rows.min(axis=0, keepdims=True), rows.max(axis=0, keepdims=True), _tails(rows)])
        ranks = np.zeros((group.size, *own.shape))
        ranks[group.rank] = own
        (all_ranks,) = _summed(group, [ranks.ravel()])
        ranks = all_ranks.reshape(ranks.shape)
        for k in range(rows.shape[1]):
            low, high = ranks[:, 0, k].min(), ranks[:, 1, k].max()
            p5, p95 = ranks[:, 2:, k].mean(axis=0)
            yield k, {"raw_min": low, "raw_max": high, "raw_p5": p5, "raw_p95": p95}

    def _weights(self) -> Iterator[tuple[str, float]]:
        """The weights in force, of environments that have a program."""
        program = getattr(self.env, "program", None)
        params = {} if program is None else program.params
        for name in (n for n in self.env.term_names if f"{n}.weight" in params):  # what stages pay has none
            yield name, self.env.params[params[f"{name}.weight"].index]


def _tails(rows: Array) -> Array:
    """The percentiles TAILS [2, K] of rows [R, K], each a value that occurred: half the time of interpolating."""
    places = [round(p / 100 * (len(rows) - 1)) for p in TAILS]
    found: Array = np.partition(rows, places, axis=0)[places]
    return found


def _summed(group: Group, parts: list[Array]) -> list[Array]:
    """The sums of some arrays over all ranks, in one message."""
    total = group.sum(torch.from_numpy(np.concatenate([np.asarray(p, np.float64) for p in parts]))).numpy()
    return np.split(total, np.cumsum([len(p) for p in parts])[:-1])
