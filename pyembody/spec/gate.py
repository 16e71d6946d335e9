"""Gates of a task: which channels may pay only in episodes, or from steps on, that have reached something."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from .errors import SpecError
from .robot import Positive

Data = dict[str, Any]


class Adaptive(Struct, frozen=True, forbid_unknown_fields=True, rename={"first": "from", "last": "to"}):
    """A threshold that follows the task's progress: the `quantile` of the measures of the last `window` episodes.

    It begins at `from`, never falls, and never passes `to`.
    """

    quantile: Annotated[float, Meta(ge=0, le=1)]
    first: float
    last: float
    window: Annotated[int, Meta(ge=1, le=100_000)] = 100


class Gate(Struct, frozen=True, forbid_unknown_fields=True):
    """The gate of a channel (Gated Reward Accumulation, arXiv 2508.10548).

    A channel with a `threshold` lets channels of lower levels (a greater `level`; 0 is the highest) pay only where its
    measure reaches it: its reward at the episode's last step, the sum, or the best, as `agg` says. `when` is a truth
    value that this channel itself waits for: it must have held in some step of the episode.
    `negative = "pass"` always pays penalties, `mask` gates them too; `cap` is the most that positive rewards pay in an
    episode; `pay = "mean"` divides what is gated by the episode's length.
    """

    level: Annotated[int, Meta(ge=0, le=63)] = 0
    threshold: float | Adaptive | None = None
    compare: Literal[">=", ">"] = ">="
    agg: Literal["last", "sum", "max"] = "last"
    negative: Literal["pass", "mask"] = "pass"
    cap: Positive | None = None
    pay: Literal["sum", "mean"] = "sum"
    when: str = ""


class Gates(Struct, frozen=True, forbid_unknown_fields=True):
    """How all gates of a task work.

    `scope`: `episode` decides at the episode's end, for all of it; `running` opens in the middle, for what follows, and
    shows policy and critics which gates are open (`observe`). `place`: where open channels pay, in their own `steps` or
    together at the `terminal` one. `pending`: what an episode that the learner's buffer cuts off does with what waits.
    """

    scope: Literal["episode", "running"] = "episode"
    place: Literal["steps", "terminal"] = "steps"
    pending: Literal["hold", "zero", "open"] = "hold"
    observe: Literal["all", "critic", "none"] = "all"


def expand_gated_terms(data: Data, place: str) -> Data:
    """Return a task's data in which every term with a `gate` is a channel of its own, `CHANNEL_TERM`.

    It keeps what its channel says besides terms and gate. Raises SpecError for names that are taken and for channels
    that are no sum.
    """
    tables = data.get("channels")
    if not isinstance(tables, dict):
        return data
    channels: Data = {}
    for name, channel in tables.items():
        terms = channel.get("terms") if isinstance(channel, dict) else None
        terms = terms if isinstance(terms, dict) else {}
        gated = {t: x for t, x in terms.items() if _has_gate(x)}
        if not gated:
            channels[name] = channel
            continue
        if channel.get("combine", "sum") != "sum":
            at = f"{place}: channels.{name}.terms.{next(iter(gated))}.gate"
            raise SpecError(f"{at}: expected a channel that is a sum, got combine = '{channel['combine']}'")
        kept = {t: x for t, x in terms.items() if t not in gated}
        if kept:
            channels[name] = channel | {"terms": kept}
        common = {k: v for k, v in channel.items() if k not in ("terms", "gate")}
        for t, term in gated.items():
            own = f"{name}_{t}"
            if own in tables:
                raise SpecError(f"{place}: channels.{name}.terms.{t}.gate: it becomes a channel '{own}', which exists")
            bare = {k: v for k, v in term.items() if k != "gate"}
            channels[own] = common | {"gate": term["gate"], "terms": {t: bare}}
    return data | {"channels": channels}


def _has_gate(term: Any) -> bool:
    return isinstance(term, dict) and term.get("gate") is not None
