"""A planner's skills as a policy: behaviour cloning, then DAgger, conditioned on what is asked for."""

from .lessons import SETTINGS, Distill, read_settings
from .pilot import PolicyPilot, load_pilot
from .rounds import Said, create_distillation, distil
from .scores import Scored, score

__all__ = [
    "SETTINGS", "Distill", "PolicyPilot", "Said", "Scored", "create_distillation", "distil", "load_pilot",
    "read_settings", "score",
]
