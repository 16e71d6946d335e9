"""Learnt models of a robot, and what they imagine."""

from .actor import Actor
from .ensemble import Ensemble
from .imagined import Imagined
from .model_state import ModelState
from .rollout import EnsembleModel
from .rollout_reference import RolloutReference

__all__ = ["Actor", "Ensemble", "EnsembleModel", "Imagined", "ModelState", "RolloutReference"]
