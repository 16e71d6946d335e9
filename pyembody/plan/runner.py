"""A behaviour being done: plan, apply, simulate, once a control step, without ever resetting between requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal

import mujoco
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from ..envs.model import BuiltModel, build_model
from ..envs.quiet import quiet
from ..program import compile_task
from ..spec.errors import unknown
from ..spec.robot import Robot
from ..spec.signal import Signal
from ..spec.vocabulary import Vocabulary, make_task
from .behaviour import Behaviour, counting, parameters
from .cost import CostProgram
from .hand import HandMoves
from .imagined import Imagined, Start
from .lookahead import Lookahead
from .planner import Planner, PlannerSettings, control_ranges
from .samplers import Plan
from .signals import FLAT, behaviour_signals, signal_arrays, synergy_rows
from .staging import StageWatch
from .things import freeze, unnamed
from .trace import FIELDS, Trace, floor_contacts
from .ways import with_ways

Floats = NDArray[np.float64]
WARM_UP = 3
"""Plans made for a new behaviour before its first command."""
Mode = Literal["paused", "live"]
Pilot = Callable[["Runner"], Floats]
"""What steers in the planner's place: called before each control step, it returns the control `[A]` held in it."""


class Runner:
    """A robot in its execution model, moved by a planner on its planning model.

    Args:
        vocabulary, robot: what may be asked for, and of whom.
        settings: planners by name.
        seed: of the planner's random numbers. The same seed gives the same motion in `paused` mode, whatever
            `threads` is.
        mode: `paused` lets the simulation wait for the planner; `live` moves on by the old plan while the new one is
            made, from the state predicted for when it will be there, and tells in `trace.late_s` how late each was.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        robot: Robot,
        settings: Mapping[str, PlannerSettings],
        *,
        seed: int = 0,
        threads: int = 1,
        mode: Mode = "paused",
    ) -> None:
        self.vocabulary, self.robot, self.settings = vocabulary, robot, settings
        self.seed, self.threads, self.mode = seed, threads, mode
        self.built = build_model(robot, FLAT, execution=True)
        self.data = mujoco.MjData(self.built.model)
        self.control_dt = robot.control.control_dt
        self._planners: dict[str, Planner[Imagined]] = {}
        self._worlds: dict[tuple[str, frozenset[str]], Imagined] = {}
        self._costs: dict[tuple[PlannerSettings, frozenset[str]], CostProgram] = {}
        self._home = np.asarray(robot.default_pose, np.float64)
        self._pool = ThreadPoolExecutor(1) if mode == "live" else None
        self.pilot: Pilot | None = None
        self._held: Floats | None = None
        self.reset(self.built.home_qpos)

    def reset(self, qpos: Floats) -> None:
        """Start at rest in a configuration `[nq]`, with no behaviour yet."""
        mujoco.mj_resetData(self.built.model, self.data)
        self.data.qpos[:] = qpos
        mujoco.mj_forward(self.built.model, self.data)
        self.control = self._home.copy()
        self.cycles = np.zeros(len(self.built.foot_geoms))
        self.trace = Trace()
        self.diverged = False
        self._pending: Future[Plan] | None = None
        self._due = self._since = 0.0

    def say(self, behaviour: Behaviour) -> None:
        """Do another behaviour from now on, from the present state. Raises SpecError if it cannot be done."""
        self._settle()
        behaviour = with_ways(self.vocabulary, behaviour)
        for name in (behaviour.planner, *(s.planner for s in behaviour.stages)):
            if name and name not in self.settings:
                raise unknown("behaviour", "planner", name, self.settings)
        self.behaviour = behaviour
        self.watch = StageWatch(self.vocabulary, self.robot, self.built, behaviour, self.control_dt)
        self._choose(self.watch.planner)
        self._ahead = self._lookahead(behaviour)
        self._aim()
        self._warm_up()

    def step(self) -> None:
        """Go on for one control step."""
        if self.pilot is not None:
            began = time.perf_counter()
            self._held = self.pilot(self)
            self.trace.plan_s.append(time.perf_counter() - began)
        elif self._pool is None:
            self._timed_plan(self.start(), self.control_dt if len(self.trace) else 0.0)
            self._plan, self._since = self.planner.plan, 0.0
        else:
            self._plan_beside()
        self._simulate()
        if self.watch.step(self.signals(self.watch.inputs)):
            self._go_on()

    def run(self, seconds: float) -> None:
        """Go on for so many seconds of simulated time, or until the simulation diverges."""
        with quiet():
            for _ in range(round(seconds / self.control_dt)):
                if self.diverged:
                    return
                self.step()

    def close(self) -> None:
        """Wait for a plan that is being made, and end its thread."""
        if self._pool is not None:
            self._pool.shutdown()

    def start(self) -> Start:
        """Return the present state as a planner's start."""
        data = self.data
        return Start(data.qpos.copy(), data.qvel.copy(), self.control.copy(), self.cycles.copy(), float(data.time))

    def _go_on(self) -> None:
        """Begin the next stage; with another planner, where that has its own."""
        self._settle()
        changed = self._choose(self.watch.planner)
        if changed:
            self._ahead = self._lookahead(self.behaviour)
        self._aim()
        if changed:
            self._warm_up()

    def _choose(self, name: str) -> bool:
        """Let a planner plan from now on; return whether it is another one: that begins with the control held now."""
        before = getattr(self, "planner", None)
        self.planner, self._name = self._planner(name), name
        if self.planner is before:
            return False
        knots = np.tile(self.control, (self.planner.settings.knots, 1))
        self.planner.plan = Plan(knots, np.full_like(knots, np.inf), knots, index=self.planner.plan.index)
        return True

    def _warm_up(self) -> None:
        with quiet():
            for _ in range(WARM_UP if self.pilot is None else 0):
                self._timed_plan(self.start(), 0.0)
        self._plan, self._since = self.planner.plan, 0.0

    def _planner(self, name: str) -> Planner[Imagined]:
        if name not in self._planners:
            chosen = self.settings[name]
            imagined = self._imagined(name, frozenset())
            built = imagined.built
            ranges, synergies = control_ranges(built, self.robot), synergy_rows(self.vocabulary, self.robot)
            hand = self.vocabulary.hand if chosen.space == "hand" else None
            moves = None if hand is None else HandMoves(hand, built, self.robot, ranges, synergies)
            self._planners[name] = Planner(imagined, chosen, ranges, self._home, self.seed, synergies, moves)
        return self._planners[name]

    def _imagined(self, name: str, frozen: frozenset[str]) -> Imagined:
        """The planning model of a planner in which some things are frozen."""
        if (name, frozen) not in self._worlds:
            chosen = self.settings[name]
            robot = replace(self.robot, physics=replace(self.robot.physics, timestep=chosen.timestep))
            built = build_model(robot, FLAT)
            freeze(built, frozen)
            cost = self._cost(built, chosen, counting(self.vocabulary, {}))
            self._worlds[name, frozen] = Imagined(built, cost, chosen.candidates, self.threads, chosen.final)
        return self._worlds[name, frozen]

    def _cost(self, built: BuiltModel, chosen: PlannerSettings, terms: frozenset[str]) -> CostProgram:
        """The program of some terms; those that count for nothing would take their time in every imagined step."""
        key = (chosen, terms)
        if key not in self._costs:
            task = make_task(self.vocabulary, "behaviour", terms)
            program = compile_task(task, behaviour_signals(self.robot, built), dt=chosen.timestep)
            self._costs[key] = CostProgram(program, self.threads, chosen.risk)
        return self._costs[key]

    def _lookahead(self, behaviour: Behaviour) -> Lookahead | None:
        if not behaviour.lookahead or len(behaviour.stages) < 2:
            return None
        imagined = self.planner.imagined
        return Lookahead(self.vocabulary, self.robot, imagined.built, behaviour, imagined.dt, self.threads)

    def _aim(self) -> None:
        """Tell the planner what counts now."""
        self._settle()
        edits = self.watch.edits()
        self.planner.edits = edits
        self.planner.imagined = imagined = self._imagined(self._name, unnamed(self.built, edits))
        if self._ahead is None:
            cost = self._cost(imagined.built, self.planner.settings, counting(self.vocabulary, edits))
            values = parameters(self.vocabulary, edits)
            cost.set({k: v for k, v in values.items() if k in cost.program.params})
            imagined.use(cost)
        else:
            self._ahead.index = self.watch.index
            imagined.use(self._ahead)
        names = [f"foot_gait.{foot}.frequency" for foot in self.robot.feet]
        self.frequencies = np.array([edits.get(name, 0.0) for name in names])
        imagined.frequencies = self.frequencies

    def _timed_plan(self, start: Start, elapsed: float) -> Plan:
        began = time.perf_counter()
        plan = self.planner.replan(start, elapsed)
        self.trace.plan_s.append(time.perf_counter() - began)
        return plan

    def _plan_beside(self) -> None:
        """Take over a plan that is ready, and let the next one be made."""
        self._since += self.control_dt if len(self.trace) else 0.0
        if self._pending is not None and self._pending.done():
            self._plan = self._pending.result()
            self.trace.late_s.append(time.perf_counter() - self._due)
            self._since, self._pending = max(self.trace.late_s[-1], 0.0), None
        if self._pending is None:
            assert self._pool is not None
            latency = float(np.percentile(self.trace.plan_s[-50:], 95))
            self._due = time.perf_counter() + latency
            self._pending = self._pool.submit(self._timed_plan, self._predicted(latency), self._since + latency)

    def _settle(self) -> None:
        """Wait for a plan that is being made: what counts must not change under it."""
        if self._pending is not None:
            self._plan, self._since, self._pending = self._pending.result(), 0.0, None

    def _predicted(self, seconds: float) -> Start:
        """The state after `seconds` under the present plan, on the planning model."""
        imagined = self.planner.imagined
        steps = max(1, round(seconds / imagined.dt))
        data = mujoco.MjData(imagined.built.model)
        data.qpos[:], data.qvel[:] = self.data.qpos, self.data.qvel
        control = self.control
        for k in range(steps):
            control = self.planner.control(self._since + k * imagined.dt, self._plan)
            data.ctrl[imagined.built.control.actuators] = control
            mujoco.mj_step(imagined.built.model, data)
        cycles = self.cycles + self.frequencies * seconds
        return Start(data.qpos.copy(), data.qvel.copy(), control, cycles, float(self.data.time) + seconds)

    def _simulate(self) -> None:
        """Apply the plan for one control step of the execution model."""
        model, data, dt = self.built.model, self.data, self.planner.dt
        began = time.perf_counter()
        parts = max(1, round(self.control_dt / dt))
        # a part of a control step need not be a whole number of physics steps, the control step is
        edges = np.linspace(0, self.control_dt / model.opt.timestep, parts + 1).round().astype(int)
        for k, substeps in enumerate(np.diff(edges)):
            held = self._held
            self.control = self.planner.control(self._since + k * dt, self._plan) if held is None else held
            data.ctrl[self.built.control.actuators] = self.control
            mujoco.mj_step(model, data, nstep=int(substeps))
        mujoco.mj_forward(model, data)
        self.cycles = self.cycles + self.frequencies * self.control_dt
        self.diverged = self.diverged or not np.isfinite(data.qpos).all() or data.warning.number.any()
        self.trace.add(self.built, data, self.control, self.cycles, self.watch.index)
        if self.mode == "live":
            time.sleep(max(0.0, self.control_dt - (time.perf_counter() - began)))

    def signals(self, inputs: Iterable[Signal]) -> dict[str, NDArray[np.float64]]:
        """Return arrays `[1, lanes]` of signals in the present state; `action` is the control in a policy's units."""
        fields = {name: np.asarray(getattr(self.data, name))[None] for name in FIELDS}
        trace, law = self.trace, self.built.control
        own = {
            "ctrl": self.control[None],
            "prev_ctrl": (trace.controls[-2] if len(trace) > 1 else self.control)[None],
            "action": ((self.control - law.offset) / law.scale)[None],
            "gait_cycles": self.cycles[None],
            "time_in_stage": np.zeros((1, 1)),
        }
        wanted = tuple(inputs)
        if any(signal.name == "floor_contact" for signal in wanted):
            own["floor_contact"] = floor_contacts(self.built, self.data)[None]
        return signal_arrays(self.built, fields, own, wanted)
