"""Tasks: what a task folder says. Expressions are text here; `pyembody.program` gives them meaning."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from .gate import Gate, Gates
from .robot import NonNegative, Positive
from .signal import Signal
from .skills import Skills
from .tables import Edge, Learned, Schedule, Stage, Staging, Table, Template, Terminal

Fraction = Annotated[float, Meta(ge=0, le=1)]
Scale = Literal["rate", "event", "none"]
Combine = Literal["sum", "product", "geomean", "min", "hamacher"]


class Parameter(Struct, frozen=True, forbid_unknown_fields=True):
    """A number that may change while a program runs: value, unit, legal range, and what it is for.

    With `per_env` every environment may have a value of its own.
    """

    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    doc: str = ""
    per_env: bool = False


class Term(Struct, frozen=True, forbid_unknown_fields=True):
    """One reward term: weight * scale * expr. `rate` multiplies by the control step, `event` and `none` do not.

    A value beyond `max_abs` is clipped and counted, one outside `clip` (low, high) too. `template` names the template
    that the term was made from.
    """

    expr: str
    weight: float = 1.0
    scale: Scale = "rate"
    params: dict[str, float | Parameter] = field(default_factory=dict)
    max_abs: Positive = 1e6
    clip: tuple[float, float] | None = None
    template: str = ""
    doc: str = ""


class Channel(Struct, frozen=True, forbid_unknown_fields=True):
    """A group of terms with its own critic. `weight` is its share in the policy's advantage.

    `combine` other than `sum` joins the terms' values without scales: `product` and `geomean` take the weights as
    exponents, `min` and `hamacher` take none; the result is multiplied by `gain`, and by the control step if `scale` is
    `rate`. `gate` says when the channel may pay and what it gates. `episodic = false` lets returns run on beyond the
    end of an episode, as an exploration bonus may.
    """

    terms: dict[str, Term]
    weight: NonNegative = 1.0
    gamma: Fraction = 0.99
    lam: Fraction = 0.95
    floor: float | None = None
    combine: Combine = "sum"
    gain: float = 1.0
    scale: Scale = "rate"
    gate: Gate | None = None
    episodic: bool = True


class Observation(Struct, frozen=True, forbid_unknown_fields=True):
    """One block of an observation: an expression and the half-width of its uniform sensor noise, in its unit."""

    expr: str
    noise: NonNegative = 0.0


class Episode(Struct, frozen=True, forbid_unknown_fields=True):
    """Length of an episode in seconds; at its end a row is truncated."""

    length_s: Positive = 20.0


class Command(Struct, frozen=True, forbid_unknown_fields=True):
    """Velocity commands (forward, lateral: m/s, body frame; turn: rad/s), drawn uniformly from [low, high].

    Every `resample_s` seconds a new target is drawn: zero with probability `zero`, turning on the spot with probability
    `turn`. The signal `command` follows its target with at most `slew` per second. Redraws with a norm below
    `deadband` are zero.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    resample_s: tuple[Positive, Positive] = (2.0, 7.0)
    zero: Fraction = 0.1
    turn: Fraction = 0.15
    slew: tuple[Positive, Positive, Positive] = (2.0, 2.0, 4.0)
    deadband: NonNegative = 0.05


class Clock(Struct, frozen=True, forbid_unknown_fields=True):
    """The gait clock: signals `clock` (sin, cos; zero while the command is zero) and `leg_phase` over feet, in [0, 1).

    A leg's cycle begins with its swing; how long that lasts is for the task to say. `offsets` hold one number per foot.
    """

    frequency: Positive = 2.0
    offsets: tuple[Fraction, ...] = (0.0, 0.5, 0.5, 0.0)


