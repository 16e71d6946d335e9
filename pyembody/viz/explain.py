"""What every figure of a report is: its name for people, its unit, and one line on how to read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple


class Line(NamedTuple):
    """A figure's name, unit (empty: none) and explanation."""

    label: str
    unit: str
    text: str

    @property
    def title(self) -> str:
        """The name with the unit behind it."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


FIGURES = {
    "success": Line("success", "", "share of episodes that end as the task wants; 100 % is best"),
    "fall_rate": Line("falls", "", "share of episodes cut short by a termination, such as a fall; 0 % is best"),
    "episode_length": Line("episode length", "s", "time until an episode ends; the task's full length is best"),
    "power": Line("mechanical power", "W", "torque times speed, sizes summed over the joints; less is thriftier"),
    "cost_of_transport": Line("cost of transport", "", "energy over weight times distance; less is thriftier"),
}
METRICS = {
    "linear_velocity_error": Line("linear velocity error", "m/s", "how far the horizontal velocity is off the command"),
    "yaw_rate_error": Line("yaw rate error", "rad/s", "how far the turn rate is off the command"),
    "height": Line("height", "m", "of the trunk above the ground"),
    "tilt": Line("tilt", "rad", "of the trunk against the vertical"),
    "pole_angle": Line("pole angle", "rad", "of the pole against the vertical, its size"),
    "cart_distance": Line("cart distance", "m", "of the cart from the middle of its rail"),
}
"""Metrics of the shipped tasks; another task's are explained by their expressions alone."""
GAIT = {
    "clear_swings": Line(
        "swings that clear 2 cm", "", "share of steps whose foot rises that far; 90 % or more is good"
    ),
    "swing_peak": Line("peak of a swing", "m", "how far a foot rises above the place it left"),
    "foot_peaks": Line("peak of each foot", "m", "the same by foot; equal on left and right is good"),
    "step_frequency": Line("step frequency", "Hz", "swings of a foot per second of walking"),
    "duty": Line(
        "duty of each foot", "", "share of walking time the foot is down; about 50 % in a trot, alike on all feet"
    ),
    "only_feet": Line("only feet on the ground", "", "share of time in which nothing else touches; 100 % is best"),
    "base_height": Line("base height", "m", "mean height of the trunk above the ground"),
    "height_ratio": Line(
        "base height over nominal", "", "100 % is the robot's own standing height; 90 to 110 % is good"
    ),
    "drift": Line("creep while standing", "m/s", "speed at a zero command; 0 is best"),
    "all_feet_down": Line("all feet down while standing", "", "share of time at a zero command; 100 % is best"),
}
HELD = {
    name: Line(f"mean {what} velocity at the fullest command", unit, "once it is settled")
    for name, what, unit in (("forward", "forward", "m/s"), ("lateral", "lateral", "m/s"), ("turn", "turning", "rad/s"))
}
LEARNING = (
    "Left: reward per second of each channel before its weight; rising is good, and a channel of penalties rises "
    "towards zero. Middle: what the task measures, averaged over all environments; an error falls towards zero. Right: "
    "how the episodes of the last {window} iterations ended; falls vanish and successes rise, though while training "
    "actions are noisy on purpose, so that the evaluation is better. The lower scale is wall clock."
)
TERMS = (
    "raw: mean of the term's expression. reward / step, / s, / episode: what it pays (+) or takes away "
    "(\N{MINUS SIGN}) each step, second and episode, before gates and the channel's weight; terms that are "
    "multiplied, say, have one line together. share: its part of all that is paid and taken away; sizes add up to "
    "100 %, blue to the right pays, red to the left takes away, and the longest bar is the largest share."
)
TERM_BARS = "What each term pays (right) or takes away (left) each second, before gates and the channel's weight."
VELOCITIES = (
    "Commanded (dashed) and measured velocity in the robot's own frame; the band is within {close} of the command. "
    "Small waves at the rhythm of the steps are natural."
)
GAIT_DIAGRAM = (
    "Bars show when each foot is on the ground, during the fastest commands. A trot alternates diagonal "
    "pairs of feet; bars of equal length and few short ones are good."
)
OVERLAY = (
    "Top left: time, commanded and measured velocity, both as means of the last half second. Measured is green within "
    "{close} of the command and orange outside."
)


def metric_line(name: str) -> Line:
    """Return the line of a task's metric; of one that is not known here, its name alone."""
    line = METRICS.get(name, Line(name.replace("_", " "), "", ""))
    parts = [line.text or "mean over each episode", *(["0 is best"] if "error" in name else [])]
    return line._replace(text="; ".join(parts))


def definition(name: str, task: Mapping[str, Any]) -> str:
    """Return a metric's expression, with the expressions behind the names in it; empty if the task has none."""
    expression = (task.get("metrics") or {}).get(name)
    if not isinstance(expression, str):
        return ""
    return f"mean of {unfolded(expression, task)}"


def unfolded(expression: str, task: Mapping[str, Any]) -> str:
    """Return an expression of a task with the expressions behind the names in it."""
    let = task.get("let") or {}
    used = [n for n in dict.fromkeys(re.findall(r"[A-Za-z_]\w*", expression)) if n in let and n != expression]
    shown = str(let[expression]) if expression in let else expression
    return "; ".join([shown, *(f"{n} = {let[n]}" for n in used)])
