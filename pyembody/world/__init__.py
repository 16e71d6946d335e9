"""World models: ensembles fitted to datasets, what they imagine, and how far they can be trusted."""

from .actor import Actor
from .candidates import Candidates
from .ensemble import Ensemble
from .fit import Fit, FitSettings
from .fitting import fit_model
from .imagined import Imagined
from .model import ModelSpec, WorldModel, load_model, unfinished
from .model_state import ModelState
from .predict import Predictor
from .rollout import EnsembleModel
from .rollout_reference import RolloutReference

__all__ = [
    "Actor",
    "Candidates",
    "Ensemble",
    "EnsembleModel",
    "Fit",
    "FitSettings",
    "Imagined",
    "ModelSpec",
    "ModelState",
    "Predictor",
    "RolloutReference",
    "WorldModel",
    "fit_model",
    "load_model",
    "unfinished",
]
