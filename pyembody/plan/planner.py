"""A plan kept going: shifted to the present, sampled around, rolled out, updated."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Generic, Literal, Protocol, TypeVar

import mujoco
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from ..envs.model import BuiltModel
from ..spec.errors import SpecError
from ..spec.robot import Positive, Robot
from .behaviour import Edits
from .hand import HandMoves
from .imagined import Start
from .samplers import HandSpread, Plan, Sampler, Spread, make_sampler
from .spline import basis, knot_times

Floats = NDArray[np.float64]
HOMING, TENTH = 3, 0.1
NO_EDITS: Edits = {}


class PlannerSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Which planner with how many candidates, steps and knots; `sigma` is the spread over half an actuator's range.

    The last state of a horizon counts `final` times: a plan that ends about to fall is no good, though nothing has
    fallen yet. `homing` tries ways back to the home posture too; `space` says whether candidates differ in joints, or
    in what the hand does in space.
    """

    kind: Literal["predictive", "mppi", "cem", "annealed"] = "predictive"
    candidates: Annotated[int, Meta(ge=2, le=4096)] = 32
    horizon: Annotated[int, Meta(ge=2, le=1000)] = 18
    knots: Annotated[int, Meta(ge=2, le=64)] = 4
    spline: Literal["zero", "linear", "cubic"] = "linear"
    sigma: Positive = 0.15
    rounds: Annotated[int, Meta(ge=0, le=16)] = 0
    risk: float = 0.0
    culling: bool = True
    timestep: Positive = 0.02
    final: Annotated[float, Meta(ge=1.0)] = 1.0
    homing: bool = True
    space: Literal["joints", "hand"] = "joints"


class Rollouts(Protocol):
    """A model in which candidates are rolled out, in steps of `dt` seconds."""

    dt: float

    def costs(self, start: Start, controls: Floats, sampler: Sampler | None = None, plan: Plan | None = None) -> Floats:
        """Return the mean cost `[N]` of controls `[N, T, A]`, infinite for what diverged.

        With a `sampler` and its `plan` a candidate may be dropped, infinite too, once it cannot count any more.
        """


Model = TypeVar("Model", bound=Rollouts)


class Planner(Generic[Model]):
    """Knots around which candidates are tried; the same seed gives the same plans for any number of threads.

    `ranges` `[A, 2]` are the legal controls, `home` `[A]` the first plan, `synergies` `[S, A]` movements that are tried
    as one, `hand` what a hand can do in space, after `edits`, what is asked for.
    """

    def __init__(
        self,
        imagined: Model,
        settings: PlannerSettings,
        ranges: Floats,
        home: Floats,
        seed: int = 0,
        synergies: Floats | None = None,
        hand: HandMoves | None = None,
    ) -> None:
        self.imagined, self.settings, self.seed = imagined, settings, seed
        self.low, self.high = ranges[:, 0], ranges[:, 1]
        none = np.zeros((0, len(home)))
        self.hand, self.edits = hand, NO_EDITS
        self.spread = Spread((self.high - self.low) / 2, none if synergies is None else synergies)
        per_round = settings.candidates // max(settings.rounds, 1)
        self.sampler = make_sampler(settings.kind, settings.sigma, per_round, settings.rounds)
        self.count = settings.candidates // self.sampler.rounds
        self.dt = imagined.dt
        self.span = (settings.horizon - 1) * self.dt
        self.weights = basis(settings.spline, np.arange(settings.horizon) * self.dt, settings.knots, self.span)
        self.home = knots = np.tile(home, (settings.knots, 1))
        self.plan = Plan(knots, np.full_like(knots, np.inf), knots)
        self.lost = 0
        """Plans in which every candidate diverged."""

    def replan(self, start: Start, elapsed: float) -> Plan:
        """Return the plan from `start`, `elapsed` seconds after the plan before. If all candidates diverge, that one,
        shifted, is kept and counted in `lost`.
        """
        shift = basis(
            self.settings.spline, knot_times(self.settings.knots, self.span) + elapsed, self.settings.knots, self.span
        )
        self.plan = replace(self.plan, knots=shift @ self.plan.knots, best=shift @ self.plan.best)
        if self.hand is not None:
            self.hand.see(start.qpos)
            self.spread = HandSpread(self.spread.half_range, self.hand.moves())
        for planning_round in range(self.sampler.rounds):
            candidates = self.sampler.sample(self.plan, self.spread, self.seed, planning_round, self.count)
            if self.settings.homing:
                self._inject(candidates)
            if self.hand is not None and planning_round == 0:
                tries = self.hand.tries(self.plan.knots, self.span / (self.settings.knots - 1), self.edits)
                candidates[-len(tries) :] = tries[: self.count - 1]
            costs = self.costs(start, candidates)
            self.lost += not np.isfinite(costs).any()
            self.plan = self.sampler.update(self.plan, candidates, costs)
        self.plan = replace(self.plan, index=self.plan.index + 1)
        return self.plan

    def _inject(self, candidates: Floats) -> None:
        """Let the last candidates be ways back: home at once, half of the way, and noise about a tenth of the way.

        Nothing in the costs may ask for one of many equal postures, among which noise alone would wander.
        """
        count, nominal = len(candidates), self.plan.knots
        homing = min(count // HOMING, count - 1)
        candidates[count - homing :] += TENTH * (self.home - nominal)
        if homing > 2:
            candidates[-1], candidates[-2] = self.home, 0.5 * (self.home + nominal)

    def costs(self, start: Start, candidates: Floats) -> Floats:
        """Return the mean costs `[N]` of knots `[N, K, A]`."""
        controls = np.clip(self.weights @ candidates, self.low, self.high)
        if self.settings.culling:
            return self.imagined.costs(start, controls, self.sampler, self.plan)
        return self.imagined.costs(start, controls)

    def control(self, after: float, plan: Plan | None = None) -> Floats:
        """Return the control `[A]`, `after` seconds into a plan (default: the present one)."""
        at = basis(self.settings.spline, [after], self.settings.knots, self.span)
        knots = (plan or self.plan).knots
        clipped: Floats = np.clip(at @ knots, self.low, self.high)[0]
        return clipped


def control_ranges(built: BuiltModel, robot: Robot) -> Floats:
    """Return the legal controls `[A, 2]`: the actuators' own ranges, of position servos else the joints'.

    Raises SpecError for an actuator that has neither.
    """
    model, rows = built.model, []
    for name, actuator in zip(robot.joints, built.control.actuators, strict=True):
        joint = model.joint(name).id
        if model.actuator_ctrllimited[actuator]:
            rows.append(model.actuator_ctrlrange[actuator])
        elif robot.control.kind == "position" and model.jnt_limited[joint]:
            rows.append(model.jnt_range[joint])
        else:
            raise SpecError(f"{robot.name}: actuator of '{name}': expected a control range for a planner, got none")
    return np.array(rows, np.float64)


def settled_state(model: mujoco.MjModel, qpos: Floats) -> mujoco.MjData:
    """Return the state at rest in the configuration `qpos` `[nq]`, with its derived fields."""
    data = mujoco.MjData(model)
    data.qpos[:] = qpos
    mujoco.mj_forward(model, data)
    return data
