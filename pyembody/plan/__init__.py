"""Sampling planners that turn what is asked for into motion. Imports torch never, mujoco always."""

from ..spec.vocabulary import BehaviourStage
from .behaviour import Behaviour, merge, parameters
from .planner import Planner, PlannerSettings
from .runner import Runner
from .samplers import Plan, make_sampler

__all__ = [
    "Behaviour", "BehaviourStage", "Plan", "Planner", "PlannerSettings", "Runner", "make_sampler", "merge", "parameters"
]
