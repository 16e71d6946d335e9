"""What each term pays policies that should not be paid: holding still, doing nothing or anything, being frozen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..envs import VectorEnv
from ..envs.control import per_joint
from ..envs.critique import model_bounds
from ..program.critic import Finding, Pay, analyse, ordered, pays, signal_bounds
from ..spec.robot import Robot
from ..spec.task import Task
from .audit_rules import Audited, judge, saturation
from .record import Policy
from .replay import States, watch
from .statistics import Mean, bootstrap_mean, finite

Array = npt.NDArray[Any]
ENVS, SEEDS, SECONDS = 64, (0, 1, 2), 5.0
OWN = ("command", "moving", "clock", "leg_phase")
"""Signals of the task itself: they go on while the robot is frozen."""


@dataclass(frozen=True)
class TermAudit:
    """One term under one policy: pay per second with its 95 % interval, raw extremes, and shares.

    `nonzero` of steps with a raw value off 0, `share` of the sum of absolute pays, `saturated` of steps within 2 % of
    a bound of the raw value (NaN for a term that is not bounded by ±1). A term that is joined with others has no pay of
    its own (NaN): the combination of its channel, listed after the terms, has it. Shaping by stages has no share (NaN):
    it cancels over an episode.
    """

    per_second: Mean
    low: float
    high: float
    nonzero: float
    share: float
    saturated: float

    def to_json(self) -> dict[str, Any]:
        """Return the numbers by name, None where they are not finite."""
        own = {k: finite(getattr(self, k)) for k in ("low", "high", "nonzero", "share", "saturated")}
        return {"per_second": self.per_second.to_json()} | own


@dataclass(frozen=True)
class Audit:
    """Every term under every policy, the correlations [K, K] of raw values over all of them, and the findings.

    `shaping` are the terms that cancel over an episode.
    """

    terms: dict[str, dict[str, TermAudit]]
    term_names: tuple[str, ...]
    correlation: Array
    findings: tuple[Finding, ...] = ()
    shaping: tuple[str, ...] = ()
    totals: dict[str, Mean] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "policies": {p: {n: t.to_json() for n, t in terms.items()} for p, terms in self.terms.items()},
            "totals": {p: m.to_json() for p, m in self.totals.items()},
            "correlation": [[finite(x) for x in row] for row in self.correlation],
            "findings": [f.to_json() for f in self.findings],
        }


def audit_task(
    task: Task,
    robot: Robot,
    *,
    envs: int = ENVS,
    seeds: Sequence[int] = SEEDS,
    seconds: float = SECONDS,
    reference: Policy | None = None,
) -> Audit:
    """Return the audit of a task on a robot, from one batched rollout a policy and seed.

    `reference` is a policy that does the task, if there is one. Raises SpecError for an illegal pair.
    """
    from gymnasium.vector import AutoresetMode

    env = VectorEnv(task, robot, envs, autoreset_mode=AutoresetMode.NEXT_STEP)
    bounds = signal_bounds(env.program.signals, robot, task, model_bounds(robot, task))
    known = pays(task, env.program, analyse(task, env.program, bounds))
    steps = min(round(seconds / env.control_dt), env.max_steps)
    runs = {name: _run(env, policy, steps, seeds) for name, policy in _policies(robot, seeds, reference).items()}
    env.close()
    paid = {name: [p for _, p in parts] for name, parts in runs.items()}
    paid["frozen"] = [_frozen(env, states, p) for states, p in runs["hold"]]
    started = {name: [s.started for s, _ in runs.get(name, runs["hold"])] for name in paid}
    pick = _Columns(known, env)
    return _report(env, known, {n: _audited(p, started[n], pick) for n, p in paid.items()})


def _policies(robot: Robot, seeds: Sequence[int], reference: Policy | None) -> dict[str, Policy]:
    control, width = robot.control, len(robot.joints)
    rest = np.zeros(width, np.float32)
    if control.kind == "position" and control.offset:
        rest = ((np.asarray(robot.default_pose) - control.offset) / per_joint(robot, control.action_scale)).astype("f4")
    rng = np.random.default_rng(np.random.SeedSequence([*seeds, 2]))
    found: dict[str, Policy] = {
        "hold": lambda x: np.broadcast_to(rest, (len(x), width)),
        "zero": lambda x: np.zeros((len(x), width), np.float32),
        "random": lambda x: rng.uniform(-1, 1, (len(x), width)).astype(np.float32),
    }
    return found if reference is None else found | {"reference": reference}


def _run(env: VectorEnv, policy: Policy, steps: int, seeds: Sequence[int]) -> list[tuple[States, dict[str, Array]]]:
    return [watch(env, policy, steps, seed) for seed in seeds]


def _frozen(env: VectorEnv, states: States, paid: Mapping[str, Array]) -> dict[str, Array]:
    """The pay of the first states, repeated, while commands and clock go on as they did."""
    steps, rows = states.started.shape
    still = {
        name: values if name in OWN else np.broadcast_to(values[:1], values.shape)
        for name, values in states.signals.items()
    }
    started = np.zeros((steps, rows), np.bool_)
    started[0] = True
    return States(still, started).pays(env.program) | {"terminated": np.zeros_like(paid["terminated"])}


class _Columns:
    """Where each of the `known` pays stands: terms in raw and weighted, combinations of channels in the lines."""

    def __init__(self, known: list[Pay], env: VectorEnv) -> None:
        lines = known[len(env.term_names) :]
        self.line = [env.line_names.index(f"{p.channel}.{p.name}") for p in lines]
        self.factor = np.array([p.factor or 1.0 for p in lines], np.float32)

    def pays(self, paid: Mapping[str, Array]) -> tuple[Array, Array]:
        """Return raw and paid values [T, N, known]."""
        if not self.line:
            return paid["raw"], paid["weighted"]
        lines = paid["lines"][..., self.line]
        raw = np.concatenate([paid["raw"], lines / self.factor], axis=-1)
        return raw, np.concatenate([paid["weighted"], lines], axis=-1)


def _audited(parts: Sequence[Mapping[str, Array]], started: Sequence[Array], pick: _Columns) -> Audited:
    """All seeds of a policy as one, first states left out."""
    raw, weighted = (np.concatenate(values, axis=1) for values in zip(*(pick.pays(p) for p in parts), strict=True))
    channels = np.concatenate([p["channels"] for p in parts], axis=1)
    return Audited(raw, weighted, channels, ~np.concatenate(list(started), axis=1))


def _report(env: VectorEnv, known: list[Pay], audited: dict[str, Audited]) -> Audit:
    terms = {name: _terms(env, known, a) for name, a in audited.items()}
    totals = {name: bootstrap_mean(a.row_means(a.channels).sum(axis=1) / env.control_dt) for name, a in audited.items()}
    raw = np.concatenate([a.raw[a.valid] for a in audited.values()]).astype(np.float64)
    spread = raw.std(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.corrcoef(raw.T).reshape(len(known), len(known))
    correlation[(spread == 0) | ~np.isfinite(spread)] = np.nan
    findings = ordered(list(judge(known, audited, correlation, env.control_dt)))
    shaping = tuple(f"{p.channel}.{p.name}" for p in known if p.shaping)
    return Audit(terms, tuple(terms["hold"]), correlation, tuple(findings), shaping, totals)


def _terms(env: VectorEnv, known: list[Pay], a: Audited) -> dict[str, TermAudit]:
    means = a.row_means(a.weighted) / env.control_dt
    total = np.abs(a.weighted[a.valid]).sum(axis=0, dtype=np.float64) * np.array([not p.shaping for p in known])
    share = total / max(float(total.sum()), 1e-12)
    raw = a.raw[a.valid]
    return {
        f"{pay.channel}.{pay.name}": TermAudit(
            bootstrap_mean([] if pay.joined else means[:, k]),
            float(raw[:, k].min()),
            float(raw[:, k].max()),
            float((raw[:, k] != 0).mean()),
            math.nan if pay.joined or pay.shaping else float(share[k]),
            saturation(raw[:, k], pay),
        )
        for k, pay in enumerate(known)
    }
