"""World models: ensembles fitted to datasets, and how far they can be trusted."""

from .ensemble import Ensemble
from .fit import Fit, FitSettings
from .fitting import fit_model
from .model import ModelSpec, WorldModel, load_model
from .predict import Predictor

__all__ = ["Ensemble", "Fit", "FitSettings", "ModelSpec", "Predictor", "WorldModel", "fit_model", "load_model"]
