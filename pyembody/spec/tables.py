"""Tables of a task beside its terms: stages, machines, terminal values, schedules, constants, learned signals."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from .robot import NonNegative, Positive

Seconds = Annotated[float, Meta(ge=0, le=1e6)]


class Stage(Struct, frozen=True, forbid_unknown_fields=True):
    """One stage of a task: once `until` has held for `hold_s` seconds, `reward` is paid and the next one begins.

    After `timeout_s` seconds (0: never) the stage `on_fail` begins instead; without a name the episode ends as failed.
    Reaching a `terminal` stage ends the episode as a success.
    """

    name: str
    until: str = ""
    hold_s: Seconds = 0.0
    timeout_s: Seconds = 0.0
    on_fail: str = ""
    reward: float = 0.0
    terminal: bool = False


class Edge(Struct, frozen=True, forbid_unknown_fields=True, rename={"source": "from"}):
    """One row of a reward machine: in the state `from`, when `when` is true, go to `to` and pay `reward`."""

    source: str
    to: str
    when: str
    reward: float = 0.0


class Staging(Struct, frozen=True, forbid_unknown_fields=True):
    """How stages pay: into which channel (default: the first), and whether shaping by their own values is added.

    `terminal` names the states of a machine that end the episode as a success.
    """

    channel: str = ""
    shaping: bool = False
    terminal: tuple[str, ...] = ()


class Terminal(Struct, frozen=True, forbid_unknown_fields=True):
    """What a channel (default: the first) pays in a step where `when` is true: added to it, or set in place of it."""

    value: float
    when: str = "terminated"
    mode: Literal["add", "set"] = "add"
    channel: str = ""


class Schedule(Struct, frozen=True, forbid_unknown_fields=True, rename={"first": "from", "last": "to"}):
    """A parameter that changes with training: from `from` at `start` to `to` at `end`, in environment steps.

    `const` is `to` always, `step` jumps at `start`, `exp` changes by equal factors.
    """

    last: float
    first: float = 0.0
    kind: Literal["const", "step", "linear", "cosine", "exp"] = "linear"
    start: NonNegative = 0.0
    end: NonNegative = 0.0


class Table(Struct, frozen=True, forbid_unknown_fields=True):
    """Constants that an expression looks up by number: `table("name", i)`."""

    values: Annotated[tuple[float, ...], Meta(min_length=1, max_length=4096)]
    unit: str = "1"


class Learned(Struct, frozen=True, forbid_unknown_fields=True):
    """A signal that training writes, used as `learned("name")`: clipped to its range, 0 when older than `max_age` s."""

    low: float
    high: float
    unit: str = "1"
    max_age: Positive = 10.0
    version: str = ""


class Template(Struct, frozen=True, forbid_unknown_fields=True):
    """A term that other terms name with `template`; what they say themselves wins, parameters keep unit and range."""

    expr: str
    weight: float = 1.0
    scale: Literal["rate", "event", "none"] = "rate"
    params: dict[str, float | dict[str, float | str | bool]] = field(default_factory=dict)
    max_abs: Positive = 1e6
    clip: tuple[float, float] | None = None
    doc: str = ""