class Reset(Struct, frozen=True, forbid_unknown_fields=True):
    """Half-widths of the uniform starting distribution around the default pose.

    `joint_*` are those of the robot's joints, `passive_*` of its hinges and slides that nothing drives. `scene` gives
    ranges [low, high] of positions (m, rad) for hinges and slides of the task's scene.
    """

    joint_pos: NonNegative = 0.0
    joint_vel: NonNegative = 0.0
    passive_pos: NonNegative = 0.0
    passive_vel: NonNegative = 0.0
    height: NonNegative = 0.0
    tilt: NonNegative = 0.0
    yaw: NonNegative = 0.0
    lin_vel: NonNegative = 0.0
    ang_vel: NonNegative = 0.0
    scene: dict[str, tuple[float, float]] = field(default_factory=dict)


class Randomize(Struct, frozen=True, forbid_unknown_fields=True):
    """Ranges [low, high] drawn once per environment and episode; a missing one leaves the model as it is.

    `friction` sliding friction; `base_mass` kg added to the base; `mass_scale`, `kp_scale`, `kd_scale` factors;
    `joint_friction` N m; `com` half-width in m of a shift of the base's centre of mass.
    """

    friction: tuple[NonNegative, NonNegative] | None = None
    base_mass: tuple[float, float] | None = None
    mass_scale: tuple[Positive, Positive] | None = None
    kp_scale: tuple[Positive, Positive] | None = None
    kd_scale: tuple[Positive, Positive] | None = None
    joint_friction: tuple[NonNegative, NonNegative] | None = None
    com: NonNegative = 0.0


class Push(Struct, frozen=True, forbid_unknown_fields=True):
    """A sudden change of the base's horizontal velocity by up to `velocity` m/s, every `interval_s` seconds."""

    velocity: NonNegative = 0.5
    interval_s: tuple[Positive, Positive] = (4.0, 8.0)


class Terrain(Struct, frozen=True, forbid_unknown_fields=True):
    """Ground: `flat`, or a height field of `size_m` metres with bumps of `bump_m` and steps of `step_m` metres."""

    kind: Literal["flat", "rough"] = "flat"
    size_m: Annotated[float, Meta(ge=3.0)] = 36.0
    cell_m: Positive = 0.1
    bump_m: NonNegative = 0.05
    step_m: NonNegative = 0.10
    seed: int = 0


class Symmetry(Struct, frozen=True, forbid_unknown_fields=True):
    """Mirror canonicalisation: the policy sees the left-right mirrored robot while observation `clock`[0] < 0."""

    clock: str = "clock"


class Task(Struct, frozen=True, forbid_unknown_fields=True):
    """A task folder's `task.toml`, after its variant is merged. `robot` names the one it was made for.

    `signals` are those of the folder's `scene.xml`; their sources name things as that file does.
    """

    name: str
    observations: dict[str, dict[str, str | Observation]]
    channels: dict[str, Channel]
    description: str = ""
    robot: str = ""
    let: dict[str, str] = field(default_factory=dict)
    params: dict[str, float | Parameter] = field(default_factory=dict)
    signals: tuple[Signal, ...] = ()
    terminations: dict[str, str] = field(default_factory=dict)
    success: str = ""
    metrics: dict[str, str] = field(default_factory=dict)
    episode: Episode = Episode()
    command: Command | None = None
    clock: Clock | None = None
    reset: Reset = Reset()
    randomize: Randomize = Randomize()
    push: Push | None = None
    terrain: Terrain = Terrain()
    symmetry: Symmetry | None = None
    skills: Skills | None = None
    stages: tuple[Stage, ...] = ()
    machine: tuple[Edge, ...] = ()
    staging: Staging = Staging()
    gates: Gates = Gates()
    terminal: dict[str, Terminal] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    learned: dict[str, Learned] = field(default_factory=dict)
    guard: Literal["terminate", "zero", "raise"] = "terminate"
    delay_steps: tuple[Annotated[int, Meta(ge=0, le=8)], Annotated[int, Meta(ge=0, le=8)]] = (0, 0)
    history: Annotated[int, Meta(ge=1, le=16)] = 1
    variant: str = ""
    folder: str = ""
