"""Parameters that change with training: their value at a number of environment steps."""

from __future__ import annotations

import math

from ..spec.tables import Schedule
from .params import ParamInfo


def schedule_value(schedule: Schedule, steps: float) -> float:
    """Return the value of a schedule at a number of environment steps."""
    first, last = schedule.first, schedule.last
    if schedule.kind == "const":
        return last
    if schedule.kind == "step":
        return last if steps >= schedule.start else first
    share = min(max((steps - schedule.start) / (schedule.end - schedule.start), 0.0), 1.0)
    if schedule.kind == "exp":
        return math.copysign(abs(first) ** (1 - share) * abs(last) ** share, last)
    if schedule.kind == "cosine":
        share = 0.5 - 0.5 * math.cos(math.pi * share)
    return first + share * (last - first)


def check_schedule(info: ParamInfo, schedule: Schedule) -> Schedule:
    """Return the schedule of a parameter. Raises SpecError if it leaves the parameter's range."""
    info.check(schedule.last)
    if schedule.kind != "const":
        info.check(schedule.first)
    return schedule
