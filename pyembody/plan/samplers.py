"""Sampling planners behind one interface: `sample` candidates around a plan, `update` it from their costs.

Predictive sampling (Howell et al. 2022), MPPI (Williams et al. 2017), the cross-entropy method (Rubinstein 1999), and
annealed MPPI (as DIAL-MPC: Xue et al. 2024).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..spec.errors import unknown
from .noise import normals

Floats = NDArray[np.float64]

RAMP = 1.5  # later knots are tried further away: what they do is corrected by the plans to come
SCALES = (1.0, 0.3, 0.1, 2.5)  # of the spread, in turn: some candidates refine, some look far
ELITES, STD_FLOOR, EXPLORERS = 0.1, 0.01, 0.1
SYNERGY = 4.0  # how much wider movements of several actuators are tried
STRIDE = 5  # by which movements take turns, so that each meets every scale
FINE = 0.25  # and how much narrower single ones beside it
KEPT = 20.0  # temperatures beyond the best cost at which a weight is below e^-20


@dataclass(frozen=True)
class Plan:
    """Knots `[K, A]` in actuator units, their spread for CEM, and what the last update found.

    `best` are the knots that cost least, `cost` theirs, `temperature` MPPI's lambda, `effective` the effective number
    of candidates, `index` the number of plans made before.
    """

    knots: Floats
    std: Floats
    best: Floats
    cost: float = np.inf
    temperature: float = np.inf
    effective: float = 0.0
    index: int = 0


@dataclass(frozen=True)
class Spread:
    """How far apart candidates are: `half_range` `[A]` of single actuators, and `synergies` `[S, A]`, movements of
    several at once: every second candidate differs by one of them.
    """

    half_range: Floats
    synergies: Floats

    def noise(self, eps: Floats, sigma: float, turn: int) -> Floats:
        """Return standard normal numbers `[N, K, A]` in actuator units; `turn` moves on which movement comes first."""
        noise: Floats = sigma * self.half_range * eps
        if len(self.synergies):
            moved = eps[1::2]
            amount = SYNERGY * sigma * (moved[:, :1, 0] + 0.5 * moved[:, :, 1])
            which = (np.arange(len(moved)) + STRIDE * turn) % len(self.synergies)
            noise[1::2] = FINE * noise[1::2] + amount[:, :, None] * self.synergies[which][:, None, :]
        return noise


@dataclass(frozen=True)
class HandSpread(Spread):
    """Candidates that differ by movements `synergies` `[S, A]` only, the first `arm` of which move the arm: every
    second one moves the hand alone.
    """

    arm: int = 6

    def noise(self, eps: Floats, sigma: float, turn: int) -> Floats:
        """Return standard normal numbers `[N, K, A]`, as many as movements, in actuator units; `turn` says which ones
        are the hand's.
        """
        amounts = sigma * eps[:, :, : len(self.synergies)]
        amounts[turn % 2 :: 2, :, : self.arm] = 0.0
        noise: Floats = amounts @ self.synergies
        return noise


class Sampler(Protocol):
    """A sampling planner: candidates are sampled, rolled out, and the plan updated."""

    @property
    def rounds(self) -> int:
        """How many times that is done for each plan."""

    @property
    def first(self) -> int:
        """How many candidates are rolled out whole; the dearest of them says what others may cost and still count."""

    @property
    def slack(self) -> float:
        """How many temperatures beyond that still count."""

    def sample(self, plan: Plan, spread: Spread, seed: int, planning_round: int, count: int) -> Floats:
        """Return candidates `[N, K, A]`, the nominal first."""

    def update(self, plan: Plan, candidates: Floats, costs: Floats) -> Plan:
        """Return the plan after the costs `[N]`, infinite ones left out; it is unchanged if all are."""


@dataclass(frozen=True)
class Predictive:
    """Predictive sampling: the cheapest candidate is the plan, ties to the lowest index."""

    sigma: float = 0.15
    rounds: int = 1
    first: int = 1
    slack: float = 0.0

    def sample(self, plan: Plan, spread: Spread, seed: int, planning_round: int, count: int) -> Floats:
        """Return candidates `[N, K, A]`."""
        return around(plan, self.sigma, spread, seed, planning_round, count)

    def update(self, plan: Plan, candidates: Floats, costs: Floats) -> Plan:
        """Return the plan of the cheapest candidate."""
        k = int(np.argmin(costs))
        if not np.isfinite(costs[k]):
            return plan
        return replace(plan, knots=candidates[k], best=candidates[k], cost=float(costs[k]), effective=1.0)


@dataclass(frozen=True)
class Mppi:
    """Model predictive path integral control: the softly weighted mean of all candidates."""

    sigma: float = 0.15
    tau: float = 0.1
    rounds: int = 1
    first: int = 1
    slack: float = KEPT

    def sample(self, plan: Plan, spread: Spread, seed: int, planning_round: int, count: int) -> Floats:
        """Return candidates `[N, K, A]`."""
        return around(plan, self.sigma, spread, seed, planning_round, count)

    def update(self, plan: Plan, candidates: Floats, costs: Floats) -> Plan:
        """Return the plan of weights exp(-(J - min J) / lambda), lambda = tau (median J - min J) + 1e-9."""
        finite = np.isfinite(costs)
        if not finite.any():
            return plan
        k = int(np.argmin(costs))
        low = float(costs[k])
        middle = min(float(np.median(costs)) if finite.all() else float(np.sort(costs)[len(costs) // 2]),
                     float(costs[finite].max()))
        temperature = self.tau * (middle - low) + 1e-9
        weights = np.where(finite, np.exp(-(np.where(finite, costs, low) - low) / temperature), 0.0)
        weights[costs > low + KEPT * temperature] = 0.0
        weights /= weights.sum()
        knots = np.tensordot(weights, candidates, 1)
        effective = float(1.0 / np.square(weights).sum())
        return replace(plan, knots=knots, best=candidates[k], cost=low, temperature=temperature, effective=effective)


@dataclass(frozen=True)
class Cem:
    """The cross-entropy method: mean and spread of the cheapest tenth."""

    sigma: float = 0.15
    rounds: int = 1
    first: int = 2
    slack: float = 0.0

    def sample(self, plan: Plan, spread: Spread, seed: int, planning_round: int, count: int) -> Floats:
        """Return candidates `[N, K, A]`; the last tenth keeps the initial spread."""
        half_range = spread.half_range
        std = np.where(np.isfinite(plan.std), np.maximum(plan.std, STD_FLOOR * half_range), self.sigma * half_range)
        scale = np.broadcast_to(std, (count, *plan.knots.shape)).copy()
        scale[count - int(EXPLORERS * count) :] = self.sigma * half_range
        candidates = plan.knots + scale * normals(seed, plan.index, planning_round, (count, *plan.knots.shape))
        candidates[0] = plan.knots
        return candidates

    def update(self, plan: Plan, candidates: Floats, costs: Floats) -> Plan:
        """Return the plan of the elites."""
        elites = np.argsort(costs, kind="stable")[: max(2, int(np.ceil(ELITES * len(costs))))]
        elites = elites[np.isfinite(costs[elites])]
        if len(elites) == 0:
            return plan
        chosen = candidates[elites]
        best, cost = candidates[elites[0]], float(costs[elites[0]])
        return replace(
            plan, knots=chosen.mean(0), std=chosen.std(0), best=best, cost=cost, effective=float(len(elites))
        )


@dataclass(frozen=True)
class Annealed(Mppi):
    """MPPI in rounds of ever narrower spread; the first round also tries the best of the plan before."""

    rounds: int = 3
    shrink: float = 0.5

    def sample(self, plan: Plan, spread: Spread, seed: int, planning_round: int, count: int) -> Floats:
        """Return candidates `[N, K, A]`, `count` of this round."""
        candidates = around(plan, self.sigma * self.shrink**planning_round, spread, seed, planning_round, count)
        if planning_round == 0 and count > 1:
            candidates[1] = plan.best
        return candidates


def around(plan: Plan, sigma: float, spread: Spread, seed: int, planning_round: int, count: int) -> Floats:
    """Return `count` candidates `[N, K, A]`: the plan's knots themselves, then normal ones about them, wider at later
    knots, near and far in turn.
    """
    steps = len(plan.knots)
    ramp = 1.0 + RAMP * np.arange(steps) / max(steps - 1, 1)
    scale = np.array(SCALES)[np.arange(count) // 2 % len(SCALES)]
    eps = normals(seed, plan.index, planning_round, (count, *plan.knots.shape))
    eps[0] = 0.0
    noise = spread.noise(eps * scale[:, None, None] * ramp[:, None], sigma, plan.index + planning_round)
    candidates: Floats = plan.knots + noise
    return candidates


KINDS: dict[str, type[Predictive | Mppi | Cem]] = {
    "predictive": Predictive, "mppi": Mppi, "cem": Cem, "annealed": Annealed
}


def make_sampler(kind: str, sigma: float, count: int, rounds: int = 0) -> Sampler:
    """Return a planner for `count` candidates by name, `rounds` 0 being its usual number. Raises SpecError."""
    if kind not in KINDS:
        raise unknown("planner", "kind", kind, KINDS)
    sampler = KINDS[kind](sigma=sigma)
    if kind == "cem":
        sampler = replace(sampler, first=max(2, int(np.ceil(ELITES * count))))
    return replace(sampler, rounds=rounds) if rounds else sampler
