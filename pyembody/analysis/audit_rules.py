"""Findings that need to see what terms pay: at idle, always the same, more than all others, hardly ever."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..program.critic import Finding, Pay
from ..program.types import Node

Array = npt.NDArray[Any]
IDLE, FLAT, DOMINANT, SATURATED = 0.5, 0.01, 0.8, 0.95
OFTEN, RARELY, SAME, NEAR_BOUND = 0.3, 0.02, 0.98, 0.02
MOTION = ("rate", "delta", "first_contact", "last_air_time", "air_time", "cycle")
"""Operations that a term about motion reads, besides signals per second."""


@dataclass(frozen=True)
class Audited:
    """One policy: raw and weighted terms [T, N, K], channels [T, N, C], and which steps count, [T, N]."""

    raw: Array
    weighted: Array
    channels: Array
    valid: Array

    def only(self, kept: list[int]) -> Audited:
        """Return the same steps with some of the terms."""
        return replace(self, raw=self.raw[..., kept], weighted=self.weighted[..., kept])

    def row_means(self, values: Array) -> Array:
        """Return the mean a step of every row, [N, K]."""
        count = np.maximum(self.valid.sum(axis=0), 1)[:, None]
        means: Array = np.where(self.valid[..., None], values, 0).sum(axis=0, dtype=np.float64) / count
        return means


def judge(known: list[Pay], audited: Mapping[str, Audited], correlation: Array, dt: float) -> Iterator[Finding]:
    """Yield the findings of an audit; `known` are the terms with their static bounds."""
    kept = [k for k, pay in enumerate(known) if not pay.shaping]  # what cancels over an episode is no pay
    known, audited = [known[k] for k in kept], {n: a.only(kept) for n, a in audited.items()}
    yield from _idle(known, audited, dt)
    pooled = np.concatenate([a.raw[a.valid] for a in audited.values()]).astype(np.float64)
    for k, pay in enumerate(known):
        if pay.joined:  # its channel's combination pays
            continue
        yield from _idle_term(k, pay, audited)
        yield from _flat(pay, pooled[:, k])
        if pay.path != "staging":  # an edge is taken once: nearly always nothing
            yield from _saturated(k, pay, audited)
        if pay.term.expr:
            yield from _rate(k, pay, audited)
    yield from _dominant(known, audited)
    yield from _same(known, correlation[np.ix_(kept, kept)])


def _pay(audited: Audited, k: int | None = None) -> Array:
    """Mean pay a step of every row, [N]: of one term, or of all."""
    means = audited.row_means(audited.weighted)
    found: Array = means[:, k] if k is not None else means.sum(axis=1)
    return found


def _idle(known: list[Pay], audited: Mapping[str, Audited], dt: float) -> Iterator[Finding]:
    """Holding still earns most of what there is to earn."""
    reference = audited.get("reference")
    most = float(_pay(reference).mean()) if reference is not None else sum(max(p.high, 0.0) for p in known)
    if not np.isfinite(most) or most <= 0:
        return
    share, name = max((float(_pay(audited[n]).mean()) / most, n) for n in ("hold", "frozen"))
    if share > IDLE:
        what = "the reference earns" if reference is not None else "there is to earn"
        message = f"the policy '{name}' earns {share:.0%} of what {what} ({most / dt:.3g} a second) and does nothing"
        fix = "let terms that are met at rest pay only while the task moves on, or cost when they are not met"
        evidence = {"policy": name, "share": share}
        yield Finding(
            "W-IDLE",
            "W",
            "channels",
            message,
            expected=f"at most {IDLE:.0%}",
            got=f"{share:.0%}",
            fix=fix,
            evidence=evidence,
        )


def _idle_term(k: int, pay: Pay, audited: Mapping[str, Audited]) -> Iterator[Finding]:
    """A term that reads motion pays more at rest than for moving at random."""
    if pay.factor <= 0 or not np.isfinite(pay.high) or pay.high <= 0 or not moves(pay.node):
        return
    still, moving = (_pay(audited[n], k) for n in ("frozen", "random"))
    error = float(np.hypot(still.std(), moving.std()) / np.sqrt(len(still)))
    share = float(still.mean()) / pay.high
    if share > 0.9 and still.mean() > moving.mean() + 2 * error:
        message = f"reads motion and pays {share:.0%} of its most to a robot that does not move"
        fix = "let it pay only while the robot has to move: where(moving, x, 0), or in swing only"
        yield Finding(
            "W-IDLE",
            "W",
            pay.path,
            message,
            pay.span,
            "little pay at rest",
            f"{share:.0%}",
            fix=fix,
            evidence={"share": share},
        )


def moves(node: Node) -> bool:
    """True if a term reads a velocity, a gait or a contact."""
    stack, seen = [node], set()
    while stack:
        top = stack.pop()
        if id(top) in seen:
            continue
        seen.add(id(top))
        speed = top.op == "signal" and any(n == "s" and p < 0 for n, p in top.type.unit.powers)
        named = top.op == "signal" and str(top.static["name"]).startswith(("foot_", "leg_phase"))
        if speed or named or top.op in MOTION:
            return True
        stack += top.args
    return False


def _flat(pay: Pay, raw: Array) -> Iterator[Finding]:
    mean, spread = float(np.abs(raw.mean())), float(raw.std())
    if mean > 0 and spread < FLAT * mean:
        message = f"pays everybody the same: {raw.mean():.3g} with a spread of {spread:.2g} over all policies and steps"
        fix = "choose a scale of the size of the errors that occur, or drop the term"
        yield Finding(
            "W-FLAT",
            "W",
            pay.path,
            message,
            pay.span,
            "pay that depends on behaviour",
            f"{spread:.2g}",
            fix=fix,
            evidence={"mean": mean, "std": spread},
        )


def saturation(raw: Array, pay: Pay) -> float:
    """Return the share of values within 2 % of a bound; NaN for a term that ±1 does not bound."""
    low, high = pay.range.low, pay.range.high
    if low < -1.001 or high > 1.001 or high == low:
        return float("nan")
    margin = NEAR_BOUND * (high - low)
    return float(((raw <= low + margin) | (raw >= high - margin)).mean())


def _saturated(k: int, pay: Pay, audited: Mapping[str, Audited]) -> Iterator[Finding]:
    shares = [saturation(a.raw[a.valid][:, k], pay) for a in audited.values()]
    if not pay.node.type.integer and min(shares) > SATURATED:
        message = f"is within 2 % of a bound in at least {min(shares):.0%} of all steps, whatever the policy does"
        fix = "widen the kernel to the errors that occur"
        yield Finding(
            "W-SATURATED",
            "W",
            pay.path,
            message,
            pay.span,
            "values between the bounds",
            f"{min(shares):.0%}",
            fix=fix,
            evidence={"share": min(shares)},
        )


def _rate(k: int, pay: Pay, audited: Mapping[str, Audited]) -> Iterator[Finding]:
    shares = {n: float((a.raw[a.valid][:, k] != 0).mean()) for n, a in audited.items() if n != "frozen"}
    if pay.term.scale == "event" and min(shares.values()) > OFTEN:
        message = f"is an event, but pays in at least {min(shares.values()):.0%} of the steps of every policy"
        fix = 'scale = "rate" for what is paid all the time'
        yield Finding("W-RATE", "W", pay.path, message, pay.span, "rare pay", f"{min(shares.values()):.0%}", fix=fix)
    elif pay.term.scale == "rate" and 0 < max(shares.values()) < RARELY:
        message = f"is a rate, but pays in at most {max(shares.values()):.1%} of the steps of any policy"
        fix = 'scale = "event" for what is paid once when it happens'
        yield Finding(
            "W-RATE", "W", pay.path, message, pay.span, "frequent pay", f"{max(shares.values()):.1%}", fix=fix
        )


def _dominant(known: list[Pay], audited: Mapping[str, Audited]) -> Iterator[Finding]:
    """One term is most of the pay, of the reference or else of every policy; those fail, which events then tell."""
    if len(known) < 2:
        return
    names = ["reference"] if "reference" in audited else ["hold", "zero", "random"]
    counted = np.array(["reference" in audited or p.term.scale != "event" for p in known])
    totals = np.array([np.abs(audited[n].weighted[audited[n].valid]).sum(axis=0, dtype=np.float64) for n in names])
    totals = totals * counted
    shares = (totals / np.maximum(totals.sum(axis=1, keepdims=True), 1e-12)).min(axis=0)
    k = int(shares.argmax())
    if shares[k] > DOMINANT:
        message = f"is {shares[k]:.0%} of all that is paid and charged: the other terms hardly count"
        fix = "lower its weight, or raise the others'"
        yield Finding(
            "W-DOMINANT",
            "W",
            known[k].path,
            message,
            known[k].span,
            f"at most {DOMINANT:.0%}",
            f"{shares[k]:.0%}",
            fix=fix,
            evidence={"share": float(shares[k])},
        )


def _same(known: list[Pay], correlation: Array) -> Iterator[Finding]:
    for i, pay in enumerate(known):
        for j in range(i):
            if pay.term.expr and known[j].channel == pay.channel and abs(correlation[i, j]) > SAME:
                message = f"moves with {known[j].channel}.{known[j].name}: correlation {correlation[i, j]:.3f}"
                fix = "keep one of the two"
                yield Finding(
                    "W-DUP", "W", pay.path, message, pay.span, f"below {SAME}", f"{correlation[i, j]:.3f}", fix=fix
                )
